"""Ports: where datagrams leave and enter the process, and the plainest one, UDP."""

import socket
from collections.abc import Sequence
from typing import Protocol

from flight.board.udpbatch import UdpBatch
from flight.instant import Instant

RECEIVE_LIMIT = 256
"""Datagrams taken in one call; the rest waits in the kernel, so that one port cannot starve the
others."""
RECEIVE_BUFFER_BYTES = 1 << 20
MAX_DATAGRAM_BYTES = 65_507
"""What fits one UDP datagram over IPv4."""


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


class UdpPort:
    """One UDP socket, with one peer to send to.

    It hears everyone: an address proves nothing (it is security's matter to tell friend from
    foe), and many LTP engines send from another port than the one they listen on.
    """

    def __init__(self, bind: str, remote: str) -> None:
        """Open the socket.

        Raises:
            PortError: an address is malformed or unknown, or the local one is in use.
        """
        self._trouble = Trouble()
        family, local = _resolve(bind)
        remote_family, self._remote = _resolve(remote)
        if family != remote_family:
            raise PortError(f"udp {bind} cannot send to {remote}: one is IPv6, the other IPv4")
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._batch = UdpBatch(self._socket)
        try:
            self._socket.bind(local)
        except OSError as error:
            self._socket.close()
            raise PortError(
                f"udp {bind}: {error.strerror}; stop the other program or choose another address"
            ) from error

    def fileno(self) -> int | None:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:  # noqa: ARG002 - see Port
        """Send the datagrams, or lose those for which the kernel has no room or no route."""
        try:
            self._batch.send(datagrams, self._remote)
            self._trouble.over()
        except OSError as error:
            self._trouble.begins(f"sending failed: {error.strerror}")

    def receive(self, now: Instant) -> list[bytes]:  # noqa: ARG002 - see Port
        """Return the datagrams that wait in the socket."""
        found: list[bytes] = []
        try:
            while len(found) < RECEIVE_LIMIT:
                found += self._batch.receive()
        except BlockingIOError:
            pass
        except OSError as error:
            self._trouble.begins(f"receiving failed: {error.strerror}")
        return found

    def next_deadline_ns(self) -> int | None:
        """Return None: a socket has no timers."""
        return None

    def expire(self, now: Instant) -> None:
        """Do nothing."""

    def take_trouble(self) -> str | None:
        """Return what began to fail since the last call."""
        return self._trouble.take()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


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


def _resolve(address: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise PortError(f"udp address {address!r} is not HOST:PORT, such as 127.0.0.1:4556")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
    except OSError as error:
        raise PortError(
            f"udp address {address}: {error.strerror}; use a numeric address"
        ) from error
    family, _, _, _, place = found[0]
    return family, (str(place[0]), int(place[1]))
