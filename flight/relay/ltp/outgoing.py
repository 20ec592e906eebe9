"""A block cut into segments, and what is known of each: the bookkeeping of one sending session.

The segments of a block are built once, when the session begins, and sent from that list, first
and again. Their cuts and headers depend on the sizes only, so a table keeps them for all blocks.

A checkpoint is cut small (``_CHECKPOINT_BYTES`` of data) when it ends several segments: it can
then be said two or three times, and repeated by its timer, at no cost worth naming.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from flight.relay.ltp.segment import SegmentType, SessionId, sdnv
from flight.relay.ltp.timers import Retry

_CHECKPOINT_BYTES = 32
_SEVERAL = 4


class Cutter:
    """Where blocks are cut, and the header fields that follow from it, for one header length."""

    __slots__ = ("_header_bytes", "_segment_bytes", "starts", "tails")

    def __init__(self, header_bytes: int, segment_bytes: int) -> None:
        self._header_bytes = header_bytes
        self._segment_bytes = segment_bytes
        self.starts = [0]
        self.tails: list[bytes] = []

    def reach(self, block_bytes: int) -> None:
        """Extend the table to blocks of this length."""
        while self.starts[-1] < block_bytes:
            start = self.starts[-1]
            room = self._segment_bytes - self._header_bytes - len(sdnv(start))
            size = room - len(sdnv(room))
            self.tails.append(sdnv(start) + sdnv(size))
            self.starts.append(start + size)


class OutgoingBlock:
    """The segments of one block: which are claimed, and in which round each went last.

    A round is a run of segments that ends with a checkpoint; its number is the checkpoint's
    serial number less the first one's. A report that answers round r says nothing of a segment
    that was sent again after r.
    """

    __slots__ = (
        "_capacity",
        "_green",
        "_head",
        "_sent",
        "_serial",
        "_starts",
        "at",
        "claimed",
        "marks",
        "queue",
        "red_bytes",
        "rounds",
        "segments",
        "unclaimed",
    )

    def __init__(
        self,
        session: SessionId,
        client_service: int,
        block: bytes,
        *,
        red_bytes: int,
        segment_bytes: int,
        first_serial: int,
        cutters: dict[int, Cutter],
    ) -> None:
        head = sdnv(session.engine) + sdnv(session.number) + b"\x00" + sdnv(client_service)
        header_bytes = 1 + len(head)
        cutter = cutters.get(header_bytes)
        if cutter is None:
            cutter = cutters[header_bytes] = Cutter(header_bytes, segment_bytes)
        cutter.reach(len(block))
        self._head = head
        self._serial = first_serial
        self._capacity = segment_bytes - header_bytes - 20  # the longest fields of a checkpoint
        self.red_bytes = red_bytes
        self.queue: list[bytes] = []
        """Segments waiting to leave, from position ``at`` on."""
        self.at = 0
        self.marks: deque[tuple[int, Retry]] = deque()
        """(position in the queue, its Retry) of each checkpoint there."""
        self.rounds = 0
        self._cut_red(block, cutter)
        self._green = self._cut_green(block, cutter)
        self.claimed = bytearray(len(self.segments))
        self.unclaimed = len(self.segments)
        self._sent = [0] * len(self.segments)

    def _cut_red(self, block: bytes, cutter: Cutter) -> None:
        starts, red_bytes = cutter.starts, self.red_bytes
        whole = bisect_right(starts, red_bytes) - 1
        prefix = b"\x00" + self._head
        self.segments = [
            prefix + tail + block[start:end]
            for tail, start, end in zip(cutter.tails, starts, starts[1 : whole + 1], strict=False)
        ]
        self._starts = starts[: whole + 1]
        if self._starts[-1] < red_bytes:
            self.segments.append(self._build(block[starts[whole] : red_bytes], starts[whole]))
            self._starts.append(red_bytes)

    def _cut_green(self, block: bytes, cutter: Cutter) -> list[bytes]:
        size = cutter.starts[1] - 4 if len(cutter.starts) > 1 else 1  # longer offsets fit too
        edges = [*range(self.red_bytes, len(block), max(size, 1)), len(block)]
        segments = []
        for start, end in pairwise(edges):
            kind = SegmentType.GREEN_BLOCK_END if end == len(block) else SegmentType.GREEN
            fields = sdnv(start) + sdnv(end - start)
            segments.append(bytes((kind,)) + self._head + fields + block[start:end])
        return segments

    def _build(self, data: bytes, start: int) -> bytes:
        return b"\x00" + self._head + sdnv(start) + sdnv(len(data)) + data

    def _data(self, index: int) -> bytes:
        size = self._starts[index + 1] - self._starts[index]
        return self.segments[index][-size:]

    def queue_all(self) -> None:
        """Queue the whole block, once, for the first time."""
        if self.red_bytes:
            self._cut_for_checkpoint(len(self.segments) - 1, len(self.segments))
            self.queue = self.segments[:-1]

    def queue_green(self) -> None:
        """Queue the green part behind the red."""
        self.queue += self._green

    def take_checkpoint(self, index: int, report: int) -> tuple[int, bytes]:
        """Return serial number and segment of a new round's checkpoint; open the round."""
        serial = self._serial + self.rounds
        self._sent[index] = self.rounds
        self.rounds += 1
        start, end = self._starts[index], self._starts[index + 1]
        kind = SegmentType.RED_CHECKPOINT
        if end == self.red_bytes:
            kind = SegmentType.RED_END if self._green else SegmentType.RED_BLOCK_END
        fields = sdnv(start) + sdnv(end - start) + sdnv(serial) + sdnv(report)
        return serial, bytes((kind,)) + self._head + fields + self._data(index)

    def last_index(self) -> int:
        """Return the index of the last red segment."""
        return len(self.segments) - 1

    def round_of(self, checkpoint: int) -> int | None:
        """Return the round that this checkpoint ended, or None if there was none such."""
        number = checkpoint - self._serial
        return number if 0 <= number < self.rounds else None

    def claim(self, lower: int, upper: int, claims: Sequence[tuple[int, int]]) -> None:
        """Believe a report: within its scope exactly its claims are there.

        What an earlier report claimed and this one does not is there no more: the receiver was
        restarted, and a union over its two lives would look like a whole block.
        """
        starts, claimed = self._starts, self.claimed
        if lower == 0 and claims and claims[0] == (0, self.red_bytes):
            self.claimed = bytearray(b"\x01" * len(claimed))
            self.unclaimed = 0
            return
        first = bisect_right(starts, lower - 1)  # the first segment that starts in scope
        last = bisect_right(starts, upper) - 1  # the first one that ends beyond it
        for index in range(first, last):
            claimed[index] = 0
        for start, end in claims:
            for index in range(bisect_right(starts, start - 1), bisect_right(starts, end) - 1):
                claimed[index] = 1
        self.unclaimed = len(claimed) - sum(claimed)

    def missing(self, lower: int, upper: int, answered: int) -> list[int]:
        """Return the unclaimed segments in scope that are not on their way again already."""
        starts, sent = self._starts, self._sent
        first, last = bisect_right(starts, lower - 1), bisect_right(starts, upper) - 1
        return [i for i in range(first, last) if not self.claimed[i] and sent[i] <= answered]

    def last_unclaimed(self) -> int:
        """Return the index of the last segment not claimed."""
        return self.claimed.rindex(0)

    def queue_again(self, indexes: list[int]) -> int:
        """Queue these segments but the last, and return the index to make the checkpoint of."""
        last = self._cut_for_checkpoint(indexes[-1], len(indexes))
        again = indexes[:-1] if last == indexes[-1] else indexes
        for index in again:
            self._sent[index] = self.rounds
        self.queue += [self.segments[index] for index in again]
        return last

    def _cut_for_checkpoint(self, index: int, run: int) -> int:
        """Cut a small end off a segment if a checkpoint needs it; return that end's index."""
        start, end = self._starts[index], self._starts[index + 1]
        cut = end - _CHECKPOINT_BYTES
        if cut <= start or (run < _SEVERAL and end - start <= self._capacity):
            return index
        data = self._data(index)
        self.segments[index : index + 1] = [
            self._build(data[:-_CHECKPOINT_BYTES], start),
            self._build(data[-_CHECKPOINT_BYTES:], cut),
        ]
        self._starts.insert(index + 1, cut)
        self._sent.insert(index, self._sent[index])
        self.claimed.insert(index, self.claimed[index])
        self.unclaimed += 1 - self.claimed[index]
        return index + 1
