"""LZMA as a string matcher: for what is mostly repetition, and defies the models."""

import lzma
from typing import Any

from flight.product.errors import WireError

MOST_BYTES = 4 << 20
"""A decoder takes as much memory again."""
_PRESETS = (6, 6 | lzma.PRESET_EXTREME)
"""Either may be the smaller one, by a tenth."""
_LEAST_DICTIONARY = 1 << 12
_LAST = b"\0"
"""The end of every LZMA2 stream, which goes without saying."""


def pack_repeats(plain: bytes) -> bytes:
    """Return at most MOST_BYTES packed."""
    streams = (
        lzma.compress(plain, lzma.FORMAT_RAW, filters=_filters(len(plain), preset))
        for preset in _PRESETS
    )
    return min(streams, key=len).removesuffix(_LAST)


def unpack_repeats(data: bytes, size: int) -> bytes:
    """Return exactly ``size`` bytes.

    Raises:
        WireError: the stream is broken, or has another length, or more than MOST_BYTES.
    """
    if size > MOST_BYTES:
        raise WireError("too large for LZMA")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size))
    try:
        plain = decoder.decompress(data + _LAST, size + 1)
    except lzma.LZMAError as error:
        raise WireError("broken LZMA stream") from error
    if len(plain) != size or not decoder.eof or decoder.unused_data:
        raise WireError("LZMA stream has the wrong length")
    return plain


def _filters(size: int, preset: int = _PRESETS[0]) -> list[dict[str, Any]]:
    """Return what both ends know, so no stream decides how much memory its decoder takes."""
    dictionary = max(size, _LEAST_DICTIONARY)
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dictionary}]
