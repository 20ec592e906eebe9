"""What an LTP engine tells its node."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from flight.relay.ltp.segment import SessionId


class BlockReceived(NamedTuple):
    """The whole red part of a block is here, in memory only.

    The sender learns it when the node calls ``accept``, and not before.
    """

    session: SessionId
    client_service: int
    block: bytes


class GreenReceived(NamedTuple):
    """A piece of a block's green part as it came: pieces may be missing, doubled, in any order."""

    session: SessionId
    client_service: int
    offset: int
    data: bytes
    is_end: bool


class BlockDelivered(NamedTuple):
    """The peer has accepted all red data; of a block without any, all data have left."""

    key: int


class BlockFailed(NamedTuple):
    """The session of this block ended without that; ``reason`` is a Reason or the peer's number."""

    key: int
    reason: int


class ReceptionFailed(NamedTuple):
    """A block will not come, or not under this session."""

    session: SessionId
    reason: int


LtpEvent: TypeAlias = BlockReceived | GreenReceived | BlockDelivered | BlockFailed | ReceptionFailed


@dataclass(frozen=True, slots=True)
class LtpCounts:
    """Totals since the engine was made, for telemetry."""

    datagrams_sent: int
    bytes_sent: int
    datagrams_received: int
    blocks_delivered: int
    blocks_failed: int
    blocks_received: int
    segments_repeated: int
    """Data segments sent again."""
    segments_foreign: int
    """Dropped: of sessions between other engines."""
    segments_refused: int
    """Dropped: a limit was reached."""
    receptions_evicted: int
    """Blocks in part forgotten for newer ones: a limit was reached."""
    send_sessions: int
    receive_sessions: int
    loss_ppm: int
    """Share of segments lost lately, estimated, in millionths."""
