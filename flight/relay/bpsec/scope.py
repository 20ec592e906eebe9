"""What a signature or a seal covers besides its target (RFC 9173 sections 3.7 and 4.7.2).

    covered := scope, primary?, target's [type, number, flags]?, security block's?

Each part is there when its scope flag says so; the target's own bytes follow in a signature and
are the plaintext of a seal.
"""

from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum

from flight.relay.bundle import Bundle, CanonicalBlock
from flight.relay.bundle.values import PRIMARY_NUMBER
from flight.relay.bundle.wire import encode_primary
from flight.relay.cbor import encode_uint
from flight.relay.crc import CrcType


class Scope(IntEnum):
    """Scope flags, one bit each (RFC 9173 sections 3.3.3 and 4.3.4)."""

    PRIMARY = 0x1
    TARGET_HEADER = 0x2
    SECURITY_HEADER = 0x4


FULL_SCOPE = Scope.PRIMARY | Scope.TARGET_HEADER | Scope.SECURITY_HEADER
"""Binds the target to its bundle, so that it cannot be moved to another; the default."""


def primary_forms(bundle: Bundle) -> Iterator[bytes]:
    """Yield the primary block as it is, then as its maker may have signed it.

    Whatever checksum a primary block came with, ION 4.1 forwards it with a CRC-16 (its issue 1)
    and DTNME with a CRC-32C. The checksum follows from the rest, so a block that differs in
    nothing else is the same.
    """
    primary = bundle.primary
    yield primary.wire or encode_primary(primary)
    for crc_type in CrcType:
        if crc_type != primary.crc_type:
            yield encode_primary(replace(primary, crc_type=crc_type))


def covered_bytes(
    bundle: Bundle, *, target: int, security_block: CanonicalBlock, scope: int, primary: bytes
) -> bytes:
    """Return what goes before the target's own bytes (RFC 9173 section 3.7, steps 1 to 4).

    It is the whole additional authenticated data of a seal (section 4.7.2). ``primary`` is one of
    ``primary_forms``.
    """
    parts = [encode_uint(scope & FULL_SCOPE)]
    block = bundle.block_numbered(target)
    if target != PRIMARY_NUMBER and block is not None:
        if scope & Scope.PRIMARY:
            parts.append(primary)
        if scope & Scope.TARGET_HEADER:
            parts.append(_header(block))
    if scope & Scope.SECURITY_HEADER:
        parts.append(_header(security_block))
    return b"".join(parts)


def without_crc(bundle: Bundle, target: int) -> Bundle:
    """Return the bundle with the target's checksum gone (RFC 9173 sections 3.8.1 and 4.8.1).

    The signature or the seal does better, and the checksum of what is sealed would give it away.
    """
    if target == PRIMARY_NUMBER:
        if not bundle.primary.crc_type:
            return bundle
        return replace(bundle, primary=replace(bundle.primary, crc_type=CrcType.NONE))
    block = bundle.block_numbered(target)
    if block is None:
        raise ValueError(f"no block {target} to protect")
    if not block.crc_type:
        return bundle
    return bundle.with_block(replace(block, crc_type=CrcType.NONE))


def _header(block: CanonicalBlock) -> bytes:
    return encode_uint(block.type) + encode_uint(block.number) + encode_uint(block.flags)
