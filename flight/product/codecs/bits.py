"""Raw bits of many widths in a row, packed and unpacked in whole arrays; low bits first."""

import numpy as np
from numpy.typing import NDArray

from flight.product.errors import WireError

_WINDOW_BYTES = 5
"""A value of up to 32 bits touches at most five bytes."""
_BLOCK = 1 << 15
_MASKS = (1 << np.arange(33)) - 1
"""By width."""


def pack_raw(values: NDArray[np.uint32], widths: NDArray[np.uint8]) -> bytes:
    """Return the ``widths`` low bits of each value, one after the other."""
    total_bits = int(widths.sum(dtype=np.int64))
    words = np.zeros(total_bits // 64 + 2, np.uint64)
    place = 0
    # In blocks that stay in the cache.
    for first in range(0, values.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        place = _pack_block(words, values[block], widths[block], place)
    return words.astype("<u8", copy=False).tobytes()[: (total_bits + 7) // 8]


def _pack_block(
    words: NDArray[np.uint64], values: NDArray[np.uint32], widths: NDArray[np.uint8], place: int
) -> int:
    """Put a block's bits at bit ``place`` and return where the next block begins."""
    used = (widths != 0).nonzero()[0]
    if not used.size:
        return place
    width = widths.take(used).astype(np.int64)
    ends = width.cumsum()
    ends += place
    begins = ends - width
    value = values.take(used).astype(np.int64)
    value &= _MASKS.take(width)
    word = begins >> 6
    begins &= 63
    # int64 shifts drop what leaves at the top, as unsigned ones do.
    placed = (value << begins).view(np.uint64)
    heads = (word[1:] != word[:-1]).nonzero()[0]
    heads += 1
    heads = np.concatenate((np.zeros(1, np.int64), heads))
    words[word.take(heads)] |= np.bitwise_or.reduceat(placed, heads)
    # At most one value a word reaches into the next one, so no target is named twice.
    width += begins
    over = (width > 64).nonzero()[0]
    rest = value.take(over) >> (64 - begins.take(over))
    words[word.take(over) + 1] |= rest.view(np.uint64)
    return int(ends[-1])


class RawBits:
    """Gives back raw bits in the order they were packed."""

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        padded = np.zeros(len(data) + _WINDOW_BYTES, np.int64)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        self._windows = padded[: len(data) + 1].copy()
        for index in range(1, _WINDOW_BYTES):
            self._windows |= padded[index : len(data) + 1 + index] << 8 * index
        self._place = 0

    @property
    def empty(self) -> bool:
        """Whether there never were any."""
        return not self._size

    def take(self, widths: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return one value for each width.

        Raises:
            WireError: there are not so many bits left.
        """
        wide = widths.astype(np.int64)
        begins = wide.cumsum()
        taken = int(begins[-1]) if begins.size else 0
        if not taken:
            return np.zeros(widths.size, np.uint32)
        if self._place + taken > 8 * self._size:
            raise WireError("raw bits are cut short")
        begins -= wide
        begins += self._place
        self._place += taken
        values = self._windows.take(begins >> 3, mode="clip")
        begins &= 7
        values >>= begins
        values &= _MASKS.take(wide)
        narrow: NDArray[np.uint32] = values.astype(np.uint32)
        return narrow

    def finish(self) -> None:
        """Check that nothing but the last byte's padding is left.

        Raises:
            WireError: more bits were sent than were taken.
        """
        if (self._place + 7) // 8 != self._size:
            raise WireError("raw bits are left over")
