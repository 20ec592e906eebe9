"""Bundles to and from bytes (RFC 9171 sections 4.1 to 4.3).

    bundle    := 0x9f primary canonical* payload 0xff
    primary   := [7, flags, crc type, destination, source, report-to, [time, sequence],
                  lifetime, (offset, total)?, crc?]
    canonical := [type, number, flags, crc type, data, crc?]

A block that was received and not changed is sent as it came. Its checksum was taken over those
bytes, and so was any signature over it.
"""

from flight.relay.bundle.asb import read_security_block
from flight.relay.bundle.values import (
    PAYLOAD_NUMBER,
    PRIMARY_NUMBER,
    BlockType,
    Bundle,
    BundleFlag,
    CanonicalBlock,
    PrimaryBlock,
)
from flight.relay.cbor import (
    BREAK,
    INDEFINITE_ARRAY,
    encode_bytes,
    encode_uint,
    read_array,
    read_bytes,
    read_uint,
)
from flight.relay.crc import CRC_BYTES, CrcType, block_crc
from flight.relay.endpoint import LOCAL_NODE, encode_endpoint, read_endpoint
from flight.relay.errors import WireError

VERSION = 7

MAX_BLOCKS = 64
"""Most blocks after the primary that a received bundle may have."""

MAX_CREATED_MS = (1 << 62) - 1
"""Latest creation time that is read: with any lifetime added it still fits 64 signed bits."""

_AT_MOST_ONE = frozenset(
    {BlockType.PAYLOAD, BlockType.PREVIOUS_NODE, BlockType.BUNDLE_AGE, BlockType.HOP_COUNT}
)

_CRC_TYPES = (CrcType.NONE, CrcType.CRC16, CrcType.CRC32C)


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
    return _with_crc(primary.crc_type, b"".join(parts))


def encode_canonical(block: CanonicalBlock) -> bytes:
    """Return a canonical block's bytes, its checksum last (RFC 9171 section 4.3.2)."""
    body = b"".join(
        (
            b"\x86" if block.crc_type else b"\x85",
            encode_uint(block.type),
            encode_uint(block.number),
            encode_uint(block.flags),
            encode_uint(block.crc_type),
            encode_bytes(block.data),
        )
    )
    return _with_crc(block.crc_type, body)


def read_bundle(data: bytes, *, strict: bool = True) -> Bundle:
    """Return the bundle that the bytes are, to the last byte (RFC 9171 section 4).

    ``strict=False`` takes what RFC 9171 forbids and the examples of RFC 9173 have: a primary
    block that neither checksum nor signature protects (section 4.3.1), and a creation time of 0
    without a bundle age (section 4.4.2).

    Raises:
        WireError: the bytes are not one whole bundle, or a checksum is wrong.
    """
    bundle, end = read_bundle_at(data, 0, strict=strict)
    if end != len(data):
        raise WireError("bytes follow the bundle")
    return bundle


def read_bundles(data: bytes) -> tuple[Bundle, ...]:
    """Return the bundles that follow one another in an LTP block, at least one.

    Raises:
        WireError: the bytes are not one or more whole bundles.
    """
    bundle, at = read_bundle_at(data, 0)
    bundles = [bundle]
    while at < len(data):
        bundle, at = read_bundle_at(data, at)
        bundles.append(bundle)
    return tuple(bundles)


def read_bundle_at(data: bytes, at: int, *, strict: bool = True) -> tuple[Bundle, int]:
    """Return the bundle at a place, and the place after it (RFC 9171 section 4).

    Raises:
        WireError: no whole bundle stands there, or a checksum is wrong.
    """
    if data[at : at + 1] != INDEFINITE_ARRAY:
        raise WireError("a bundle is an array of indefinite length")
    primary, at = read_primary(data, at + 1)
    blocks: list[CanonicalBlock] = []
    while data[at : at + 1] != BREAK:
        if len(blocks) == MAX_BLOCKS:
            raise WireError("more blocks than a bundle may have")
        block, at = read_canonical(data, at)
        blocks.append(block)
    bundle = Bundle(primary, tuple(blocks))
    _check_blocks(bundle)
    if strict:
        _check_primary(bundle)
    return bundle, at + 1


def read_primary(data: bytes, start: int) -> tuple[PrimaryBlock, int]:
    """Return the primary block at a place, and the place after it (RFC 9171 section 4.3.1).

    Raises:
        WireError: no primary block of version 7 stands there, or its checksum is wrong.
    """
    count, at = read_array(data, start)
    version, at = read_uint(data, at)
    if version != VERSION:
        raise WireError("not bundle protocol version 7")
    flags, at = read_uint(data, at)
    crc_type, at = _read_crc_type(data, at)
    fragment = bool(flags & BundleFlag.IS_FRAGMENT)
    if count != 8 + 2 * fragment + bool(crc_type):
        raise WireError("primary block's length does not fit its flags and checksum type")
    if fragment and flags & BundleFlag.MUST_NOT_FRAGMENT:
        raise WireError("a fragment of what must not be fragmented")
    destination, at = read_endpoint(data, at)
    source, at = read_endpoint(data, at)
    report_to, at = read_endpoint(data, at)
    pair, at = read_array(data, at)
    if pair != 2:
        raise WireError("a creation timestamp has two elements")
    created_ms, at = read_uint(data, at)
    if created_ms > MAX_CREATED_MS:
        raise WireError("creation time is beyond any calendar")
    sequence, at = read_uint(data, at)
    lifetime_ms, at = read_uint(data, at)
    offset = total = 0
    if fragment:
        offset, at = read_uint(data, at)
        total, at = read_uint(data, at)
    wire, at = _check_crc(data, start, at, crc_type)
    primary = PrimaryBlock(
        destination,
        source,
        report_to,
        created_ms,
        sequence,
        lifetime_ms,
        flags,
        crc_type,
        offset,
        total,
    )
    object.__setattr__(primary, "wire", wire)
    return primary, at


def read_canonical(data: bytes, start: int) -> tuple[CanonicalBlock, int]:
    """Return the canonical block at a place, and the place after it (RFC 9171 section 4.3.2).

    Raises:
        WireError: no canonical block stands there, or its checksum is wrong.
    """
    count, at = read_array(data, start)
    block_type, at = read_uint(data, at)
    number, at = read_uint(data, at)
    flags, at = read_uint(data, at)
    crc_type, at = _read_crc_type(data, at)
    if count != 5 + bool(crc_type):
        raise WireError("block's length does not fit its checksum type")
    content, at = read_bytes(data, at)
    wire, at = _check_crc(data, start, at, crc_type)
    block = CanonicalBlock(block_type, number, content, flags, crc_type)
    object.__setattr__(block, "wire", wire)
    return block, at


def _check_blocks(bundle: Bundle) -> None:
    """Check the rules that bind blocks together (RFC 9171 sections 4.1, 4.3, 4.4)."""
    blocks = bundle.blocks
    if not blocks or blocks[-1].type != BlockType.PAYLOAD:
        raise WireError("the payload is not the last block")
    if blocks[-1].number != PAYLOAD_NUMBER:
        raise WireError("the payload's number is not 1")
    numbers = {PRIMARY_NUMBER}
    types = {0}
    for block in blocks:
        if block.number in numbers:
            raise WireError("a block number is used twice, or is 0")
        if block.type in types:
            raise WireError(f"block type {block.type} is reserved, or may be there only once")
        numbers.add(block.number)
        if block.type in _AT_MOST_ONE:
            types.add(block.type)
    if bundle.is_fragment:
        end = bundle.primary.fragment_offset + len(bundle.payload)
        if not bundle.payload or end > bundle.primary.total_length:
            raise WireError("a fragment that is empty, or ends after its whole")


def _check_primary(bundle: Bundle) -> None:
    """Check what only a careless or hostile peer gets wrong in a primary block.

    It needs a checksum or a signature (RFC 9171 section 4.3.1), a time or an age (section 4.4.2),
    and ends that mean the same on every node (RFC 9758 section 5.4).
    """
    if LOCAL_NODE in (bundle.primary.source.node, bundle.primary.destination.node):
        raise WireError("a bundle from outside is from or for a local node")
    if not (bundle.primary.crc_type or _is_primary_signed(bundle)):
        raise WireError("primary block has neither checksum nor signature")
    if not bundle.primary.created_ms and bundle.block(BlockType.BUNDLE_AGE) is None:
        raise WireError("creation time 0 without a bundle age block")


def _is_primary_signed(bundle: Bundle) -> bool:
    """Say whether a BIB covers the primary block, or may do so under encryption."""
    encrypted: set[int] = set()
    signed: dict[int, bool] = {}
    for block in bundle.blocks:
        if block.type not in {BlockType.INTEGRITY, BlockType.CONFIDENTIALITY}:
            continue
        try:
            targets = read_security_block(block.data).targets
        except WireError:  # perhaps ciphertext: the loop's end tells
            signed[block.number] = False
            continue
        if block.type == BlockType.CONFIDENTIALITY:
            encrypted.update(targets)
        else:
            signed[block.number] = PRIMARY_NUMBER in targets
    return any(covered or number in encrypted for number, covered in signed.items())


def _read_crc_type(data: bytes, at: int) -> tuple[CrcType, int]:
    value, at = read_uint(data, at)
    if value >= len(_CRC_TYPES):
        raise WireError("unknown checksum type")
    return _CRC_TYPES[value], at


def _with_crc(crc_type: CrcType, body: bytes) -> bytes:
    if not crc_type:
        return body
    body += bytes((0x40 | CRC_BYTES[crc_type],))
    return body + block_crc(crc_type, body)


def _check_crc(data: bytes, start: int, at: int, crc_type: CrcType) -> tuple[bytes, int]:
    """Return the block's bytes as received and the place after them; its checksum is right."""
    if not crc_type:
        return data[start:at], at
    crc, end = read_bytes(data, at)
    if len(crc) != CRC_BYTES[crc_type]:
        raise WireError("checksum of a wrong length")
    wire = data[start:end]
    if block_crc(crc_type, wire[: -len(crc)]) != crc:
        raise WireError("checksum is wrong")
    return wire, end
