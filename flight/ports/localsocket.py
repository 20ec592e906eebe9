"""A local socket that speaks JSON lines, without ever blocking: one request or answer a line."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Message: TypeAlias = dict[str, object]

MAX_LINE_BYTES = 2 << 20
"""Longest request: a bundle of about 1.5 MB in base64. A longer one ends the connection."""
MAX_CLIENTS = 16
MAX_UNSENT_BYTES = 8 << 20
"""Answers that a client does not read; beyond it the connection is ended."""
_READ_BYTES = 1 << 16


class Client:
    """One connection; ``number`` names it for as long as the server lives."""

    def __init__(self, number: int, connection: socket.socket) -> None:
        self.number = number
        self._connection = connection
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.is_open = True

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self._connection.fileno()

    def read(self) -> list[Message]:
        """Return the requests that have come whole; a line that is no object ends it all."""
        with contextlib.suppress(BlockingIOError):
            while len(self._incoming) <= MAX_LINE_BYTES:
                data = self._receive()
                if not data:
                    break
                self._incoming += data
        *lines, rest = bytes(self._incoming).split(b"\n")
        self._incoming = bytearray(rest)
        if len(rest) > MAX_LINE_BYTES:
            self.is_open = False
        return [message for message in map(self._parse, lines) if message is not None]

    def answer(self, message: Message) -> None:
        """Queue one answer."""
        self._outgoing += json.dumps(message).encode() + b"\n"
        if len(self._outgoing) > MAX_UNSENT_BYTES:
            self.is_open = False

    def flush(self) -> None:
        """Send what the client takes now."""
        try:
            while self._outgoing:
                del self._outgoing[: self._connection.send(self._outgoing)]
        except BlockingIOError:
            return
        except OSError:
            self.is_open = False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _receive(self) -> bytes:
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            raise
        except OSError:
            data = b""
        if not data:
            self.is_open = False
        return data

    def _parse(self, line: bytes) -> Message | None:
        if not line.strip():
            return None
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self.answer({"error": "a request is one JSON object on one line"})
            return None
        return {str(key): value for key, value in found.items()}


class LocalServer:
    """Listens on a path that only the same user can open."""

    def __init__(self, path: Path) -> None:
        """Take the path over from an earlier life.

        Raises:
            OSError: the path cannot be made or is too long for a socket.
        """
        path.unlink(missing_ok=True)
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        self._socket.listen(MAX_CLIENTS)
        self._socket.setblocking(False)
        self._made = 0
        self.clients: dict[int, Client] = {}

    def filenos(self) -> tuple[int, ...]:
        """Return the descriptors of server and clients."""
        return (self._socket.fileno(), *(client.fileno() for client in self.clients.values()))

    def accept(self) -> None:
        """Take in who knocks; beyond MAX_CLIENTS they are turned away."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                connection, _ = self._socket.accept()
                if len(self.clients) >= MAX_CLIENTS:
                    connection.close()
                    continue
                connection.setblocking(False)
                self._made += 1
                self.clients[self._made] = Client(self._made, connection)

    def sweep(self) -> list[int]:
        """Send what can be sent and forget who has gone; return their numbers."""
        for client in self.clients.values():
            client.flush()
        gone = [number for number, client in self.clients.items() if not client.is_open]
        for number in gone:
            self.clients.pop(number).close()
        return gone

    def close(self) -> None:
        """End every connection and give the path back."""
        for client in self.clients.values():
            client.close()
        self.clients.clear()
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Caller:
    """A command's end of a connection to a running node; it waits, so it is not for the loop."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._incoming = bytearray()

    def say(self, request: Message) -> None:
        """Send one request.

        Raises:
            OSError: the node is gone.
        """
        self._connection.sendall(json.dumps(request).encode() + b"\n")

    def hear(self, timeout_s: float) -> Message | None:
        """Return the next answer, or None when none has come in time.

        Raises:
            OSError: the node is gone.
            ValueError: the answer is no JSON object.
        """
        while b"\n" not in self._incoming:
            self._connection.settimeout(max(timeout_s, 0.001))
            try:
                data = self._connection.recv(_READ_BYTES)
            except TimeoutError:
                return None
            if not data:
                raise ConnectionResetError("the node ended the connection")
            self._incoming += data
        line, _, rest = self._incoming.partition(b"\n")
        self._incoming = rest
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("the node's answer is not an object")
        return {str(key): value for key, value in found.items()}


@contextlib.contextmanager
def calling(path: Path) -> Iterator[Caller]:
    """Connect to a running node.

    Raises:
        OSError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        yield Caller(connection)


def call(path: Path, request: Message, *, timeout_s: float = 10.0) -> Message:
    """Ask a running node one thing and return its answer; for commands, not for the loop.

    Raises:
        OSError: nobody listens there, or does not answer in time.
        ValueError: the answer is no JSON object.
    """
    with calling(path) as node:
        node.say(request)
        answer = node.hear(timeout_s)
    if answer is None:
        raise TimeoutError("no answer")
    return answer
