"""The transfers that come in on a TCPCLv4 session, and the answers that they get (RFC 9174 5.2).

Segments are acknowledged as they come, but the last one of a transfer only when its bundle is
durable here, and what came after it waits for that: HDTN takes acknowledgements only in the order
of its segments.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from flight.relay.errors import WireError
from flight.relay.stream.session import Arrived, SessionEvent
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.tcpcl4wire import (
    TRANSFER_LENGTH,
    Ack,
    Mark,
    Message,
    Refusal,
    Refuse,
    SegmentHead,
    transfer_length,
)

MAX_OWED = 16_384
"""Answers that wait; beyond it the peer sends segments of a size that only does harm."""


class _Owed(NamedTuple):
    """An answer to a segment; it waits for those before it."""

    answer: Ack | Refuse
    waits: bool
    """Whether it also waits for the bundle to be durable."""


class Reception:
    """One transfer at a time; several may wait for their acknowledgement."""

    __slots__ = (
        "_block",
        "_events",
        "_marks",
        "_number",
        "_owed",
        "_received",
        "_say",
        "_settings",
        "left",
    )

    def __init__(
        self, settings: TcpSettings, say: Callable[[Message], None], events: list[SessionEvent]
    ) -> None:
        self._settings = settings
        self._say = say
        self._events = events
        self._number: int | None = None
        """Of the transfer that comes in; None: none does."""
        self._block: bytearray | None = None
        """What has come of it; None: it is refused, and its bytes are dropped."""
        self._received = 0
        self._marks = Mark(0)
        self._owed: deque[_Owed] = deque()
        self.left = 0
        """Bytes of the segment under way that have not come yet."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing comes in and no answer is owed."""
        return self._number is None and not self._owed

    def begin(self, head: SegmentHead, *, is_ending: bool) -> None:
        """Take in the head of a segment.

        Raises:
            WireError: it is out of turn, or longer than the peer was told.
        """
        if head.size > self._settings.segment_mru_bytes:
            raise WireError(f"a segment of {head.size} bytes")
        if bool(head.marks & Mark.START) == (self._number is not None):
            raise WireError("a segment out of turn")
        if self._number is None:
            self._begin_transfer(head, is_ending=is_ending)
        elif head.number != self._number:
            raise WireError("a segment of another transfer")
        self._received += head.size
        if self._block is not None and self._received > self._settings.block_bytes_max:
            self._decline(head.number, Refusal.NO_RESOURCES)
        self._marks = head.marks
        self.left = head.size
        if not head.size:
            self._end_segment(head.number)

    def take(self, heard: bytearray, at: int) -> int | None:
        """Take data of the segment under way; return the place after them, None: there are none."""
        piece = heard[at : at + self.left]
        if not piece:
            return None
        if self._block is not None:
            self._block += piece
        self.left -= len(piece)
        if not self.left and self._number is not None:
            self._end_segment(self._number)
        return at + len(piece)

    def settle(self, number: int, refusal: Refusal | None) -> None:
        """Say what became of a bundle that arrived, and what waited behind it."""
        for index, owed in enumerate(self._owed):
            if owed.waits and owed.answer.number == number:
                answer = owed.answer if refusal is None else Refuse(refusal, number)
                self._owed[index] = _Owed(answer, waits=False)
                break
        self._answer()

    def _begin_transfer(self, head: SegmentHead, *, is_ending: bool) -> None:
        self._number, self._received, self._block = head.number, 0, bytearray()
        if is_ending:
            self._decline(head.number, Refusal.SESSION_TERMINATING)
        elif any(item.is_critical and item.type != TRANSFER_LENGTH for item in head.items):
            self._decline(head.number, Refusal.EXTENSION_FAILURE)
        elif (transfer_length(head.items) or 0) > self._settings.block_bytes_max:
            self._decline(head.number, Refusal.NO_RESOURCES)

    def _decline(self, number: int, reason: Refusal) -> None:
        self._block = None
        self._owe(Refuse(reason, number), waits=False)

    def _end_segment(self, number: int) -> None:
        is_end = bool(self._marks & Mark.END)
        block = self._block
        if is_end:
            self._number = self._block = None
        if block is None:
            return
        if is_end and not block:  # no bundle has no bytes
            self._owe(Refuse(Refusal.NOT_ACCEPTABLE, number), waits=False)
            return
        if is_end:
            self._events.append(Arrived(number, bytes(block)))
        self._owe(Ack(self._marks, number, len(block)), waits=is_end)

    def _owe(self, answer: Ack | Refuse, *, waits: bool) -> None:
        if len(self._owed) == MAX_OWED:
            raise WireError("more segments than can be answered")
        self._owed.append(_Owed(answer, waits))
        self._answer()

    def _answer(self) -> None:
        while self._owed and not self._owed[0].waits:
            self._say(self._owed.popleft().answer)
