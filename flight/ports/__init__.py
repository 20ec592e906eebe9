"""Ports: where datagrams leave and enter the process, aboard and on the ground."""
