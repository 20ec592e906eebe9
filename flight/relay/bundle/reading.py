"""Bundles from bytes, strictly (RFC 9171 sections 4.1 to 4.3); wire.py shows their form.

The bundles of one flow begin alike, and most blocks have one of a few heads. Reading is a pure
function of the bytes, so what was read once is looked up.
"""

from functools import lru_cache
from typing import NamedTuple

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
from flight.relay.bundle.wire import VERSION
from flight.relay.cbor import BREAK, INDEFINITE_ARRAY, read_array, read_bytes, read_uint
from flight.relay.crc import CRC_BYTES, CrcType, block_crc
from flight.relay.endpoint import LOCAL_NODE, EndpointId, read_endpoint
from flight.relay.errors import WireError

MAX_BLOCKS = 64
"""Most blocks after the primary that a received bundle may have."""

MAX_CREATED_MS = (1 << 62) - 1
"""Latest creation time that is read: with any lifetime added it still fits 64 signed bits."""

_RESERVED = 0
"""No block has this type."""

_AT_MOST_ONE = frozenset(
    {
        _RESERVED,
        BlockType.PAYLOAD,
        BlockType.PREVIOUS_NODE,
        BlockType.BUNDLE_AGE,
        BlockType.HOP_COUNT,
    }
)

_CRC_TYPES = (CrcType.NONE, CrcType.CRC16, CrcType.CRC32C)

_TIME = b"\x82\x1b"
"""How a creation timestamp begins that is not 0: two elements, the first of eight bytes."""

_BEGINNING_BYTES = 64
"""Where to look for it: usual endpoint ids take less."""

_HEAD_BYTES = 5


class _Beginning(NamedTuple):
    """A primary block's items before the creation timestamp."""

    flags: int
    crc_type: CrcType
    destination: EndpointId
    source: EndpointId
    report_to: EndpointId
    length: int
    """Bytes of all these."""


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


def read_bundles(data: bytes, *, is_checked: bool = True) -> tuple[Bundle, ...]:
    """Return the bundles that follow one another in an LTP block, at least one.

    ``is_checked=False`` takes primary blocks that neither checksum nor signature protects.

    Raises:
        WireError: the bytes are not one or more whole bundles.
    """
    bundle, at = read_bundle_at(data, 0, is_checked=is_checked)
    bundles = [bundle]
    while at < len(data):
        bundle, at = read_bundle_at(data, at, is_checked=is_checked)
        bundles.append(bundle)
    return tuple(bundles)


def read_bundle_at(
    data: bytes, at: int, *, strict: bool = True, is_checked: bool = True
) -> tuple[Bundle, int]:
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
        _check_primary(bundle, is_checked=is_checked)
    return bundle, at + 1


def read_primary(data: bytes, start: int) -> tuple[PrimaryBlock, int]:
    """Return the primary block at a place, and the place after it (RFC 9171 section 4.3.1).

    Raises:
        WireError: no primary block of version 7 stands there, or its checksum is wrong.
    """
    flags, crc_type, destination, source, report_to, length = _find_beginning(data, start)
    fragment = flags & BundleFlag.IS_FRAGMENT
    pair, at = read_array(data, start + length)
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
    plain = _plain_head(data[start : start + _HEAD_BYTES])
    if plain is not None:
        block_type, number, flags, crc_type = plain
        at = start + _HEAD_BYTES
    else:
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


def _find_beginning(data: bytes, start: int) -> _Beginning:
    """Return what a primary block begins with."""
    time_at = data.find(_TIME, start, start + _BEGINNING_BYTES)
    if time_at > start:
        try:
            return _known_beginning(data[start:time_at])
        except WireError:  # these two bytes stood elsewhere, or it is no primary block
            pass
    return _read_beginning(data, start)


@lru_cache(maxsize=256)
def _known_beginning(data: bytes) -> _Beginning:
    return _read_beginning(data, 0)


def _read_beginning(data: bytes, start: int) -> _Beginning:
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
    return _Beginning(flags, crc_type, destination, source, report_to, at - start)


@lru_cache(maxsize=256)
def _plain_head(head: bytes) -> tuple[int, int, int, CrcType] | None:
    """Return type, number, flags and checksum type where each takes one byte, else None."""
    if len(head) < _HEAD_BYTES or max(head[1:]) > 23 or head[4] >= len(_CRC_TYPES):
        return None
    if head[0] != (0x86 if head[4] else 0x85):
        return None
    return head[1], head[2], head[3], _CRC_TYPES[head[4]]


def _check_blocks(bundle: Bundle) -> None:
    """Check the rules that bind blocks together (RFC 9171 sections 4.1, 4.3, 4.4)."""
    blocks = bundle.blocks
    if not blocks or blocks[-1].type != BlockType.PAYLOAD:
        raise WireError("the payload is not the last block")
    if blocks[-1].number != PAYLOAD_NUMBER:
        raise WireError("the payload's number is not 1")
    numbers = {block.number for block in blocks}
    if len(numbers) != len(blocks) or PRIMARY_NUMBER in numbers:
        raise WireError("a block number is used twice, or is 0")
    once = [block.type for block in blocks if block.type in _AT_MOST_ONE]
    if len(once) != len(set(once)) or _RESERVED in once:
        raise WireError("a block type is reserved, or is there twice and may be only once")
    if bundle.is_fragment:
        end = bundle.primary.fragment_offset + len(bundle.payload)
        if not bundle.payload or end > bundle.primary.total_length:
            raise WireError("a fragment that is empty, or ends after its whole")


def _check_primary(bundle: Bundle, *, is_checked: bool) -> None:
    """Check what only a careless or hostile peer gets wrong in a primary block.

    It needs a checksum or a signature (RFC 9171 section 4.3.1), a time or an age (section 4.4.2),
    and ends that mean the same on every node (RFC 9758 section 5.4).
    """
    if LOCAL_NODE in (bundle.primary.source.node, bundle.primary.destination.node):
        raise WireError("a bundle from outside is from or for a local node")
    if is_checked and not (bundle.primary.crc_type or _is_primary_signed(bundle)):
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
