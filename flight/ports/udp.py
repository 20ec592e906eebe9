"""UDP as a port: whole datagrams, any of which may be lost."""

import socket
from collections.abc import Sequence

from flight.instant import Instant
from flight.ports.port import RECEIVE_LIMIT, PortError, Trouble, resolve
from flight.ports.udpbatch import UdpBatch

RECEIVE_BUFFER_BYTES = 4 << 20
"""Asked of the kernel, which may give less: a burst must outlast one wait for the disk."""


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
        family, local = resolve(bind, socket.SOCK_DGRAM)
        remote_family, self._remote = resolve(remote, socket.SOCK_DGRAM)
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
