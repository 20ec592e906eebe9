r"""A DTN node: bundles in, bundles out, and between the two they are in the store.

    receive -> inbound -> store -> queues     -> outbound -> links
                                -> deliveries -> a service here

Custody by agreement of layers: LTP claims a block only after its bundles are committed here, and
a bundle is deleted only after the next node's LTP has claimed it. Whatever dies in between, one
of the two has it; if both have it, the receiver knows its identity.
"""

from collections.abc import Callable
from os import urandom

from flight.instant import Instant
from flight.relay.bpsec import SecurityPolicy, protect_bundle
from flight.relay.bundle import encode_bundle
from flight.relay.contacts import ContactPlan
from flight.relay.endpoint import NONE, EndpointId
from flight.relay.ltp.events import BlockDelivered, BlockFailed, BlockReceived
from flight.relay.node.chooser import Chooser
from flight.relay.node.clerk import Clerk
from flight.relay.node.deliveries import Deliveries, Whole
from flight.relay.node.desk import Desk
from flight.relay.node.inbound import Inbound
from flight.relay.node.keeper import Keeper, Wish
from flight.relay.node.labels import ADMINISTRATIVE_SERVICE
from flight.relay.node.maker import Maker, first_number
from flight.relay.node.outbound import Outbound
from flight.relay.node.outcomes import Outcomes
from flight.relay.node.queues import Held, Queues, Stage
from flight.relay.node.span import Span, mix_seed
from flight.relay.node.tally import describe
from flight.relay.node.values import (
    ContactChanged,
    Delivery,
    NodeEvent,
    NodeStatus,
    SendRefused,
)
from flight.relay.routing import Router
from flight.relay.settings import NodeSettings
from flight.relay.status import Status
from flight.relay.store import Store
from flight.relay.store.values import Reason

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
        self._out: list[Delivery] = []
        self._ticket = self._scrub_ns = 0
        keeper = Keeper(store, settings)
        first = first_number(store.created, boots=store.boots, seed=seed)
        self._maker = Maker(settings, first)
        clerk = Clerk(settings, keeper, self._maker)
        self._desk = Desk(settings, Queues(), keeper, clerk)
        self._spans = [
            Span(link, settings.node_number, seed=mix_seed(seed, store.boots, index))
            for index, link in enumerate(settings.links)
        ]
        self._chooser = Chooser(
            self._desk.queues, self._spans, Router(plan, node=settings.node_number)
        )
        self._inbound = Inbound(self._desk, self._spans, self._chooser, self._security)
        self._outbound = Outbound(self._desk, self._spans, self._chooser)
        self._deliveries = Deliveries(self._desk, self._security)
        self._outcomes = Outcomes(self._desk, self._inbound, self._deliveries)
        for entry in store.load():
            self._outcomes.take_up(entry, now)
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
        name: tuple[int, int] | None = None,
    ) -> int:
        """Make a bundle and return a ticket.

        It comes back in Stored once the bundle is durable, or in SendRefused when it found no
        room. The priority orders it here; for the next nodes the destination's service says it.

        ``name``, (creation time in DTN milliseconds, sequence), makes it one and the same bundle
        however often it is sent: whoever has it already takes it for a duplicate. Its source
        service must then be used for nothing else.
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
            name=name,
        )
        bundle = protect_bundle(
            bundle, self._security, node=bundle.primary.source, random_bytes=self._random_bytes
        )
        wish = Wish(
            bundle, encode_bundle(bundle), now, ticket=self._ticket, is_counted=name is None
        )
        if not self._desk.keeper.put(wish, priority=priority, now=now):
            self._desk.events.append(SendRefused(self._ticket))
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
            self._chooser.forget(now)
            self._follow_plan(now)
        self._now = now
        for span in self._spans:
            if span.is_due(now):
                self._follow_plan(now)
                break
        self._desk.queues.wake(now)
        for held in self._desk.queues.take_expired(now):
            self._expire(held, now)
        self._deliveries.expire(now)
        if self.settings.scrub_interval_s and now.mono_ns >= self._scrub_ns:
            self._scrub_ns = now.mono_ns + self.settings.scrub_interval_s * _NS_PER_S
            self._desk.keeper.scrub(self.settings.scrub_entries)
            if self._desk.queues.has_void_promises:
                self._chooser.forget(now)
            self._desk.queues.tidy()
            self._chooser.tidy()
        for link, span in enumerate(self._spans):
            span.engine.expire(now)
            self._serve(link, now)
        self._settle(now)

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to call expire."""
        deadlines = [span.next_deadline_ns() for span in self._spans]
        deadlines.append(self._desk.queues.next_deadline_ns(self._now))
        deadlines.append(self._deliveries.next_deadline_ns())
        if self.settings.scrub_interval_s:
            deadlines.append(self._scrub_ns)
        if self._chooser.is_behind or self._desk.keeper.is_owing:
            deadlines.append(self._now.mono_ns)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def take_datagrams(self) -> tuple[tuple[int, bytes], ...]:
        """Return, and forget, (link, datagram) pairs to be sent now; the store hears what went."""
        self._desk.keeper.flush()
        return tuple(
            (link, datagram)
            for link, span in enumerate(self._spans)
            for datagram in span.engine.take_datagrams()
        )

    def take_events(self) -> tuple[NodeEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        events = tuple(self._desk.events)
        self._desk.events.clear()
        return events

    def take_deliveries(self) -> tuple[Delivery, ...]:
        """Return, and forget, payloads for services here; each waits for its release."""
        deliveries, self._out = tuple(self._out), []
        return deliveries

    def release(self, delivery: Delivery, now: Instant) -> None:
        """Let a delivery go: its consumer has it for good. Unreleased ones come again at start."""
        for sequence in delivery.sequences:
            held = self._desk.queues.held.get(sequence)
            if held is not None:
                self._desk.report(held, Status.DELIVERED, now)
        self._desk.tally.delivered += 1
        self._deliveries.release(delivery.sequences)
        self._desk.finish(delivery.sequences)
        if self._deliveries.are_waiting:
            self._settle(now)

    def open_service(self, service: int) -> None:
        """Deliver bundles for a service, which is in no settings, from now on.

        Raises:
            ValueError: the node needs this number itself.
        """
        if service in {ADMINISTRATIVE_SERVICE, self.settings.echo_service}:
            raise ValueError(f"service {service} is the node's own")
        self._inbound.open_services.add(service)

    def close_service(self, service: int) -> None:
        """Refuse bundles for a service that was opened."""
        self._inbound.open_services.discard(service)

    def drop(self, sequence: int) -> None:
        """Give a bundle up on an operator's word; a tombstone names it."""
        if sequence in self._desk.queues.held:
            self._desk.keeper.delete((sequence,), Reason.DROPPED)

    def store_ready(self, now: Instant) -> None:
        """Take the store's results; call it when the store's descriptor is readable."""
        for result in self._desk.keeper.take_done():
            self._outcomes.settle(result, now)
        self._settle(now)

    def replace_plan(self, plan: ContactPlan, now: Instant) -> None:
        """Follow another contact plan from now on."""
        self._plan = plan
        self._chooser.router.replace_plan(plan)
        self._chooser.forget(now)
        self._follow_plan(now)
        self._settle(now)

    def status(self, now: Instant) -> NodeStatus:
        """Return the counters, for telemetry."""
        desk = self._desk
        return describe(desk.tally, desk.queues, self._spans, desk.keeper.store, now)

    def bundles(self) -> tuple[Held, ...]:
        """Return every bundle in the store, for the operators' view; not to be changed."""
        return tuple(self._desk.queues.held.values())

    def _follow_plan(self, now: Instant) -> None:
        for link, span in enumerate(self._spans):
            if span.follow(self._plan, now):
                self._desk.events.append(ContactChanged(link, span.is_open))
                self._chooser.forget(now)
            if not span.is_open and span.is_over(self._plan, now):
                self._outbound.recall(link, now)

    def _serve(self, link: int, now: Instant) -> None:
        """Act on what a link's engine has to tell."""
        engine = self._spans[link].engine
        for event in engine.take_events():
            if isinstance(event, BlockReceived):
                self._inbound.take(link, event, now)
            elif isinstance(event, BlockDelivered):
                self._outbound.delivered(link, event.key, now)
            elif isinstance(event, BlockFailed):
                self._outbound.failed(link, event.key, now)

    def _expire(self, held: Held, now: Instant) -> None:
        sequence = held.entry.sequence
        if held.stage is Stage.SENDING:
            # It may be there already; what its block's end says decides.
            for link in range(len(self._spans)):
                self._outbound.recall(link, now, sequence)
        elif sequence not in self._deliveries.outstanding:
            self._desk.keeper.delete((sequence,), Reason.EXPIRED)

    def _settle(self, now: Instant) -> None:
        """Let everything that may have become possible happen."""
        self._desk.clerk.send_tombstones(now)
        for whole in self._deliveries.take(now):
            self._hand_out(whole, now)
        self._chooser.decide(now)
        for link in range(len(self._spans)):
            self._outbound.pump(link, now)
            self._serve(link, now)
        self._desk.keeper.flush()

    def _hand_out(self, whole: Whole, now: Instant) -> None:
        service = whole.held.label.destination.service
        if service in {ADMINISTRATIVE_SERVICE, self.settings.echo_service or None}:
            self._desk.answer(whole.bundle, service, now)
            if service not in self.settings.services:
                self._desk.report(whole.held, Status.DELIVERED, now)
                self._deliveries.release(whole.sequences)
                self._desk.finish(whole.sequences)
                return
        self._out.append(whole.delivery())
