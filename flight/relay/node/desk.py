"""What the parts of a node share: the queues, the store, the clerk, counters and events."""

from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.bundle import Bundle
from flight.relay.errors import WireError
from flight.relay.node.clerk import Clerk
from flight.relay.node.keeper import Keeper
from flight.relay.node.queues import Held, Queues
from flight.relay.node.tally import Tally
from flight.relay.node.values import NodeEvent, ReportReceived
from flight.relay.settings import NodeSettings
from flight.relay.status import Status, read_status_report
from flight.relay.store.values import Reason


@dataclass(slots=True)
class Desk:
    """One place where a bundle is reported on, and let go of everywhere at once."""

    settings: NodeSettings
    queues: Queues
    keeper: Keeper
    clerk: Clerk
    tally: Tally = field(default_factory=Tally)
    events: list[NodeEvent] = field(default_factory=list)

    def report(self, held: Held, status: Status, now: Instant) -> None:
        """Write a status report if the bundle asks for it."""
        if held.label.flags:
            self.clerk.report(
                held.bundle_id,
                status,
                flags=held.label.flags,
                report_to=held.label.report_to,
                now=now,
            )

    def answer(self, bundle: Bundle, service: int, now: Instant) -> None:
        """Do what a bundle for the node itself asks: echo it, or tell its status report."""
        if service == self.settings.echo_service:
            self.clerk.echo(bundle, now)
            return
        try:
            report = read_status_report(bundle.payload)
        except WireError:
            self.tally.malformed += 1
            return
        self.events.append(ReportReceived(report, bundle.primary.source))

    def is_held(self, sequence: int) -> bool:
        """Whether a number of the store's is known here, as a bundle or as a tombstone."""
        return sequence in self.queues.held or self.clerk.is_burying(sequence)

    def finish(self, sequences: tuple[int, ...]) -> None:
        """Let bundles go that are in other hands now."""
        for sequence in sequences:
            self.forget(sequence)
        self.keeper.delete(sequences, Reason.DONE)

    def give_up(self, sequences: tuple[int, ...], reason: Reason) -> None:
        """Have the store bury bundles; Buried comes back and forgets them here."""
        self.keeper.delete(sequences, reason)

    def forget(self, sequence: int) -> None:
        """Forget a bundle that the store has let go."""
        self.queues.held.pop(sequence, None)
        self.keeper.let_go(sequence)
        self.clerk.forget(sequence)
