"""The transfers that leave on a TCPCLv4 session, and what the peer says of them (RFC 9174 5.2)."""

from flight.relay.errors import WireError
from flight.relay.stream.outgoing import Outgoing, Transfer
from flight.relay.stream.session import Declined, SessionEvent, Taken
from flight.relay.stream.tcpcl4wire import (
    Ack,
    Mark,
    Refusal,
    Refuse,
    SegmentHead,
    length_item,
    write_message,
)


class Emission:
    """One transfer at a time; several may wait for the peer's word."""

    __slots__ = ("_count", "_events", "_sent", "outgoing", "transfer_mru")

    def __init__(self, events: list[SessionEvent]) -> None:
        self._events = events
        self._sent: dict[int, Transfer] = {}
        self._count = 0
        self.outgoing = Outgoing(_head)
        self.transfer_mru = 0
        """The longest bundle that the peer takes."""

    def begin(self, key: int, block: bytes) -> None:
        """Send a bundle, or decline it in the peer's place if it is too long."""
        if len(block) > self.transfer_mru:
            self._events.append(Declined(key, Refusal.NO_RESOURCES))
            return
        transfer = self._sent[self._count] = Transfer(key, self._count, block)
        self._count += 1
        self.outgoing.begin(transfer)

    def unfinished(self) -> list[int]:
        """Return the keys of the bundles whose fate is not known, the oldest first."""
        return [transfer.key for transfer in self._sent.values()]

    def on_ack(self, ack: Ack) -> None:
        """Take in an acknowledgement.

        Raises:
            WireError: it is of something that was not sent.
        """
        transfer = self._find(ack.number)
        if transfer is None:
            return
        if not transfer.acked < ack.length <= transfer.sent:
            raise WireError("an acknowledgement of what was not sent")
        transfer.acked = ack.length
        if ack.length == len(transfer.block):
            del self._sent[ack.number]
            self._events.append(Taken(transfer.key))

    def on_refuse(self, refuse: Refuse) -> None:
        """Take in a refusal; of a transfer under way no further segment leaves.

        Raises:
            WireError: it is of something that was not sent.
        """
        transfer = self._find(refuse.number)
        if transfer is None:
            return
        transfer.is_refused = True
        del self._sent[refuse.number]
        has = refuse.reason == Refusal.COMPLETED
        self._events.append(Taken(transfer.key) if has else Declined(transfer.key, refuse.reason))

    def _find(self, number: int) -> Transfer | None:
        """Return a transfer; None: its fate was known before."""
        if number >= self._count:
            raise WireError("an answer to what was not sent")
        return self._sent.get(number)


def _head(transfer: Transfer, size: int) -> bytes:
    whole = len(transfer.block)
    marks = Mark(0)
    if not transfer.sent:
        marks |= Mark.START
    if transfer.sent + size == whole:
        marks |= Mark.END
    # Section 5.2.5.1: the length is said where the first segment does not show it.
    items = (length_item(whole),) if marks == Mark.START else ()
    return write_message(SegmentHead(marks, transfer.number, size, items))
