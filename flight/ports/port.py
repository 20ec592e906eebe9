"""What every port offers the loop, and how it tells of trouble."""

import socket
from collections.abc import Sequence
from typing import Protocol

from flight.instant import Instant

RECEIVE_LIMIT = 256
"""Datagrams taken in one call; the rest waits in the kernel, so that one port cannot starve the
others."""


class PortError(Exception):
    """A port cannot be opened; the message names it and says what to do."""


class Port(Protocol):
    """Sends and receives whole datagrams, never blocks, and may lose any of them."""

    def fileno(self) -> int | None:
        """Return what becomes readable with a datagram; None while there is no line."""
        ...

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:
        """Send what can be sent now, in order; what does not fit the kernel is lost."""
        ...

    def receive(self, now: Instant) -> list[bytes]:
        """Return what has arrived, in order, at most RECEIVE_LIMIT datagrams."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to call expire and then receive, if any."""
        ...

    def expire(self, now: Instant) -> None:
        """Act on every deadline that ``now`` has reached."""
        ...

    def take_trouble(self) -> str | None:
        """Return, once each time it begins, what is wrong with the line, for an event."""
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


class Trouble:
    """Tells of a trouble when it begins or changes, not each time it is met."""

    def __init__(self) -> None:
        self._now: str | None = None
        self._told: str | None = None

    def begins(self, what: str) -> None:
        """Note that something is wrong."""
        self._now = what

    def over(self) -> None:
        """Note that all is well."""
        self._now = self._told = None

    def take(self) -> str | None:
        """Return what is wrong, unless it was told before."""
        if self._now == self._told:
            return None
        self._told = self._now
        return self._now


def resolve(address: str, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the family and the place that HOST:PORT names.

    Raises:
        PortError: it is malformed or unknown.
    """
    name = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise PortError(f"{name} address {address!r} is not HOST:PORT, such as 127.0.0.1:4556")
    try:
        found = socket.getaddrinfo(host, int(port), type=kind)
    except OSError as error:
        raise PortError(
            f"{name} address {address}: {error.strerror}; use a numeric address"
        ) from error
    family, _, _, _, place = found[0]
    return family, (str(place[0]), int(place[1]))
