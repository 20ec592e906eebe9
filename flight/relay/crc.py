"""The two checksums that blocks of a bundle may carry (RFC 9171 section 4.2.1)."""

from binascii import crc_hqx
from enum import IntEnum

import google_crc32c


class CrcType(IntEnum):
    """Which checksum a block carries (RFC 9171 section 4.2.1)."""

    __hash__ = int.__hash__  # in C, where an enum's own is in Python

    NONE = 0
    CRC16 = 1
    """CRC-16/X-25, two bytes."""
    CRC32C = 2
    """CRC-32C (Castagnoli), four bytes."""


CRC_BYTES: tuple[int, ...] = (0, 2, 4)
"""Length of the checksum by CrcType."""

_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc16_x25(data: bytes) -> int:
    """Return the CRC-16/X-25 of data (RFC 9171 section 4.2.1, ITU-T X.25 section 2.2.7.4).

    The standard library has the same polynomial with the bits the other way round, so both the
    bytes and the result are turned. Check value for "123456789": 0x906E.
    """
    turned = crc_hqx(data.translate(_REVERSED_BITS), 0xFFFF)
    low, high = _REVERSED_BITS[turned >> 8], _REVERSED_BITS[turned & 0xFF]
    return (high << 8 | low) ^ 0xFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data (RFC 9171 section 4.2.1, RFC 4960 appendix B).

    Check value for "123456789": 0xE3069283.
    """
    return int(google_crc32c.value(data))


def block_crc(crc_type: int, before_crc: bytes) -> bytes:
    """Return the checksum of a block whose bytes, up to the checksum's own, are given.

    The checksum is taken with its own bytes set to zero (RFC 9171 section 4.2.1).
    """
    if crc_type == CrcType.CRC32C:
        crc = google_crc32c.extend(google_crc32c.value(before_crc), b"\0\0\0\0")
        return int(crc).to_bytes(4, "big")
    if crc_type == CrcType.CRC16:
        return crc16_x25(before_crc + b"\0\0").to_bytes(2, "big")
    return b""
