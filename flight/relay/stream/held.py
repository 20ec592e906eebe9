"""What an engine holds of each line, and what it counts."""

from dataclasses import dataclass

from flight.relay.ltp.events import LtpCounts
from flight.relay.stream.session import Session


@dataclass(slots=True)
class Held:
    """One line."""

    serial: int
    """Of all lines of this engine: a port uses its numbers again."""
    is_caller: bool
    session: Session
    unwritten: int = 0
    written: int = 0
    is_on_hold: bool = False
    is_kept: bool = False
    """Whether the port knows that a session stands."""


@dataclass(slots=True)
class Totals:
    """Since the engine was made."""

    datagrams_sent: int = 0
    bytes_sent: int = 0
    datagrams_received: int = 0
    delivered: int = 0
    failed: int = 0
    received: int = 0
    repeated: int = 0
    refused: int = 0

    def counts(self, *, sending: int, receiving: int) -> LtpCounts:
        """Return them as every engine tells them; TCP repeats and loses nothing that we see."""
        return LtpCounts(
            datagrams_sent=self.datagrams_sent,
            bytes_sent=self.bytes_sent,
            datagrams_received=self.datagrams_received,
            blocks_delivered=self.delivered,
            blocks_failed=self.failed,
            blocks_received=self.received,
            segments_repeated=self.repeated,
            segments_foreign=0,
            segments_refused=self.refused,
            receptions_evicted=0,
            send_sessions=sending,
            receive_sessions=receiving,
            loss_ppm=0,
        )
