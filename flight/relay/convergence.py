"""Which engine carries a link, and what a node asks of any of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import LtpCounts, LtpEvent
from flight.relay.ltp.segment import SessionId
from flight.relay.plain import PlainEngine
from flight.relay.settings import Layer, LinkSettings
from flight.relay.stream.engine import StreamEngine
from flight.relay.stream.identity import Identity
from flight.relay.stream.mtcp import MtcpSession
from flight.relay.stream.session import Session
from flight.relay.stream.tcpcl3 import Tcpcl3Session
from flight.relay.stream.tcpcl4 import Tcpcl4Session


class ConvergenceEngine(Protocol):
    """An Engine whose events are LtpEvent, and that takes blocks and contacts; see LtpEngine."""

    def set_contact(
        self,
        is_open: bool,
        *,
        rate_bytes_s: int = 0,
        one_way_ns: int = 0,
        ends_mono_ns: int | None = None,
        return_rate_bytes_s: int | None = None,
        now: Instant,
    ) -> None:
        """Suspend or resume: no bundle leaves while there is no contact."""
        ...

    def has_room(self, priority: int) -> bool:
        """Say whether ``send_block`` would take a block of this priority now."""
        ...

    def send_block(self, block: bytes, *, key: int, priority: int, now: Instant) -> bool:
        """Begin to send a block; BlockDelivered or BlockFailed tells its end."""
        ...

    def cancel_block(self, key: int, now: Instant) -> None:
        """Give up a block if that is still possible; BlockFailed follows then."""
        ...

    def accept(self, session: SessionId, now: Instant) -> None:
        """Let the sender know that a received block is durable here."""
        ...

    def refuse(self, session: SessionId, reason: int, now: Instant) -> None:
        """Let the sender know that a received block is not wanted."""
        ...

    def receive(self, datagram: bytes, now: Instant) -> None:
        """Take in one datagram. Raise WireError if the peer breaks the protocol."""
        ...

    def expire(self, now: Instant) -> None:
        """Act on every deadline that ``now`` has reached."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return when to call expire."""
        ...

    def take_datagrams(self) -> tuple[bytes, ...]:
        """Return, and forget, what the port is to have, in order."""
        ...

    def take_events(self) -> tuple[LtpEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        ...

    def counts(self) -> LtpCounts:
        """Return the totals, for telemetry."""
        ...


def make_engine(link: LinkSettings, node: int, *, seed: int) -> ConvergenceEngine:
    """Return the engine of one link of a node; 0 or nothing for an id stands for its number."""
    if link.layer is Layer.LTP:
        ltp = link.ltp
        engine_id = ltp.engine_id or node
        peer_id = ltp.peer_engine_id or link.peer_node
        settings = replace(ltp, engine_id=engine_id, peer_engine_id=peer_id)
        return LtpEngine(settings, seed=seed)
    if link.layer is Layer.UDP:
        return PlainEngine(link.udp)
    return StreamEngine(link.tcp, _session_maker(link, node))


def _session_maker(link: LinkSettings, node: int) -> Callable[[bool, int, int], Session]:
    tcp = link.tcp
    own, peer = tcp.node_id or f"ipn:{node}.0", tcp.peer_id or f"ipn:{link.peer_node}.0"
    who = Identity(own, peer, tcp.certificate_id)

    def make(is_caller: bool, answer_ns: int, now_ns: int) -> Session:
        if link.layer is Layer.MTCP:
            return MtcpSession(tcp)
        if link.layer is Layer.TCPCL3:
            return Tcpcl3Session(tcp, who, answer_ns=answer_ns, now_ns=now_ns)
        return Tcpcl4Session(tcp, who, is_caller=is_caller, answer_ns=answer_ns, now_ns=now_ns)

    return make
