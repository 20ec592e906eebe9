"""What comes before the first transfer of a TCPCLv4 session (RFC 9174 sections 4.2 to 4.7).

Contact headers, TLS if both want it, and a SESS_INIT from either side; who called goes first.
"""

from collections.abc import Callable
from typing import NoReturn

from flight.relay.errors import WireError
from flight.relay.stream.identity import Identity
from flight.relay.stream.settings import TcpSettings, Tls
from flight.relay.stream.standing import Standing, State
from flight.relay.stream.tcpcl4emission import Emission
from flight.relay.stream.tcpcl4wire import (
    CAN_TLS,
    CONTACT_BYTES,
    MAGIC,
    VERSION,
    Ending,
    Init,
    Message,
    Term,
    write_contact,
)


class Handshake:
    """Leads a session from its first byte to ESTABLISHED."""

    __slots__ = ("_emission", "_is_caller", "_say", "_settings", "_standing", "_vouched", "_who")

    def __init__(
        self,
        settings: TcpSettings,
        who: Identity,
        *,
        is_caller: bool,
        standing: Standing,
        emission: Emission,
        say: Callable[[Message], None],
    ) -> None:
        """Begin: who called speaks first."""
        self._settings = settings
        self._who = who
        self._is_caller = is_caller
        self._standing = standing
        self._emission = emission
        self._say = say
        self._vouched: tuple[str, ...] | None = None
        if is_caller:
            self._send_contact()

    def greet(self, heard: bytearray, at: int) -> int | None:
        """Take in the peer's contact header; return the place after it, None: wait.

        Raises:
            WireError: it is none, of another version, or without the TLS that is required.
        """
        header = bytes(heard[at : at + CONTACT_BYTES])
        if header[: len(MAGIC)] != MAGIC[: len(header)]:
            raise WireError("no TCPCL contact header")
        if len(header) < CONTACT_BYTES:
            return None
        if not self._is_caller:
            self._send_contact()
        if header[4] != VERSION:
            # Section 4.3: say so in our version's words, then close.
            self._say(Term(is_reply=False, reason=Ending.VERSION_MISMATCH))
            raise WireError(f"TCPCL version {header[4]}")
        tls = self._settings.tls
        is_secure = bool(header[5] & CAN_TLS) and tls is not Tls.NEVER
        if tls is Tls.REQUIRED and not is_secure:
            self._fail("the peer cannot do TLS, which is required")
        if is_secure:
            self._standing.go(State.SECURING)
        else:
            self._join()
        return at + CONTACT_BYTES

    def secured(self, node_ids: tuple[str, ...]) -> None:
        """Go on: TLS is up, and the peer's certificate holds these node ids.

        Raises:
            WireError: nobody asked for TLS.
        """
        if self._standing.state is not State.SECURING:
            raise WireError("TLS where none was agreed")
        self._vouched = node_ids
        self._join()

    def on_init(self, init: Init) -> None:
        """Take in the peer's SESS_INIT: transfers may begin.

        Raises:
            WireError: it is not from whom it should be, or asks for what is not done here.
        """
        complaint = self._who.complaint(init.node_id, self._vouched)
        if complaint is not None:
            self._fail(complaint)
        if any(item.is_critical for item in init.items) or not init.segment_mru:
            self._fail("the peer wants an extension, or no segments")
        if not self._is_caller:
            self._introduce()
        own = self._settings.segment_bytes or self._settings.block_bytes_max
        self._emission.outgoing.segment = min(own, init.segment_mru)
        self._emission.transfer_mru = init.transfer_mru
        self._standing.vigil.established(min(self._settings.keepalive_s, init.keepalive_s))
        self._standing.go(State.ESTABLISHED)

    def _join(self) -> None:
        self._standing.go(State.JOINING)
        if self._is_caller:
            self._introduce()

    def _introduce(self) -> None:
        settings = self._settings
        self._say(
            Init(
                settings.keepalive_s,
                settings.segment_mru_bytes,
                settings.block_bytes_max,
                self._who.own,
            )
        )

    def _send_contact(self) -> None:
        can_tls = self._settings.tls is not Tls.NEVER
        self._emission.outgoing.say(write_contact(can_tls=can_tls))

    def _fail(self, what: str) -> NoReturn:
        self._say(Term(is_reply=False, reason=Ending.CONTACT_FAILURE))
        raise WireError(what)
