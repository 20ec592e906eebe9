r"""A DTN node: bundles in, bundles out, and between the two they are in the store.

    receive -> inbound -> store -> queues     -> outbound -> links
                                -> deliveries -> a service here

Custody by agreement of layers: LTP claims a block only after its bundles are committed here, and
a bundle is deleted only after the next node's LTP has claimed it. Whatever dies in between, one
of the two has it; if both have it, the receiver knows its identity.
"""

from collections.abc import Callable
from hashlib import blake2b
from os import urandom

from flight.instant import Instant
from flight.relay.bpsec import SecurityPolicy, protect_bundle
from flight.relay.bundle import encode_bundle
from flight.relay.contacts import ContactPlan
from flight.relay.endpoint import NONE, EndpointId
from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockDelivered, BlockFailed, BlockReceived
from flight.relay.ltp.segment import Reason as LtpReason
from flight.relay.node.clerk import Clerk
from flight.relay.node.deliveries import Deliveries, Whole
from flight.relay.node.inbound import ADMINISTRATIVE_SERVICE, Arrival, Inbound
from flight.relay.node.keeper import Keeper, Wish
from flight.relay.node.labels import read_identity, read_label
from flight.relay.node.maker import Maker, first_number
from flight.relay.node.outbound import Outbound
from flight.relay.node.queues import Held, Queues, Stage
from flight.relay.node.span import Span
from flight.relay.node.tally import Tally, describe
from flight.relay.node.values import (
    BlockRefused,
    BundleRejected,
    Buried,
    ContactChanged,
    Delivery,
    Forwarded,
    NodeEvent,
    NodeStatus,
    ReportReceived,
    SendRefused,
    Stored,
    StoreTrouble,
)
from flight.relay.routing import Router
from flight.relay.settings import NodeSettings
from flight.relay.status import Status, read_status_report
from flight.relay.store import Store
from flight.relay.store import values as stored
from flight.relay.store.values import Entry, Kind, Reason

_NS_PER_S = 1_000_000_000


class Node:
    """Sans-I/O apart from the store it is given; called by one thread."""

    def __init__(
        self,
        settings: NodeSettings,
        store: Store,
        plan: ContactPlan,
        now: Instant,
        seed: int,
        *,
        security: SecurityPolicy | None = None,
        random_bytes: Callable[[int], bytes] = urandom,
    ) -> None:
        """Take up what the store holds. ``seed`` may be constant: boots are mixed into it."""
        self.settings = settings
        self._security = security or SecurityPolicy()
        self._random_bytes = random_bytes
        self._now = now
        self._plan = plan
        self._events: list[NodeEvent] = []
        self._out: list[Delivery] = []
        self._ticket = self._scrub_ns = 0
        self._tally = Tally()
        self._queues = Queues()
        self._keeper = Keeper(
            store, cache_bytes=settings.cache_bytes, fetch_limit=settings.fetch_limit
        )
        first = first_number(store.created, boots=store.boots, seed=seed)
        self._maker = Maker(settings, first)
        self._clerk = Clerk(settings, self._keeper, self._maker)
        self._inbound = Inbound(settings, self._keeper, self._security)
        self._deliveries = Deliveries(settings, self._keeper, self._queues, self._security)
        self._spans = [
            Span(link, settings.node_number, seed=_mix(seed, store.boots, index))
            for index, link in enumerate(settings.links)
        ]
        router = Router(plan, node=settings.node_number)
        self._outbound = Outbound(settings, self._spans, router, self._queues, self._keeper)
        for entry in store.load():
            if entry.kind == Kind.TOMBSTONE:
                self._clerk.bury(entry)
            else:
                self._take_up(entry, now)
        self.replace_plan(plan, now)

    def send(
        self,
        payload: bytes,
        *,
        destination: EndpointId,
        priority: int,
        lifetime_ms: int,
        now: Instant,
        source_service: int | None = None,
        report_to: EndpointId = NONE,
        flags: int = 0,
    ) -> int:
        """Make a bundle and return a ticket.

        It comes back in Stored once the bundle is durable, or in SendRefused when it found no
        room. The priority orders it here; for the next nodes the destination's service says it.
        """
        self._ticket += 1
        bundle = self._maker.make(
            payload,
            source_service=source_service or self.settings.source_service,
            destination=destination,
            lifetime_ms=lifetime_ms,
            now=now,
            report_to=report_to,
            flags=flags,
        )
        bundle = protect_bundle(
            bundle, self._security, node=bundle.primary.source, random_bytes=self._random_bytes
        )
        wish = Wish(bundle, encode_bundle(bundle), now, ticket=self._ticket)
        if not self._keeper.put(wish, priority=priority, now=now):
            self._events.append(SendRefused(self._ticket))
        return self._ticket

    def receive(self, link: int, datagram: bytes, now: Instant) -> None:
        """Take in one datagram from a link.

        Raises:
            WireError: it breaks the protocol; nothing has changed.
        """
        self._now = now
        self._spans[link].engine.receive(datagram, now)
        self._serve(link, now)

    def expire(self, now: Instant) -> None:
        """Act on every deadline: contacts, timers, lifetimes, the scrub."""
        if bool(now.dtn_ms) != bool(self._now.dtn_ms):
            self._outbound.forget_routes()
            self._follow_plan(now)
        self._now = now
        for span in self._spans:
            if span.is_due(now):
                self._follow_plan(now)
                break
        self._queues.wake(now)
        for held in self._queues.take_expired(now):
            self._expire(held, now)
        self._deliveries.expire(now)
        if self.settings.scrub_interval_s and now.mono_ns >= self._scrub_ns:
            self._scrub_ns = now.mono_ns + self.settings.scrub_interval_s * _NS_PER_S
            self._keeper.scrub(self.settings.scrub_entries)
            self._queues.tidy()
        for link, span in enumerate(self._spans):
            span.engine.expire(now)
            self._serve(link, now)
        self._settle(now)

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to call expire."""
        deadlines = [span.next_deadline_ns() for span in self._spans]
        deadlines += [self._queues.next_deadline_ns(self._now), self._deliveries.next_deadline_ns()]
        if self.settings.scrub_interval_s:
            deadlines.append(self._scrub_ns)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def take_datagrams(self) -> tuple[tuple[int, bytes], ...]:
        """Return, and forget, (link, datagram) pairs to be sent now, in order."""
        return tuple(
            (link, datagram)
            for link, span in enumerate(self._spans)
            for datagram in span.engine.take_datagrams()
        )

    def take_events(self) -> tuple[NodeEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        events, self._events = tuple(self._events), []
        return events

    def take_deliveries(self) -> tuple[Delivery, ...]:
        """Return, and forget, payloads for services here; each waits for its release."""
        deliveries, self._out = tuple(self._out), []
        return deliveries

    def release(self, delivery: Delivery, now: Instant) -> None:
        """Let a delivery go: its consumer has it for good. Unreleased ones come again at start."""
        for sequence in delivery.sequences:
            held = self._queues.held.get(sequence)
            if held is not None:
                self._report(held, Status.DELIVERED, now)
        self._tally.delivered += 1
        self._deliveries.release(delivery.sequences)
        self._delete(delivery.sequences, Reason.DONE)
        self._settle(now)

    def drop(self, sequence: int) -> None:
        """Give a bundle up on an operator's word; a tombstone names it."""
        if sequence in self._queues.held:
            self._keeper.delete((sequence,), Reason.DROPPED)

    def store_ready(self, now: Instant) -> None:
        """Take the store's results; call it when the store's descriptor is readable."""
        for result in self._keeper.take_done():
            self._on_result(result, now)
        self._settle(now)

    def replace_plan(self, plan: ContactPlan, now: Instant) -> None:
        """Follow another contact plan from now on."""
        self._plan = plan
        self._outbound.router.replace_plan(plan)
        self._outbound.forget_routes()
        self._follow_plan(now)
        self._settle(now)

    def status(self, now: Instant) -> NodeStatus:
        """Return the counters, for telemetry."""
        return describe(self._tally, self._queues, self._spans, self._keeper.store, now)

    def bundles(self) -> tuple[Held, ...]:
        """Return every bundle in the store, for the operators' view; not to be changed."""
        return tuple(self._queues.held.values())

    def _follow_plan(self, now: Instant) -> None:
        for link, span in enumerate(self._spans):
            if span.follow(self._plan, now):
                self._events.append(ContactChanged(link, span.is_open))
                self._outbound.forget_routes()
            if not span.is_open and span.is_over(self._plan, now):
                self._outbound.recall(link, now)

    def _serve(self, link: int, now: Instant) -> None:
        """Act on what a link's engine has to tell."""
        engine = self._spans[link].engine
        for event in engine.take_events():
            if isinstance(event, BlockReceived):
                self._on_block(link, event, now)
            elif isinstance(event, BlockDelivered):
                self._on_delivered(link, event.key, now)
            elif isinstance(event, BlockFailed):
                self._outbound.failed(link, event.key, now)

    def _on_block(self, link: int, event: BlockReceived, now: Instant) -> None:
        try:
            arrival, rejected = self._inbound.take(link, event.session, event.block, now)
        except WireError:
            # Damaged on the way, or made wrong: the peer may send it again, in another session.
            self._tally.malformed += 1
            self._spans[link].engine.refuse(event.session, LtpReason.SYSTEM, now)
            self._events.append(BlockRefused(link, malformed=True))
            return
        for rejection in rejected:
            bundle = rejection.bundle
            self._tally.rejected += 1
            self._events.append(BundleRejected(link, bundle.id, rejection.reason))
            self._clerk.report(
                bundle.id,
                Status.DELETED,
                flags=bundle.reports_wanted,
                report_to=bundle.primary.report_to,
                now=now,
                reason=rejection.reason,
            )
        if not arrival.missing:
            self._conclude(arrival, now)

    def _conclude(self, arrival: Arrival, now: Instant) -> None:
        engine = self._spans[arrival.link].engine
        if arrival.is_refused:
            self._tally.blocks_refused += 1
            engine.refuse(arrival.session, LtpReason.SYSTEM, now)
            self._events.append(BlockRefused(arrival.link, malformed=False))
        else:
            engine.accept(arrival.session, now)

    def _on_delivered(self, link: int, key: int, now: Instant) -> None:
        gone = self._outbound.delivered(link, key)
        if not gone:
            return
        for held in gone:
            self._report(held, Status.FORWARDED, now)
        self._tally.forwarded += len(gone)
        ids = tuple(read_identity(held.entry.identity) for held in gone)
        self._events.append(Forwarded(link, ids))
        self._delete(tuple(held.entry.sequence for held in gone), Reason.DONE)

    def _on_result(self, result: stored.Result, now: Instant) -> None:
        if isinstance(result, stored.Stored):
            self._on_stored(result, now)
        elif isinstance(result, stored.Duplicate | stored.Refused):
            self._on_not_stored(result, now)
        elif isinstance(result, stored.Buried):
            self._on_buried(result, now)
        elif isinstance(result, stored.Report):
            self._events.append(StoreTrouble(result.trouble, result.count))
        elif isinstance(result, stored.Missing):
            # Its medium has failed: what it holds waits there for a restart.
            self._forget(result.sequence)

    def _on_stored(self, result: stored.Stored, now: Instant) -> None:
        wish = self._keeper.wish(result.ticket)
        if wish is None:
            return
        held = self._take_up(result.entry, wish.since)
        self._keeper.hold(result.entry.sequence, wish.data)
        if wish.ticket:
            self._tally.sent += 1
            self._events.append(Stored(wish.ticket, wish.bundle.id))
        elif wish.block:
            self._tally.received += 1
            self._report(held, Status.RECEIVED, now)
            self._settle_arrival(wish, now, is_refused=False)
        else:
            self._clerk.settle(result.entry.sequence)

    def _on_not_stored(self, result: stored.Duplicate | stored.Refused, now: Instant) -> None:
        wish = self._keeper.wish(result.ticket)
        if wish is None:
            return
        is_refused = isinstance(result, stored.Refused)
        self._tally.duplicates += not is_refused
        if wish.ticket:
            self._events.append(SendRefused(wish.ticket))
        elif wish.block:
            self._settle_arrival(wish, now, is_refused=is_refused)
        else:
            self._clerk.settle(None)

    def _settle_arrival(self, wish: Wish, now: Instant, *, is_refused: bool) -> None:
        arrival = self._inbound.settle(wish, is_refused=is_refused)
        if arrival is not None:
            self._conclude(arrival, now)

    def _on_buried(self, result: stored.Buried, now: Instant) -> None:
        ids = []
        for sequence in result.sequences:
            held = self._queues.held.get(sequence)
            if held is not None:
                ids.append(read_identity(held.entry.identity))
                self._clerk.report_burial(ids[-1], result.reason, label=held.label, now=now)
                self._forget(sequence)
        self._tally.buried += len(result.sequences)
        self._events.append(Buried(result.reason, tuple(ids)))
        if result.tombstone is not None:
            self._clerk.bury(result.tombstone)

    def _take_up(self, entry: Entry, since: Instant) -> Held:
        label = read_label(entry.label)
        is_here = self._inbound.is_for_here(label.destination)
        held = Held(entry, label, since, Stage.FOR_HERE if is_here else Stage.QUEUED)
        self._queues.add(held, self._now)
        if is_here:
            self._deliveries.add(held)
        return held

    def _expire(self, held: Held, now: Instant) -> None:
        sequence = held.entry.sequence
        if held.stage is Stage.SENDING:
            # It may be there already; what its block's end says decides.
            for link in range(len(self._spans)):
                self._outbound.recall(link, now, sequence)
        elif sequence not in self._deliveries.outstanding:
            self._keeper.delete((sequence,), Reason.EXPIRED)

    def _settle(self, now: Instant) -> None:
        """Let everything that may have become possible happen."""
        self._clerk.send_tombstones(now)
        for whole in self._deliveries.take(now):
            self._hand_out(whole, now)
        for sequences, reason in self._deliveries.take_given_up():
            self._keeper.delete(sequences, reason)
        for link in range(len(self._spans)):
            self._outbound.pump(link, now)
            self._serve(link, now)
        for held, reason in self._outbound.take_given_up():
            self._keeper.delete((held.entry.sequence,), reason)

    def _hand_out(self, whole: Whole, now: Instant) -> None:
        primary = whole.bundle.primary
        service = primary.destination.service
        if service == ADMINISTRATIVE_SERVICE or service == self.settings.echo_service != 0:
            self._answer(whole, now)
            self._deliveries.release(whole.sequences)
            self._delete(whole.sequences, Reason.DONE)
            return
        self._out.append(
            Delivery(
                payload=whole.bundle.payload,
                source=primary.source,
                destination=primary.destination,
                bundle_id=whole.bundle.id,
                priority=whole.held.entry.priority,
                received=whole.held.since,
                sequences=whole.sequences,
            )
        )

    def _answer(self, whole: Whole, now: Instant) -> None:
        if whole.bundle.primary.destination.service == self.settings.echo_service:
            self._clerk.echo(whole, now)
            return
        try:
            report = read_status_report(whole.bundle.payload)
        except WireError:
            self._tally.malformed += 1
            return
        self._events.append(ReportReceived(report))

    def _report(self, held: Held, status: Status, now: Instant) -> None:
        self._clerk.report(
            read_identity(held.entry.identity),
            status,
            flags=held.label.flags,
            report_to=held.label.report_to,
            now=now,
        )

    def _delete(self, sequences: tuple[int, ...], reason: Reason) -> None:
        for sequence in sequences:
            self._forget(sequence)
        self._keeper.delete(sequences, reason)

    def _forget(self, sequence: int) -> None:
        self._queues.held.pop(sequence, None)
        self._keeper.let_go(sequence)
        self._clerk.forget(sequence)


def _mix(seed: int, boots: int, index: int) -> int:
    """Return a seed that no other boot and no other link has."""
    name = f"{seed} {boots} {index}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
