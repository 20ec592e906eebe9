"""TCP as a port: it listens, it calls, and tells the engine of its lines in datagrams.

All lines are in one epoll, whose descriptor is the port's: readable whenever any of them has
something to do, be it only room to write. See flight.relay.stream.line for what is said.
"""

import errno
import os
import select
import socket
from collections.abc import Sequence

from flight.instant import Instant
from flight.ports.port import RECEIVE_LIMIT, PortError, Trouble, resolve
from flight.ports.tcpline import Phase, TcpLine
from flight.ports.tls import Security, TlsSettings
from flight.relay.errors import WireError
from flight.relay.stream.line import MAX_LINES, Order, Told, pack, secured, wrote

CALL_FIRST_NS = 1_000_000_000
CALL_LAST_NS = 60_000_000_000
"""The pause between calls doubles from the first to the last, unless a line lives a while."""
PATIENCE_NS = 10_000_000_000
"""For a call to be answered, a handshake to be done, and an ended line's last words to leave."""

_GONE = select.EPOLLHUP | select.EPOLLERR


class TcpPort:
    """Lines to one peer, of which any may break at any time."""

    def __init__(self, listen: str, call: str, tls: TlsSettings | None = None) -> None:
        """Listen, call, or both; no call is made before the engine asks for it.

        Raises:
            PortError: an address is malformed, unknown or in use, or a TLS file is no good.
        """
        self._trouble = Trouble()
        self._security = None if tls is None else Security(tls)
        self._call = resolve(call, socket.SOCK_STREAM) if call else None
        self._call_name = call
        self._listener = _listen(listen) if listen else None
        self._epoll = select.epoll()
        if self._listener is not None:
            self._epoll.register(self._listener, select.EPOLLIN)
        self._lines: dict[int, TcpLine] = {}
        self._watched: dict[int, int] = {}
        """What epoll waits for, by line."""
        self._told: list[bytes] = []
        self._number = 0
        self._may_call = False
        self._call_ns = 0
        self._pause_ns = CALL_FIRST_NS

    def fileno(self) -> int | None:
        """Return the epoll's descriptor."""
        return self._epoll.fileno()

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:
        """Follow the engine's orders."""
        for datagram in datagrams:
            self._obey(Order(datagram[0]), datagram[1], datagram[2:], now)
        self.expire(now)

    def receive(self, now: Instant) -> list[bytes]:
        """Return what happened, at most RECEIVE_LIMIT events."""
        if len(self._told) < RECEIVE_LIMIT:
            numbers = {line.fileno(): line for line in self._lines.values()}
            for descriptor, events in self._epoll.poll(0):
                line = numbers.get(descriptor)
                if line is None:
                    self._accept(now)
                elif self._lines.get(line.number) is line:
                    self._serve(line, now, is_gone=bool(events & _GONE))
        found, self._told = self._told[:RECEIVE_LIMIT], self._told[RECEIVE_LIMIT:]
        return found

    def next_deadline_ns(self) -> int | None:
        """Return when to call, to lose patience, or to go on with what is already here."""
        deadlines = [
            line.since_ns + PATIENCE_NS
            for line in self._lines.values()
            if line.phase is not Phase.OPEN
        ]
        if self._wants_call:
            deadlines.append(self._call_ns)
        if self._told or any(line.has_more for line in self._lines.values()):
            deadlines.append(0)
        return min(deadlines, default=None)

    def expire(self, now: Instant) -> None:
        """Call if it is time, and end what takes too long."""
        for line in list(self._lines.values()):
            if line.phase is not Phase.OPEN and now.mono_ns >= line.since_ns + PATIENCE_NS:
                self._end(line, now, "no answer")
            elif line.has_more:
                self._read(line, now)
        if self._wants_call and now.mono_ns >= self._call_ns:
            self._begin_call(now)

    def take_trouble(self) -> str | None:
        """Return what began to fail since the last call."""
        return self._trouble.take()

    def close(self) -> None:
        """Close everything."""
        for line in self._lines.values():
            line.close()
        if self._listener is not None:
            self._listener.close()
        self._epoll.close()

    # Orders ---------------------------------------------------------------------------------

    def _obey(self, order: Order, number: int, content: bytes, now: Instant) -> None:
        if order in {Order.CALL, Order.REST}:
            self._may_call = order is Order.CALL
            self._call_ns, self._pause_ns = now.mono_ns, CALL_FIRST_NS
            return
        line = self._lines.get(number)
        if line is None or line.phase is Phase.LEAVING:
            return  # it ended, and the engine has not heard of it yet
        if order is Order.WRITE:
            line.write(content)
        elif order is Order.SECURE:
            line.is_secure_wanted = True
        elif order is Order.KEEP:
            line.is_kept = True
        elif order is Order.HANG_UP:
            line.since_ns = now.mono_ns
            line.leave()
        else:
            line.is_on_hold = order is Order.HOLD
        self._flush(line, now)

    # Lines ----------------------------------------------------------------------------------

    @property
    def _wants_call(self) -> bool:
        lines = self._lines.values()
        calls = self._may_call and self._call is not None
        return calls and not any(line.is_caller for line in lines)

    def _begin_call(self, now: Instant) -> None:
        assert self._call is not None
        family, place = self._call
        self._call_ns = now.mono_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, CALL_LAST_NS)
        number = self._next_number()
        if number is None:
            return
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        code = connection.connect_ex(place)
        if code not in {0, errno.EINPROGRESS}:
            connection.close()
            self._trouble.begins(f"call to {self._call_name}: {os.strerror(code)}; trying again")
            return
        self._add(TcpLine(connection, number=number, is_caller=True, now_ns=now.mono_ns))

    def _accept(self, now: Instant) -> None:
        """Take in those who call, a few at a time."""
        assert self._listener is not None
        for _ in range(MAX_LINES):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # nobody waits, or the caller has gone already
            self._welcome(connection, now)

    def _welcome(self, connection: socket.socket, now: Instant) -> None:
        connection.setblocking(False)
        number = self._next_number()
        if number is None:
            self._give_way(now)
            number = self._next_number()
        if number is None:
            connection.close()
            return
        self._add(TcpLine(connection, number=number, is_caller=False, now_ns=now.mono_ns))
        self._told.append(pack(Told.ANSWERED, number))

    def _give_way(self, now: Instant) -> None:
        """End an answered line: one without a session, else the one that was silent longest.

        A stranger who calls and calls does not get the peer's line; the peer that calls again
        gets the place of the line that it has lost.
        """
        answered = [line for line in self._lines.values() if not line.is_caller]
        if answered:
            self._end(min(answered, key=lambda line: (line.is_kept, line.heard_ns)), now, "")

    def _next_number(self) -> int | None:
        if len(self._lines) >= MAX_LINES:
            return None
        while True:
            self._number = self._number % 255 + 1
            if self._number not in self._lines:
                return self._number

    def _add(self, line: TcpLine) -> None:
        self._lines[line.number] = line
        self._watched[line.number] = line.events()
        self._epoll.register(line.fileno(), line.events())

    def _serve(self, line: TcpLine, now: Instant, *, is_gone: bool) -> None:
        """Do what a line is ready for."""
        try:
            if line.phase is Phase.CONNECTING:
                line.finish_connecting()
                self._trouble.over()
                self._told.append(pack(Told.CALLED, line.number))
            elif line.phase is Phase.SECURING:
                self._shake_hands(line)
            elif is_gone or not line.is_on_hold:
                self._read(line, now)
        except OSError as error:
            self._end(line, now, _reason(error))
        if line.number in self._lines:
            self._flush(line, now)

    def _read(self, line: TcpLine, now: Instant) -> None:
        try:
            data = line.read()
        except OSError as error:
            self._end(line, now, _reason(error))
            return
        if data == b"":
            self._end(line, now, "")
        elif data is not None and line.phase is not Phase.LEAVING:
            line.heard_ns = now.mono_ns
            self._told.append(pack(Told.HEARD, line.number, data))

    def _shake_hands(self, line: TcpLine) -> None:
        if not line.shake_hands():
            return
        try:
            self._told.append(secured(line.number, line.peer_node_ids()))
        except WireError as error:
            raise OSError(str(error)) from error

    def _flush(self, line: TcpLine, now: Instant) -> None:
        try:
            written = line.flush()
            if written:
                self._told.append(wrote(line.number, written))
            if line.may_secure:
                if self._security is None:
                    raise OSError("TLS was agreed, and there is no [ports.tls]")
                line.secure(self._security)
                line.since_ns = now.mono_ns
                self._shake_hands(line)
        except OSError as error:
            self._end(line, now, _reason(error))
            return
        if self._watched[line.number] != line.events():
            self._watched[line.number] = line.events()
            self._epoll.modify(line.fileno(), line.events())

    def _end(self, line: TcpLine, now: Instant, why: str) -> None:
        """Forget a line; the engine hears of it unless it hung up itself."""
        self._epoll.unregister(line.fileno())
        line.close()
        del self._lines[line.number], self._watched[line.number]
        if line.phase not in {Phase.LEAVING, Phase.CONNECTING}:
            self._told.append(pack(Told.ENDED, line.number))
        if line.is_caller:
            if now.mono_ns - line.born_ns > PATIENCE_NS:
                self._pause_ns = CALL_FIRST_NS  # it was good for something
            self._call_ns = max(self._call_ns, now.mono_ns + CALL_FIRST_NS)
        if why and line.phase is not Phase.LEAVING:
            name = f"call to {self._call_name}" if line.is_caller else "line from a caller"
            self._trouble.begins(
                f"{name}: {why}; trying again" if line.is_caller else f"{name}: {why}"
            )


def _listen(address: str) -> socket.socket:
    family, place = resolve(address, socket.SOCK_STREAM)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(place)
        listener.listen(MAX_LINES)
    except OSError as error:
        listener.close()
        raise PortError(
            f"tcp {address}: {error.strerror}; stop the other program or choose another address"
        ) from error
    return listener


def _reason(error: OSError) -> str:
    """Return the plain reason, also of what OpenSSL says in words of its own."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return reason.lower().replace("_", " ")
    return os.strerror(error.errno) if error.errno else str(error)
