"""From the links to the store: a block is accepted once all its bundles are durable here."""

from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.bpsec import SecurityPolicy, accept_bundle, check_bundle
from flight.relay.bundle import (
    Admission,
    Bundle,
    BundleFlag,
    Reason,
    admit_bundle,
    encode_bundle,
    read_bundles,
)
from flight.relay.endpoint import EndpointId, Scheme
from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockReceived
from flight.relay.ltp.segment import Reason as LtpReason
from flight.relay.ltp.segment import SessionId
from flight.relay.node.chooser import Chooser
from flight.relay.node.desk import Desk
from flight.relay.node.keeper import Wish
from flight.relay.node.labels import ADMINISTRATIVE_SERVICE, LOWEST_PRIORITY, priority_of
from flight.relay.node.names import placed
from flight.relay.node.span import Span
from flight.relay.node.values import BlockRefused, BundleRejected
from flight.relay.status import Status


@dataclass(slots=True)
class Arrival:
    """A received block of which bundles are being stored."""

    link: int
    session: SessionId
    missing: int
    """Bundles whose commit is awaited."""
    is_refused: bool = False


@dataclass(slots=True)
class Inbound:
    """Takes blocks apart and follows their bundles until the commit."""

    desk: Desk
    spans: list[Span]
    chooser: Chooser
    security: SecurityPolicy
    open_services: set[int] = field(default_factory=set)
    """Services of processes beside the node, delivered here for as long as these listen."""
    _block: int = 0
    _arrivals: dict[int, Arrival] = field(default_factory=dict)

    def take(self, link: int, event: BlockReceived, now: Instant) -> None:
        """Ask the store for every bundle in a block; refuse the block if that cannot be."""
        try:
            is_checked = not self.spans[link].settings.takes_unchecked
            bundles = read_bundles(event.block, is_checked=is_checked)
        except WireError:
            # Damaged on the way, or made wrong: the peer may send it again, in another session.
            self.desk.tally.malformed += 1
            self._refuse(Arrival(link, event.session, 0), now, malformed=True)
            return
        arrival = Arrival(link, event.session, 0)
        self._block += 1
        if len(self._arrivals) < self.desk.settings.inbound_limit:
            for bundle in bundles:
                self._keep(arrival, bundle, event.block if len(bundles) == 1 else b"", now)
        else:
            arrival.is_refused = True
        if arrival.missing:
            self._arrivals[self._block] = arrival
        else:
            self._conclude(arrival, now)

    def settle(self, wish: Wish, now: Instant, *, is_refused: bool) -> None:
        """Note one bundle's fate; after the last of its block, accept the block or refuse it."""
        arrival = self._arrivals[wish.block]
        arrival.missing -= 1
        arrival.is_refused |= is_refused
        if not arrival.missing:
            self._conclude(self._arrivals.pop(wish.block), now)

    def is_for_here(self, destination: EndpointId) -> bool:
        """Whether a bundle has reached its node."""
        node = self.desk.settings.node_number
        return destination.scheme == Scheme.IPN and destination.node == node

    def _keep(self, arrival: Arrival, bundle: Bundle, alone: bytes, now: Instant) -> None:
        admission = admit_bundle(bundle)
        for unread in () if bundle.is_administrative else admission.reports:
            self._report(Status.RECEIVED, bundle, unread, now, asked=BundleFlag.REPORT_RECEPTION)
        kept, reason = self._admit(bundle, admission)
        if kept is None:
            self._reject(arrival.link, bundle, reason, now)
            return
        # What came alone and unchanged is kept as it came.
        data = alone if alone and kept is bundle else encode_bundle(kept)
        peer = self.spans[arrival.link].settings.peer_node
        wish = Wish(kept, data, now, block=self._block, came_from=peer)
        if self.desk.keeper.put(wish, priority=self._priority_of(kept), now=now):
            arrival.missing += 1
        else:
            arrival.is_refused = True

    def _priority_of(self, bundle: Bundle) -> int:
        """Return what a bundle's destination means; what has no way at all is the first to go.

        Otherwise a neighbour that floods a relay with bundles for nowhere would fill its store.
        """
        destination = placed(self.desk.settings, bundle.primary.destination)
        return (
            priority_of(destination) if self.chooser.leads_to(destination.node) else LOWEST_PRIORITY
        )

    def _conclude(self, arrival: Arrival, now: Instant) -> None:
        if arrival.is_refused:
            self._refuse(arrival, now, malformed=False)
        else:
            self.spans[arrival.link].engine.accept(arrival.session, now)

    def _refuse(self, arrival: Arrival, now: Instant, *, malformed: bool) -> None:
        self.desk.tally.blocks_refused += 1
        self.desk.events.append(BlockRefused(arrival.link, malformed=malformed))
        # What was made wrong is unwanted; what only found no room may come again.
        reason = LtpReason.USER if malformed else LtpReason.SYSTEM
        self.spans[arrival.link].engine.refuse(arrival.session, reason, now)

    def _reject(self, link: int, bundle: Bundle, reason: Reason, now: Instant) -> None:
        self.desk.tally.rejected += 1
        self.desk.events.append(BundleRejected(link, bundle.id, reason))
        self._report(Status.DELETED, bundle, reason, now)

    def _report(
        self, status: Status, bundle: Bundle, reason: Reason, now: Instant, *, asked: int = 0
    ) -> None:
        """Report on a bundle that asks for it, or one of whose blocks does."""
        primary = bundle.primary
        self.desk.clerk.report(
            bundle.id,
            status,
            flags=bundle.reports_wanted | asked | primary.flags & BundleFlag.STATUS_TIME,
            report_to=primary.report_to,
            now=now,
            reason=reason,
        )

    def _admit(self, bundle: Bundle, admission: Admission) -> tuple[Bundle | None, Reason]:
        if admission.bundle is None:
            return None, Reason.BLOCK_UNINTELLIGIBLE
        destination = placed(self.desk.settings, bundle.primary.destination)
        if not self.is_for_here(destination):
            refusal = check_bundle(bundle, self.security)
            return (admission.bundle, Reason.NONE) if refusal is None else (None, refusal)
        services = (
            *self.desk.settings.services,
            *self.open_services,
            self.desk.settings.echo_service,
            ADMINISTRATIVE_SERVICE,
        )
        if destination.service not in services:
            return None, Reason.DESTINATION_UNAVAILABLE
        opened = accept_bundle(bundle, self.security)
        if isinstance(opened, Reason):
            return None, opened
        return admission.bundle, Reason.NONE
