"""One TCP connection that never blocks: connecting, plain, or secured."""

import select
import socket
import ssl
from collections import deque
from enum import Enum

from flight.ports.certificate import node_ids
from flight.ports.tls import Security

READ_BYTES = 1 << 16
"""Taken from one line at one time: about what may still come after an order to hold."""
_NOT_SENT_BYTES = 1 << 17
"""What the kernel keeps unsent; more would be a queue behind us, where priorities are lost."""
_USER_TIMEOUT_MS = 30_000
"""A peer that answers nothing for so long is gone."""


class Phase(Enum):
    """How far a line has come."""

    CONNECTING = "connecting"
    OPEN = "open"
    SECURING = "securing"
    """The TLS handshake is under way."""
    LEAVING = "leaving"
    """What is left is written, then the line ends."""


class TcpLine:
    """One connection with what waits to be written."""

    def __init__(self, line: socket.socket, *, number: int, is_caller: bool, now_ns: int) -> None:
        self.number = number
        self.is_caller = is_caller
        self.phase = Phase.CONNECTING if is_caller else Phase.OPEN
        self.born_ns = self.since_ns = self.heard_ns = now_ns
        self.is_on_hold = False
        self.is_kept = False
        self.is_secure_wanted = False
        self._socket = line
        self._out: deque[memoryview] = deque()
        self._is_shut = False
        self._wants_write = is_caller
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS),
            (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOT_SENT_BYTES),
        ):
            line.setsockopt(level, option, value)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def events(self) -> int:
        """Return what to wait for."""
        wants_write = self._wants_write or (bool(self._out) and self.phase is not Phase.SECURING)
        reading = 0 if self.is_on_hold or self.phase is Phase.CONNECTING else select.EPOLLIN
        return reading | (select.EPOLLOUT if wants_write else 0)

    def finish_connecting(self) -> None:
        """Go on: the call was answered. Raise OSError if it was not."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, "")
        self.phase = Phase.OPEN
        self._wants_write = False

    def write(self, data: bytes) -> None:
        """Let bytes wait to be written."""
        self._out.append(memoryview(data))

    def flush(self) -> int:
        """Write what the kernel takes; return how much it took. Raise OSError if it is broken."""
        written = 0
        try:
            while self._out and self.phase in {Phase.OPEN, Phase.LEAVING}:
                count = self._socket.send(self._out[0])
                written += count
                if count < len(self._out[0]):
                    self._out[0] = self._out[0][count:]
                else:
                    self._out.popleft()
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        if self.phase is Phase.LEAVING and not self._out and not self._is_shut:
            self._is_shut = True
            # Closing at once would throw away the last words if the peer has more to say.
            self._socket.shutdown(socket.SHUT_WR)
        return written

    @property
    def may_secure(self) -> bool:
        """Whether the handshake is to begin now: all that is plain has left."""
        return self.is_secure_wanted and self.phase is Phase.OPEN and not self._out

    def secure(self, security: Security) -> None:
        """Begin the TLS handshake."""
        self._socket = security.wrap(self._socket, is_caller=self.is_caller)
        self.phase = Phase.SECURING

    def shake_hands(self) -> bool:
        """Go on with the handshake; True: it is done. Raise OSError if it fails."""
        assert isinstance(self._socket, ssl.SSLSocket)
        self._wants_write = False
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._wants_write = True
            return False
        self.phase = Phase.OPEN
        self.is_secure_wanted = False
        return True

    def peer_node_ids(self) -> tuple[str, ...]:
        """Return the node ids in the peer's certificate, once the handshake is done.

        Raises:
            WireError: it is no certificate.
        """
        assert isinstance(self._socket, ssl.SSLSocket)
        certificate = self._socket.getpeercert(binary_form=True)
        return () if certificate is None else node_ids(certificate)

    def read(self) -> bytes | None:
        """Return what came, b"" if the peer has ended; None: nothing came. Raise OSError."""
        try:
            return self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    @property
    def has_more(self) -> bool:
        """Whether decrypted bytes wait that no descriptor tells of."""
        is_secure = isinstance(self._socket, ssl.SSLSocket) and self.phase is not Phase.SECURING
        return is_secure and not self.is_on_hold and self._pending() > 0

    def _pending(self) -> int:
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket.pending()

    def leave(self) -> None:
        """End once all is written."""
        self.phase = Phase.LEAVING
        self.is_on_hold = False

    def close(self) -> None:
        """End at once."""
        self._socket.close()
