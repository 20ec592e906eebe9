"""What the store's results mean for the node."""

from dataclasses import dataclass

from flight.instant import Instant
from flight.relay.node.deliveries import Deliveries
from flight.relay.node.desk import Desk
from flight.relay.node.inbound import Inbound
from flight.relay.node.labels import read_identity, read_label
from flight.relay.node.queues import UNDECIDED, Held, Stage
from flight.relay.node.values import Buried, SendRefused, Stored, StoreTrouble
from flight.relay.status import Status
from flight.relay.store import values as stored
from flight.relay.store.values import Entry, Kind


@dataclass(slots=True)
class Outcomes:
    """Lines up what has become durable, answers for what has not, forgets what has gone."""

    desk: Desk
    inbound: Inbound
    deliveries: Deliveries

    def settle(self, result: stored.Result, now: Instant) -> None:
        """Act on one result."""
        if isinstance(result, stored.Stored):
            self._on_stored(result, now)
        elif isinstance(result, stored.Duplicate | stored.Refused):
            self._on_not_stored(result, now)
        elif isinstance(result, stored.Buried):
            self._on_buried(result, now)
        elif isinstance(result, stored.Report):
            self.desk.events.append(StoreTrouble(result.trouble, result.count))
        elif isinstance(result, stored.Missing):
            # Its medium has failed: what it holds waits there until it works again.
            self.desk.forget(result.sequence)
        elif isinstance(result, stored.Found) and not self.desk.is_held(result.entry.sequence):
            self.take_up(result.entry, now)

    def _on_stored(self, result: stored.Stored, now: Instant) -> None:
        asked = self.desk.keeper.take_asked(result.ticket)
        if asked is None:
            return
        wish, bundle_id, label = asked
        if wish.ticket and result.entry.sequence in self.desk.queues.held:
            # Made again under its name after a restart, and here already.
            self.desk.events.append(Stored(wish.ticket, bundle_id))
            return
        held = Held(result.entry, bundle_id, label, wish.since, Stage.QUEUED)
        self._line_up(held, now)
        self.desk.keeper.hold(result.entry.sequence, wish.data if label.is_plain else wish.bundle)
        if wish.ticket:
            self.desk.tally.sent += 1
            self.desk.events.append(Stored(wish.ticket, bundle_id))
        elif wish.block:
            self.desk.tally.received += 1
            self.desk.report(held, Status.RECEIVED, now)
            self.inbound.settle(wish, now, is_refused=False)
        else:
            self.desk.clerk.settle(result.entry.sequence)

    def _on_not_stored(self, result: stored.Duplicate | stored.Refused, now: Instant) -> None:
        asked = self.desk.keeper.take_asked(result.ticket)
        if asked is None:
            return
        wish = asked.wish
        is_refused = isinstance(result, stored.Refused)
        self.desk.tally.duplicates += not is_refused
        if wish.ticket:
            self.desk.events.append(SendRefused(wish.ticket))
        elif wish.block:
            self.inbound.settle(wish, now, is_refused=is_refused)
        else:
            self.desk.clerk.settle(None)

    def _on_buried(self, result: stored.Buried, now: Instant) -> None:
        ids = []
        for sequence in result.sequences:
            held = self.desk.queues.held.get(sequence)
            if held is not None:
                ids.append(held.bundle_id)
                self.desk.clerk.report_burial(ids[-1], result.reason, label=held.label, now=now)
                self.desk.queues.has_void_promises |= held.link != UNDECIDED
                self.desk.forget(sequence)
        self.desk.tally.buried += len(result.sequences)
        self.desk.events.append(Buried(result.reason, tuple(ids)))
        if result.tombstone is not None:
            self.desk.clerk.bury(result.tombstone)

    def take_up(self, entry: Entry, now: Instant) -> None:
        """Take over what the store held at start, a bundle or a tombstone."""
        if entry.kind == Kind.TOMBSTONE:
            self.desk.clerk.bury(entry)
            return
        name, label = read_identity(entry.identity), read_label(entry.label)
        self._line_up(Held(entry, name, label, now, Stage.QUEUED), now)

    def _line_up(self, held: Held, now: Instant) -> None:
        """Let a bundle wait for its link, or for its service here."""
        is_here = self.inbound.is_for_here(held.label.destination)
        held.stage = Stage.FOR_HERE if is_here else Stage.QUEUED
        self.desk.queues.add(held, now)
        if is_here:
            self.deliveries.add(held)
