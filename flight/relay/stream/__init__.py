"""Convergence layers over a byte stream: TCPCLv4, TCPCLv3 and MTCP, without I/O."""
