"""Bundles made at this node, each with a creation timestamp that never comes twice."""

from dataclasses import dataclass

from flight.instant import Instant
from flight.relay.bundle import Bundle, BundleFlag, make_bundle
from flight.relay.crc import CrcType
from flight.relay.endpoint import NONE, EndpointId
from flight.relay.node.names import own_id, written
from flight.relay.settings import NodeSettings
from flight.relay.status import StatusReport, encode_status_report

_RANDOM_STEP = 1 << 20
"""Numbers that one life without a durable store may give out before it could meet another."""


@dataclass(slots=True)
class Maker:
    """Counts creation sequence numbers up over all boots, clock or no clock."""

    settings: NodeSettings
    created: int
    """The last number given out. The store remembers the highest that became durable; higher
    ones have not left this node, so they may be given out again."""

    def make(
        self,
        payload: bytes,
        *,
        source_service: int,
        destination: EndpointId,
        lifetime_ms: int,
        now: Instant,
        report_to: EndpointId = NONE,
        flags: int = 0,
        name: tuple[int, int] | None = None,
    ) -> Bundle:
        """Return a new bundle from this node; without a clock it carries its age.

        ``name`` is (creation time, sequence) of a bundle that its maker may have to make again.
        """
        if name is None:
            self.created += 1
            name = (now.dtn_ms, self.created)
        created_ms, sequence = name
        return make_bundle(
            payload,
            source=own_id(self.settings, source_service),
            destination=written(self.settings, destination),
            created_ms=created_ms,
            sequence=sequence,
            lifetime_ms=lifetime_ms,
            report_to=written(self.settings, report_to),
            flags=flags,
            hop_limit=self.settings.hop_limit or None,
            age_ms=None if created_ms else 0,
            payload_crc=CrcType.CRC32C if self.settings.payload_checksum else CrcType.NONE,
        )

    def report(self, report: StatusReport, report_to: EndpointId, now: Instant) -> Bundle:
        """Return the bundle that carries a status report (RFC 9171 section 6.2)."""
        return self.make(
            encode_status_report(report),
            source_service=0,
            destination=report_to,
            lifetime_ms=self.settings.report_lifetime_s * 1000,
            now=now,
            flags=BundleFlag.ADMINISTRATIVE,
        )


def first_number(created: int, *, boots: int, seed: int) -> int:
    """Return where to count from: after what the store remembers.

    A store that remembers nothing (``boots`` 0: memory only) cannot tell what was given out in
    an earlier life; a start drawn from the seed keeps two lives apart.
    """
    return created if boots else created + _RANDOM_STEP * (1 + seed % (1 << 20))
