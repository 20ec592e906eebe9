"""New bundles (RFC 9171 sections 4.3 and 5.2)."""

from flight.relay.bundle.extension import HopCount, bundle_age_block, hop_count_block
from flight.relay.bundle.values import (
    PAYLOAD_NUMBER,
    REPORT_FLAGS,
    BlockType,
    Bundle,
    BundleFlag,
    CanonicalBlock,
    PrimaryBlock,
)
from flight.relay.crc import CrcType
from flight.relay.endpoint import NONE, EndpointId


def make_bundle(
    payload: bytes,
    *,
    source: EndpointId,
    destination: EndpointId,
    created_ms: int,
    sequence: int,
    lifetime_ms: int,
    report_to: EndpointId = NONE,
    flags: int = 0,
    hop_limit: int | None = None,
    age_ms: int | None = None,
    primary_crc: CrcType = CrcType.CRC32C,
    payload_crc: CrcType = CrcType.CRC32C,
) -> Bundle:
    """Return a new bundle, not yet encoded (RFC 9171 section 5.2).

    ``created_ms`` 0 means no clock; then ``age_ms`` must be given. Extension blocks get no
    checksum: some peers take it over other bytes than they received.

    Raises:
        ValueError: a rule of RFC 9171 section 4.2.3 or 4.4.2 is broken.
    """
    if created_ms == 0 and age_ms is None:
        raise ValueError("a bundle without a creation time needs an age (RFC 9171 section 4.4.2)")
    if source.is_null and (flags & REPORT_FLAGS or not flags & BundleFlag.MUST_NOT_FRAGMENT):
        raise ValueError("an anonymous bundle is never fragmented or reported on (section 4.2.3)")
    if flags & BundleFlag.ADMINISTRATIVE and flags & REPORT_FLAGS:
        raise ValueError("no reports on administrative records (RFC 9171 section 4.2.3)")
    if flags & BundleFlag.IS_FRAGMENT:
        raise ValueError("fragments are made by fragment_bundle")
    primary = PrimaryBlock(
        destination, source, report_to, created_ms, sequence, lifetime_ms, flags, primary_crc
    )
    blocks = []
    number = PAYLOAD_NUMBER + 1
    if age_ms is not None:
        blocks.append(bundle_age_block(age_ms, number))
        number += 1
    if hop_limit is not None:
        blocks.append(hop_count_block(HopCount(hop_limit, 0), number))
    blocks.append(CanonicalBlock(BlockType.PAYLOAD, PAYLOAD_NUMBER, payload, crc_type=payload_crc))
    return Bundle(primary, tuple(blocks))
