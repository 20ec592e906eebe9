"""A block cut into segments, and what is known of each: the bookkeeping of one sending session.

All segments of a block are built at once, when the session begins. Their cuts, and the fields
that follow from them, are the same for all blocks, so a table keeps them.

A checkpoint is cut small (``_CHECKPOINT_BYTES`` of data) when it ends several segments: it can
then be said two or three times, and repeated by its timer, at no cost worth naming.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from flight.relay.ltp.segment import SegmentType, fields_and_length, sdnv
from flight.relay.ltp.timers import Retry

_CHECKPOINT_BYTES = 32
_SEVERAL = 4


class Cutter:
    """Where blocks are cut, and the header fields that follow from it, for one header length."""

    __slots__ = ("_room_bytes", "checkpoint_bytes", "green_bytes", "starts", "tails")

    def __init__(self, header_bytes: int, segment_bytes: int) -> None:
        self._room_bytes = segment_bytes - header_bytes
        self.checkpoint_bytes = self._room_bytes - 20
        """Data that fit beside the longest fields of a checkpoint."""
        self.green_bytes = self._room_bytes - 9
        """Data that fit beside any offset and length."""
        self.starts = [0]
        self.tails: list[bytes] = []
        """Offset and length of each segment, as they are written."""

    def reach(self, block_bytes: int) -> None:
        """Extend the table to blocks of this length."""
        while self.starts[-1] < block_bytes:
            start = self.starts[-1]
            fields, size = fields_and_length(start, self._room_bytes)
            self.tails.append(fields)
            self.starts.append(start + size)


class OutgoingBlock:
    """One block, cut: which pieces are claimed, and in which round each went last.

    A round is a run of segments that ends with a checkpoint; its number is the checkpoint's
    serial number less the first one's. A report that answers round r says nothing of a segment
    that was sent again after r.
    """

    __slots__ = (
        "_block",
        "_capacity",
        "_has_green",
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
        "unclaimed",
    )

    def __init__(
        self, head: bytes, block: bytes, *, red_bytes: int, first_serial: int, cutter: Cutter
    ) -> None:
        """Cut a block. ``head`` is what its segments have between control byte and offset."""
        self._head = head
        self._block = block
        self._has_green = red_bytes < len(block)
        self._serial = first_serial
        self._capacity = cutter.checkpoint_bytes
        self.red_bytes = red_bytes
        self.queue: list[bytes] = []
        """Segments waiting to leave, from position ``at`` on."""
        self.at = 0
        self.marks: deque[tuple[int, Retry]] = deque()
        """(position in the queue, its Retry) of each checkpoint there."""
        self.rounds = 0
        cutter.reach(len(block))
        whole = bisect_right(cutter.starts, red_bytes) - 1
        self._starts = cutter.starts[: whole + 1]
        if self._starts[-1] < red_bytes:
            self._starts.append(red_bytes)
        count = len(self._starts) - 1
        self._sent = [0] * count
        self.claimed = bytearray(count)
        self.unclaimed = count

    def __len__(self) -> int:
        return len(self.claimed)

    def queue_red(self, cutter: Cutter) -> int:
        """Queue the red part but its end; return the index to make the first checkpoint of."""
        last = self._cut_for_checkpoint(len(self) - 1, len(self))
        if not last:
            return last
        prefix, block, starts = b"\x00" + self._head, self._block, self._starts
        # All but the last two cuts are those of the table, with their fields ready made.
        ready = max(last - 1, 0)
        self.queue = [
            prefix + tail + block[start:end]
            for tail, start, end in zip(cutter.tails[:ready], starts, starts[1:], strict=False)
        ]
        self.queue += map(self._segment, range(ready, last))
        return last

    def queue_green(self, cutter: Cutter) -> None:
        """Queue the green part behind the red."""
        block, end = self._block, len(self._block)
        for start in range(self.red_bytes, end, cutter.green_bytes):
            data = block[start : start + cutter.green_bytes]
            is_end = start + len(data) == end
            kind = SegmentType.GREEN_BLOCK_END if is_end else SegmentType.GREEN
            fields = sdnv(start) + sdnv(len(data))
            self.queue.append(bytes((kind,)) + self._head + fields + data)

    def checkpoint(self, index: int, report: int) -> tuple[int, bytes]:
        """Return serial number and segment of a new round's checkpoint; open the round."""
        serial = self._serial + self.rounds
        self._sent[index] = self.rounds
        self.rounds += 1
        start, end = self._starts[index], self._starts[index + 1]
        kind = SegmentType.RED_CHECKPOINT
        if end == self.red_bytes:
            kind = SegmentType.RED_END if self._has_green else SegmentType.RED_BLOCK_END
        fields = sdnv(start) + sdnv(end - start) + sdnv(serial) + sdnv(report)
        return serial, bytes((kind,)) + self._head + fields + self._block[start:end]

    def round_of(self, checkpoint: int) -> int | None:
        """Return the round that this checkpoint ended, or None if there was none such."""
        number = checkpoint - self._serial
        return number if 0 <= number < self.rounds else None

    def claim(self, lower: int, upper: int, claims: Sequence[tuple[int, int]]) -> None:
        """Believe a report: within its scope exactly its claims are there.

        What an earlier report claimed and this one does not is there no more: the receiver was
        restarted, and a union over its two lives would look like a whole block.
        """
        if lower == 0 and claims and claims[0] == (0, self.red_bytes):
            self.unclaimed = 0
            return
        starts, claimed = self._starts, self.claimed
        for index in self._within(lower, upper):
            claimed[index] = 0
        for start, end in claims:
            for index in self._within(start, end):
                claimed[index] = 1
        self.unclaimed = len(starts) - 1 - sum(claimed)

    def missing(self, lower: int, upper: int, answered: int) -> list[int]:
        """Return the unclaimed segments in scope that are not on their way again already."""
        claimed, sent = self.claimed, self._sent
        return [i for i in self._within(lower, upper) if not claimed[i] and sent[i] <= answered]

    def last_unclaimed(self) -> int:
        """Return the index of the last segment not claimed."""
        return self.claimed.rindex(0)

    def queue_again(self, indexes: list[int]) -> int:
        """Queue these segments but the last, and return the index to make the checkpoint of."""
        last = self._cut_for_checkpoint(indexes[-1], len(indexes))
        again = indexes[:-1] if last == indexes[-1] else indexes
        for index in again:
            self._sent[index] = self.rounds
        self.queue += map(self._segment, again)
        return last

    def _within(self, lower: int, upper: int) -> range:
        """Return the indexes of the segments that lie wholly in this part of the block."""
        starts = self._starts
        return range(bisect_right(starts, lower - 1), bisect_right(starts, upper) - 1)

    def _segment(self, index: int) -> bytes:
        start, end = self._starts[index], self._starts[index + 1]
        return b"\x00" + self._head + sdnv(start) + sdnv(end - start) + self._block[start:end]

    def _cut_for_checkpoint(self, index: int, run: int) -> int:
        """Cut a small end off a segment if a checkpoint needs it; return that end's index."""
        start, end = self._starts[index], self._starts[index + 1]
        cut = end - _CHECKPOINT_BYTES
        if cut <= start or (run < _SEVERAL and end - start <= self._capacity):
            return index
        self._starts.insert(index + 1, cut)
        self._sent.insert(index, self._sent[index])
        self.claimed.insert(index, self.claimed[index])
        self.unclaimed += 1 - self.claimed[index]
        return index + 1
