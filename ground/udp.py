"""UDP sockets of the ground station: where datagrams enter and leave the process."""

import socket

from flight.settings import SettingsError

RECEIVE_BUFFER_BYTES = 4 << 20
"""Asked of the kernel, which may give less: a burst must outlast one wait for the disk."""
MAX_DATAGRAM_BYTES = 65_535
RECEIVE_LIMIT = 256
"""Datagrams read from one socket in one step, so that a flood on one link starves no other."""


class UdpSocket:
    """A bound socket with one peer to send to.

    It hears everyone: LTP engines often send from another port than they listen on, and an
    address proves nothing anyway.
    """

    def __init__(self, *, bind: str, remote: str) -> None:
        """Open the socket.

        Raises:
            SettingsError: an address is malformed or unknown, or ours is in use.
        """
        family, local = _resolve(bind)
        remote_family, self._remote = _resolve(remote)
        if family != remote_family:
            raise SettingsError(f"udp {bind} cannot send to {remote}: one is IPv6, one IPv4")
        self.name = bind
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        try:
            self._socket.bind(local)
        except OSError as error:
            self._socket.close()
            raise SettingsError(
                f"udp {bind}: {error.strerror}; stop the other program or choose another address"
            ) from error

    def fileno(self) -> int:
        """Return the descriptor that is readable when datagrams wait."""
        return self._socket.fileno()

    def receive(self) -> list[bytes]:
        """Return the datagrams that wait, at most RECEIVE_LIMIT of them."""
        found: list[bytes] = []
        try:
            while len(found) < RECEIVE_LIMIT:
                found.append(self._socket.recv(MAX_DATAGRAM_BYTES))
        except BlockingIOError:
            pass
        except OSError:
            # The peer's port was closed when we last sent (ICMP): nothing of ours is wrong.
            pass
        return found

    def send(self, datagram: bytes) -> None:
        """Send a datagram, or lose it where the kernel has no room or no route: LTP repeats it."""
        try:
            self._socket.sendto(datagram, self._remote)
        except OSError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _resolve(address: str) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(f"udp {address!r}: write HOST:PORT, as 127.0.0.1:4556")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise SettingsError(f"udp {address}: {error.strerror}; check the host's name") from error
    return found[0][0], found[0][4]
