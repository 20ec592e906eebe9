"""Bundles as bytes (RFC 9171 sections 4.1 to 4.3); reading.py reads them.

    bundle    := 0x9f primary canonical* payload 0xff
    primary   := [7, flags, crc type, destination, source, report-to, [time, sequence],
                  lifetime, (offset, total)?, crc?]
    canonical := [type, number, flags, crc type, data, crc?]

A block that was received and not changed is sent as it came. Its checksum was taken over those
bytes, and so was any signature over it.
"""

from functools import lru_cache

from flight.relay.bundle.values import Bundle, BundleFlag, CanonicalBlock, PrimaryBlock
from flight.relay.cbor import BREAK, BYTES, INDEFINITE_ARRAY, encode_head, encode_uint
from flight.relay.crc import CRC_BYTES, CrcType, block_crc
from flight.relay.endpoint import encode_endpoint

VERSION = 7


def encode_bundle(bundle: Bundle) -> bytes:
    """Return a bundle's bytes (RFC 9171 section 4.1); blocks that were received go as they came."""
    primary = bundle.primary.wire or encode_primary(bundle.primary)
    blocks = [block.wire or encode_canonical(block) for block in bundle.blocks]
    return b"".join((INDEFINITE_ARRAY, primary, *blocks, BREAK))


def encode_primary(primary: PrimaryBlock) -> bytes:
    """Return a primary block's bytes, its checksum last (RFC 9171 section 4.3.1)."""
    fragment = bool(primary.flags & BundleFlag.IS_FRAGMENT)
    count = 8 + 2 * fragment + bool(primary.crc_type)
    parts = [
        bytes((0x80 | count, VERSION)),
        encode_uint(primary.flags),
        encode_uint(primary.crc_type),
        encode_endpoint(primary.destination),
        encode_endpoint(primary.source),
        encode_endpoint(primary.report_to),
        b"\x82",
        encode_uint(primary.created_ms),
        encode_uint(primary.sequence),
        encode_uint(primary.lifetime_ms),
    ]
    if fragment:
        parts += (encode_uint(primary.fragment_offset), encode_uint(primary.total_length))
    return _with_crc(primary.crc_type, *parts)


def encode_canonical(block: CanonicalBlock) -> bytes:
    """Return a canonical block's bytes, its checksum last (RFC 9171 section 4.3.2)."""
    head = _canonical_head(block.type, block.number, block.flags, block.crc_type)
    return _with_crc(block.crc_type, head, encode_head(BYTES, len(block.data)), block.data)


@lru_cache(maxsize=256)
def _canonical_head(block_type: int, number: int, flags: int, crc_type: CrcType) -> bytes:
    """Return a block's items before its data: most blocks have one of a few heads."""
    items = (block_type, number, flags, crc_type)
    return b"".join((b"\x86" if crc_type else b"\x85", *map(encode_uint, items)))


def _with_crc(crc_type: CrcType, *parts: bytes) -> bytes:
    if not crc_type:
        return b"".join(parts)
    body = b"".join((*parts, _CRC_HEADS[crc_type]))
    return body + block_crc(crc_type, body)


_CRC_HEADS = tuple(bytes((0x40 | length,)) for length in CRC_BYTES)
"""The head of the byte string that a checksum is, by CrcType."""
