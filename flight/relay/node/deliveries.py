"""Bundles for services of this node: held in the store until their consumer lets them go."""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from flight.instant import Instant
from flight.relay.bpsec import SecurityPolicy, accept_bundle
from flight.relay.bundle import Bundle, BundleId, Reassembler, read_bundle, remaining_ms
from flight.relay.bundle import Reason as BundleReason
from flight.relay.node.desk import Desk
from flight.relay.node.queues import Held, is_past
from flight.relay.node.values import Delivery
from flight.relay.store.values import Reason


class Whole(NamedTuple):
    """A bundle ready for its service."""

    bundle: Bundle
    held: Held
    """The bundle's, or its last fragment's."""
    sequences: tuple[int, ...]

    def delivery(self) -> Delivery:
        """Return it as its service gets it."""
        primary = self.bundle.primary
        return Delivery(
            payload=self.bundle.payload,
            source=primary.source,
            destination=self.held.label.destination,
            bundle_id=self.bundle.id,
            priority=self.held.entry.priority,
            received=self.held.since,
            sequences=self.sequences,
        )


@dataclass(slots=True)
class Deliveries:
    """Brings bundles to hand by priority and age, no more at a time than the limit."""

    desk: Desk
    security: SecurityPolicy
    outstanding: set[int] = field(default_factory=set)
    """Store numbers that were handed out and not yet released."""
    _ready: list[tuple[int, int]] = field(default_factory=list)
    _reassembler: Reassembler = field(default_factory=Reassembler)
    _fragments: dict[BundleId, list[int]] = field(default_factory=dict)

    @property
    def are_waiting(self) -> bool:
        """Whether bundles are lined up for which there may be no room yet."""
        return bool(self._ready)

    def add(self, held: Held) -> None:
        """Line a bundle up."""
        heappush(self._ready, (held.entry.priority, held.entry.sequence))

    def take(self, now: Instant) -> list[Whole]:
        """Return what can be handed out now."""
        taken = []
        while self._ready and len(self.outstanding) < self.desk.settings.delivery_limit:
            sequence = self._ready[0][1]
            held = self.desk.queues.held.get(sequence)
            if held is None or is_past(held, now):
                heappop(self._ready)  # gone, or about to be buried as expired
                continue
            kept = self.desk.keeper.get(sequence)
            if kept is None:
                for _, other in self._ready[: self.desk.settings.fetch_limit // 2]:
                    self.desk.keeper.want(other)
                break
            heappop(self._ready)
            self.desk.keeper.let_go(sequence)
            self.outstanding.add(sequence)
            bundle = read_bundle(kept, strict=False) if isinstance(kept, bytes) else kept
            whole = self._whole(held, bundle, now)
            if whole is not None:
                taken.append(whole)
        return taken

    def expire(self, now: Instant) -> None:
        """Forget fragments whose whole will not come any more; the queues bury them."""
        self._reassembler.expire(now)
        self._drop_sets()

    def next_deadline_ns(self) -> int | None:
        """Return when the next set of fragments expires."""
        return self._reassembler.next_deadline_ns()

    def release(self, sequences: tuple[int, ...]) -> None:
        """Make room for others."""
        self.outstanding.difference_update(sequences)

    def _whole(self, held: Held, bundle: Bundle, now: Instant) -> Whole | None:
        sequences: tuple[int, ...] = (held.entry.sequence,)
        if bundle.is_fragment:
            # Fragments do not count as handed out: many may wait for the one that is missing.
            self.outstanding.discard(held.entry.sequence)
            found = self._reassemble(held, bundle, now)
            if found is None:
                return None
            bundle, sequences = found
            self.outstanding.update(sequences)
        opened = accept_bundle(bundle, self.security)
        if isinstance(opened, BundleReason):
            self.desk.give_up(sequences, Reason.REFUSED)
            self.release(sequences)
            return None
        return Whole(opened, held, sequences)

    def _reassemble(
        self, held: Held, fragment: Bundle, now: Instant
    ) -> tuple[Bundle, tuple[int, ...]] | None:
        resident_ms = (now.mono_ns - held.since.mono_ns) // 1_000_000
        name = _whole_id(fragment)
        self._fragments.setdefault(name, []).append(held.entry.sequence)
        left_ms = remaining_ms(fragment, resident_ms=resident_ms, now=now)
        whole = self._reassembler.add(fragment, remaining_ms=left_ms, now=now)
        self._drop_sets()
        if whole is None:
            return None
        return whole, tuple(self._fragments.pop(name))

    def _drop_sets(self) -> None:
        for dropped in self._reassembler.take_dropped():
            lost = BundleId(dropped.source, dropped.created_ms, dropped.sequence)
            numbers = self._fragments.pop(lost, None)
            if numbers:
                self.desk.give_up(tuple(numbers), Reason.EVICTED)


def _whole_id(fragment: Bundle) -> BundleId:
    primary = fragment.primary
    return BundleId(primary.source, primary.created_ms, primary.sequence)
