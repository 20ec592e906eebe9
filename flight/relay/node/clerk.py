"""Bundles that the node writes of its own accord: status reports, echoes, tombstones."""

from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.bundle import Bundle, BundleFlag, BundleId, encode_bundle
from flight.relay.bundle import Reason as BundleReason
from flight.relay.endpoint import EndpointId, parse_endpoint
from flight.relay.node.keeper import Keeper, Wish
from flight.relay.node.labels import Label, priority_of
from flight.relay.node.maker import Maker
from flight.relay.node.names import placed
from flight.relay.node.tombstone import encode_tombstone, tombstone_of
from flight.relay.settings import NodeSettings
from flight.relay.status import REPORT_FLAG, Status, StatusReport
from flight.relay.store.values import Entry, Reason

_AS_REPORTED = {
    Reason.EXPIRED: BundleReason.LIFETIME_EXPIRED,
    Reason.EVICTED: BundleReason.DEPLETED_STORAGE,
    Reason.HOP_LIMIT: BundleReason.HOP_LIMIT_EXCEEDED,
    Reason.DROPPED: BundleReason.TRANSMISSION_CANCELED,
    Reason.REFUSED: BundleReason.FAILED_SECURITY,
}


@dataclass(slots=True)
class Clerk:
    """Writes within a limit: what others send cannot make this node fill its own store."""

    settings: NodeSettings
    keeper: Keeper
    maker: Maker
    unwritten: int = 0
    """What the limit kept from being written."""
    _pending: int = 0
    _waiting: set[int] = field(default_factory=set)
    _tombstones: dict[int, Entry] = field(default_factory=dict)

    def report(
        self,
        subject: BundleId,
        status: Status,
        *,
        flags: int,
        report_to: EndpointId,
        now: Instant,
        reason: BundleReason = BundleReason.NONE,
    ) -> None:
        """Write a status report if the bundle's flags ask for it (RFC 9171 section 5.1)."""
        if not flags & REPORT_FLAG[status] or report_to.is_null:
            return
        time_ms = now.dtn_ms if flags & BundleFlag.STATUS_TIME else None
        report = StatusReport(subject, ((status, time_ms),), reason)
        self._write(self.maker.report(report, report_to, now), now)

    def report_burial(
        self, subject: BundleId, reason: Reason, *, label: Label, now: Instant
    ) -> None:
        """Write the deletion report of a bundle that was given up."""
        self.report(
            subject,
            Status.DELETED,
            flags=label.flags,
            report_to=label.report_to,
            now=now,
            reason=_AS_REPORTED.get(reason, BundleReason.NONE),
        )

    def echo(self, bundle: Bundle, now: Instant) -> None:
        """Send a payload back to where it came from."""
        primary = bundle.primary
        if primary.source.is_null or bundle.is_administrative:
            return
        answer = self.maker.make(
            bundle.payload,
            source_service=self.settings.echo_service,
            destination=primary.source,
            lifetime_ms=min(primary.lifetime_ms, self.settings.report_lifetime_s * 1000),
            now=now,
        )
        self._write(answer, now)

    def bury(self, tombstone: Entry) -> None:
        """Take note of a tombstone that has to be sent, and ask for what it says."""
        if self.settings.tombstones_to:
            self._tombstones[tombstone.sequence] = tombstone
            self.keeper.want(tombstone.sequence)

    def is_burying(self, sequence: int) -> bool:
        """Whether a tombstone waits to be sent."""
        return sequence in self._tombstones

    def send_tombstones(self, now: Instant) -> None:
        """Write the bundles of tombstones that are at hand.

        The bundle takes the place of the store's own record in one transaction.
        """
        for sequence in list(self._tombstones):
            data = self.keeper.get(sequence)
            if not isinstance(data, bytes):
                continue
            bundle = self.maker.make(
                encode_tombstone(tombstone_of(data)),
                source_service=self.settings.source_service,
                destination=parse_endpoint(self.settings.tombstones_to),
                lifetime_ms=self.settings.report_lifetime_s * 1000,
                now=now,
            )
            wish = Wish(bundle, encode_bundle(bundle), now)
            if self.keeper.put(wish, priority=0, now=now, clears=(sequence,)):
                self._pending += 1
                self.keeper.let_go(sequence)
                del self._tombstones[sequence]

    def settle(self, sequence: int | None) -> None:
        """Note that a bundle of ours is durable under a number, or was refused (None)."""
        self._pending -= 1
        if sequence is not None:
            self._waiting.add(sequence)

    def forget(self, sequence: int) -> None:
        """Note that a bundle has gone."""
        self._waiting.discard(sequence)

    def _write(self, bundle: Bundle, now: Instant) -> None:
        is_full = self._pending + len(self._waiting) >= self.settings.report_limit
        priority = priority_of(placed(self.settings, bundle.primary.destination))
        wish = Wish(bundle, encode_bundle(bundle), now)
        if is_full or not self.keeper.put(wish, priority=priority, now=now):
            self.unwritten += 1
            return
        self._pending += 1
