"""What an operator may set on one LTP span."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class LtpSettings:
    """One span: this engine, the engine across, and the limits of their sessions."""

    engine_id: int = 0
    """Ours. In a node 0 stands for its node number, by custom."""

    peer_engine_id: int = 0
    """Theirs; in a node 0 stands for the neighbour's node number. Segments of sessions between
    other engines are counted and dropped."""

    client_service: int = 1
    """Section 3.2.1: 1 is bundles."""

    segment_bytes: int = 1400
    """Longest segment sent, header included. 1,024 on a serial line, 256 on a noisy one."""

    frame_bytes: int = 0
    """What a datagram costs on the line beside itself; pacing reckons with it. 28 with UDP and
    IPv4 on the line itself, 13 for uart frames of 1,024 bytes."""

    block_bytes_max: int = 4 << 20
    """Longest block sent or taken in. Blocks of 64 to 100 kB use a lossy link best."""

    aggregate_bytes: int = 0
    """The node may put bundles together up to this size into a block. 0: one bundle a block, all
    that HDTN takes."""

    send_sessions_max: int = 4096
    """Sessions under way. To fill the link: rate x (round trip + margin) x rounds / block."""

    send_bytes_max: int = 64 << 20
    """Blocks under way, together. Beyond it send_block says no."""

    ahead_ms: int = 1000
    """Blocks not yet begun may be worth this much time on the line, or two, whichever is more;
    what waits behind them waits in the store, where priorities still count."""

    receive_sessions_max: int = 4096
    """Blocks of which a part is here. Beyond it, those that were silent longest are forgotten."""

    receive_bytes_max: int = 64 << 20
    """Parts of blocks held, and whole ones not yet accepted. Beyond it, likewise."""

    closed_sessions_max: int = 16384
    """Finished sessions remembered, so that a late segment does not open one again."""

    control_segments_max: int = 8192
    """Reports, acknowledgements and cancels waiting for the line. Beyond it new ones are dropped:
    each is repeated by whoever needs it."""

    burst_segments: int = 64
    """Most datagrams handed out at once."""

    catch_up_ms: int = 50
    """A loop that wakes late may make up for this much line time at once; it then waits in the
    port. Where priority 0 must never wait behind more than one segment, take less than a
    segment's time: 10 at 921,600 baud; at 115,200 this is less."""

    margin_ms: int = 200
    """Added to two light times and the segments' own time on the line: the peer's store and its
    queue."""

    repeats_max: int = 3
    """Most copies of a small checkpoint or report before its timer matters. How many are sent
    follows from the loss seen."""

    reorder_ms: int = 0
    """How long a report with gaps waits for segments that were overtaken. 0 on a link in order."""

    attempts_max: int = 20
    """Sendings of one checkpoint, report or cancel before the session ends without an answer."""

    session_life_s: int = 3600
    """Most time of open contact that a session may take."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        low = [f.name for f in fields(self) if getattr(self, f.name) < 0]
        if low:
            raise ValueError(f"{low[0]} must be 0 or more")
        if not 64 <= self.segment_bytes <= 65_507:
            raise ValueError(f"segment_bytes {self.segment_bytes} is not within 64 to 65,507")
        if not (0 <= self.engine_id < 1 << 64 and 0 <= self.peer_engine_id < 1 << 64):
            raise ValueError("engine ids are numbers of up to 64 bits")
