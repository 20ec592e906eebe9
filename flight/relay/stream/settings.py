"""What an operator may set on one link over TCP."""

from dataclasses import dataclass, fields
from enum import Enum


class Tls(Enum):
    """Whether a TCPCLv4 session is to be secured (RFC 9174 section 4.4)."""

    NEVER = "never"
    ALLOWED = "allowed"
    """If the peer can; somebody between the two can make it look as if it could not."""
    REQUIRED = "required"


class CertificateId(Enum):
    """Whether a certificate has to name the node that shows it (RFC 9174 section 4.4.1)."""

    IGNORED = "ignored"
    IF_PRESENT = "if-present"
    """A NODE-ID that is there has to be the peer's."""
    REQUIRED = "required"
    """There has to be one, too."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """One link over TCP: who is who, and the limits of what is under way."""

    node_id: str = ""
    """TCPCL: what this node says it is. Empty: ipn:NODE.0, as ION, HDTN and RFC 9174 want it."""

    peer_id: str = ""
    """TCPCL: what the peer has to say it is. Empty: ipn:PEER.0; "*": whatever it says."""

    keepalive_s: int = 15
    """TCPCL: longest silence; the smaller of both ends' holds, 0 at either end turns it off. A
    line on which nothing came for twice as long is given up."""

    segment_bytes: int = 65_536
    """TCPCL: longest segment sent; 0: each bundle whole in one. The peer's limit holds too, and
    a TCPCLv3 peer that acknowledges nothing (uD3TN) always gets bundles whole."""

    segment_mru_bytes: int = 4 << 20
    """TCPCLv4: longest segment taken in, as the peer is told."""

    block_bytes_max: int = 4 << 20
    """Longest bundle sent or taken in; TCPCLv4 tells the peer."""

    tls: Tls = Tls.NEVER
    """TCPCLv4: needs the files in [ports.tls]."""

    certificate_id: CertificateId = CertificateId.IF_PRESENT
    """TCPCLv4 with TLS: whether the peer's certificate has to hold the node id that it says it has:
    "ignored", "if-present" or "required"."""

    refusal_ends_session: bool = False
    """Whether to end the session after a refusal. For HDTN, which else waits for ever for the
    acknowledgement of what was refused."""

    answers_send: bool = True
    """Whether bundles also leave on a line that the peer called, while this node has called none.
    Over MTCP no, where the port calls: dtn7 and DTNME do not read on a line that they called."""

    send_blocks_max: int = 64
    """Bundles under way to the peer and not acknowledged."""

    send_bytes_max: int = 16 << 20
    """The same in bytes."""

    ahead_ms: int = 1000
    """Bundles not yet begun may be worth this much time on the line, or two, whichever is more;
    what waits behind them waits in the store, where priorities still count."""

    catch_up_ms: int = 50
    """A loop that wakes late may make up for this much line time at once."""

    port_bytes_max: int = 262_144
    """Bytes handed to the port and not yet taken by the kernel."""

    receive_blocks_max: int = 256
    """Bundles received and not yet durable here; beyond it the peer has to wait."""

    receive_bytes_max: int = 16 << 20
    """The same in bytes."""

    handshake_s: int = 10
    """Longest time from a line's begin to a session."""

    answer_s: int = 60
    """Longest wait for an acknowledgement, light time not counted, before the line is given up."""

    attempts_max: int = 3
    """Lines that a bundle may be lost with before the node is told that it failed."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        numbers = [f.name for f in fields(self) if f.name not in _OTHERS]
        low = [name for name in numbers if getattr(self, name) < (name not in _MAY_BE_ZERO)]
        if low:
            raise ValueError(f"{low[0]} is too small")
        if self.keepalive_s > 0xFFFF:
            raise ValueError("keepalive_s is at most 65535")


_OTHERS = {"node_id", "peer_id", "tls", "certificate_id", "refusal_ends_session", "answers_send"}
_MAY_BE_ZERO = {"keepalive_s", "segment_bytes", "catch_up_ms", "ahead_ms"}
