"""The part of CBOR that bundles use: integers, strings, arrays, booleans (RFC 8949 section 3).

Written by hand because the checksums need each item's place in the received bytes, which the
general decoders hide, and because it is the fastest that was measured. Output is in the shortest
form. Input may use longer heads than needed: RFC 9171 section 4.1 asks for the shortest, peers
differ, and the checksums are taken over the bytes as received.

Readers take the bytes and a place and return the value and the next place. Nothing is allocated
from a length that the bytes do not back.
"""

from flight.relay.errors import WireError

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
"""Major types (RFC 8949 section 3.1)."""

INDEFINITE_ARRAY = b"\x9f"
BREAK = b"\xff"
FALSE, TRUE = b"\xf4", b"\xf5"

MAX_DEPTH = 16
"""Deepest nesting that skip_item follows."""

_SHORT_UINTS = tuple(bytes([value]) for value in range(24))

_SIZES = (*[1] * 24, 2, 3, 5, 9)
"""Bytes of a head, by the low five bits of its first."""


def encode_uint(value: int) -> bytes:
    """Return an unsigned integer in its shortest form (RFC 8949 section 4.2.1)."""
    if value < 24:
        return _SHORT_UINTS[value]
    if value < 0x100:
        return b"\x18" + value.to_bytes(1, "big")
    if value < 0x10000:
        return b"\x19" + value.to_bytes(2, "big")
    if value < 0x100000000:
        return b"\x1a" + value.to_bytes(4, "big")
    return b"\x1b" + value.to_bytes(8, "big")


def encode_head(major: int, value: int) -> bytes:
    """Return the head of an item: its major type and its value, count or length."""
    head = encode_uint(value)
    return bytes([head[0] | major << 5]) + head[1:]


def encode_bytes(value: bytes) -> bytes:
    """Return a byte string of definite length (RFC 8949 section 3.1)."""
    return encode_head(BYTES, len(value)) + value


def encode_text(value: str) -> bytes:
    """Return a text string of definite length (RFC 8949 section 3.1)."""
    encoded = value.encode()
    return encode_head(TEXT, len(encoded)) + encoded


def encode_array(*items: bytes) -> bytes:
    """Return an array of definite length around items already encoded (RFC 8949 section 3.1)."""
    return encode_head(ARRAY, len(items)) + b"".join(items)


def read_uint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned integer at a place, and the place after it (RFC 8949 section 3.1).

    Raises:
        WireError: the bytes end, or something else stands there.
    """
    try:
        first = data[at]
    except IndexError:
        raise WireError("bytes end where an integer should be") from None
    if first < 24:
        return first, at + 1
    if first > 0x1B:
        raise WireError("not an unsigned integer")
    end = at + _SIZES[first]
    if end > len(data):
        raise WireError("bytes end within an integer")
    return int.from_bytes(data[at + 1 : end], "big"), end


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return major type, argument, and the place after the head (RFC 8949 section 3).

    Raises:
        WireError: the bytes end, or the head is of indefinite length or reserved.
    """
    try:
        first = data[at]
    except IndexError:
        raise WireError("bytes end where an item should be") from None
    value = first & 0x1F
    if value < 24:
        return first >> 5, value, at + 1
    if value > 0x1B:
        raise WireError("indefinite or reserved length")
    end = at + _SIZES[value]
    if end > len(data):
        raise WireError("bytes end within a head")
    return first >> 5, int.from_bytes(data[at + 1 : end], "big"), end


def read_array(data: bytes, at: int) -> tuple[int, int]:
    """Return the count of a definite array, and the place of its first item.

    Raises:
        WireError: no array of definite length stands there.
    """
    major, count, at = read_head(data, at)
    if major != ARRAY:
        raise WireError("not an array of definite length")
    return count, at


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the byte string of definite length at a place, and the place after it.

    Raises:
        WireError: no such string stands there, or it is longer than the bytes.
    """
    major, length, at = read_head(data, at)
    if major != BYTES:
        raise WireError("not a byte string of definite length")
    end = at + length
    if end > len(data):
        raise WireError("string is longer than the bytes")
    return data[at:end], end


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """Return the text string of definite length at a place, and the place after it.

    Raises:
        WireError: no such string stands there, it is longer than the bytes, or not UTF-8.
    """
    major, length, at = read_head(data, at)
    if major != TEXT:
        raise WireError("not a text string of definite length")
    end = at + length
    if end > len(data):
        raise WireError("string is longer than the bytes")
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise WireError("text is not UTF-8") from None


def read_bool(data: bytes, at: int) -> tuple[bool, int]:
    """Return the boolean at a place, and the place after it (RFC 8949 section 3.3).

    Raises:
        WireError: something else stands there.
    """
    item = data[at : at + 1]
    if item == TRUE:
        return True, at + 1
    if item == FALSE:
        return False, at + 1
    raise WireError("not a boolean")


def skip_item(data: bytes, at: int, *, depth: int = MAX_DEPTH) -> int:
    """Return the place after one item of definite length, whatever it is (RFC 8949 section 3).

    Raises:
        WireError: the item is cut short, of indefinite length, or nested too deep.
    """
    if depth <= 0:
        raise WireError("nested too deep")
    major, value, at = read_head(data, at)
    if major in {BYTES, TEXT}:
        if at + value > len(data):
            raise WireError("string is longer than the bytes")
        return at + value
    if major in {ARRAY, MAP}:
        # Every item takes a byte at least, so a count beyond the bytes fails at the first one
        # missing, after at most len(data) turns.
        for _ in range(value * (1 + (major == MAP))):
            at = skip_item(data, at, depth=depth - 1)
    elif major == TAG:
        return skip_item(data, at, depth=depth - 1)
    return at
