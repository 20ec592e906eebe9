"""From the links to the store: a block is accepted once all its bundles are durable here."""

from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.bpsec import SecurityPolicy, accept_bundle, check_bundle
from flight.relay.bundle import Bundle, Reason, admit_bundle, encode_bundle, read_bundles
from flight.relay.endpoint import EndpointId, Scheme
from flight.relay.errors import WireError
from flight.relay.ltp.segment import SessionId
from flight.relay.node.keeper import Keeper, Wish
from flight.relay.node.labels import priority_of
from flight.relay.settings import NodeSettings

ADMINISTRATIVE_SERVICE = 0


@dataclass(slots=True)
class Arrival:
    """A received block of which bundles are being stored."""

    link: int
    session: SessionId
    missing: int
    """Bundles whose commit is awaited."""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A bundle that must not be kept."""

    bundle: Bundle
    reason: Reason


@dataclass(slots=True)
class Inbound:
    """Takes blocks apart and follows them until their commit."""

    settings: NodeSettings
    keeper: Keeper
    security: SecurityPolicy
    _block: int = 0
    _arrivals: dict[int, Arrival] = field(default_factory=dict)

    def is_for_here(self, destination: EndpointId) -> bool:
        """Whether a bundle has reached its node."""
        return destination.scheme == Scheme.IPN and destination.node == self.settings.node_number

    def take(
        self, link: int, session: SessionId, block: bytes, now: Instant
    ) -> tuple[Arrival, list[Rejection]]:
        """Ask the store for every bundle in a block; return what is awaited, what is rejected.

        Raises:
            WireError: the block holds anything but whole, sound bundles.
        """
        bundles = read_bundles(block)
        arrival = Arrival(link, session, 0)
        rejected: list[Rejection] = []
        if len(self._arrivals) >= self.settings.inbound_limit:
            arrival.is_refused = True
            return arrival, rejected
        self._block += 1
        for bundle in bundles:
            kept, reason = self._admit(bundle)
            if kept is None:
                rejected.append(Rejection(bundle, reason))
                continue
            # What came alone and unchanged is kept as it came.
            data = block if kept is bundle and len(bundles) == 1 else encode_bundle(kept)
            wish = Wish(kept, data, now, block=self._block)
            if self.keeper.put(wish, priority=priority_of(kept.primary.destination), now=now):
                arrival.missing += 1
            else:
                arrival.is_refused = True
        if arrival.missing:
            self._arrivals[self._block] = arrival
        return arrival, rejected

    def settle(self, wish: Wish, *, is_refused: bool) -> Arrival | None:
        """Note one bundle's fate; return its block's arrival when that was the last."""
        arrival = self._arrivals[wish.block]
        arrival.missing -= 1
        arrival.is_refused |= is_refused
        if arrival.missing:
            return None
        return self._arrivals.pop(wish.block)

    def _admit(self, bundle: Bundle) -> tuple[Bundle | None, Reason]:
        admission = admit_bundle(bundle)
        if admission.bundle is None:
            return None, Reason.BLOCK_UNINTELLIGIBLE
        destination = bundle.primary.destination
        if not self.is_for_here(destination):
            refusal = check_bundle(bundle, self.security)
            return (admission.bundle, Reason.NONE) if refusal is None else (None, refusal)
        services = (*self.settings.services, self.settings.echo_service, ADMINISTRATIVE_SERVICE)
        if destination.service not in services:
            return None, Reason.DESTINATION_UNAVAILABLE
        opened = accept_bundle(bundle, self.security)
        if isinstance(opened, Reason):
            return None, opened
        return admission.bundle, Reason.NONE


def read_kept(data: bytes) -> Bundle | None:
    """Return a bundle from the store's bytes; None: they are sound bytes but no bundle."""
    try:
        (bundle,) = read_bundles(data)
    except WireError:
        return None
    return bundle
