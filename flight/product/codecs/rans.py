"""The encoder's side of rANS: tables' symbols to states and words, the last ones first.

States are float64: all values are integers below 2^53, hence exact.
"""

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.frequencies import PRECISION, SCALE

FIRST_STATE = 1 << 16
WORD_BITS = 16
_BLOCK_ROWS = 32
"""Rows whose working arrays stay in the cache."""


def lay_in_lanes(
    entries: NDArray[np.uint16], chunks: NDArray[np.intp], lanes: int, padding: int
) -> NDArray[np.uint16]:
    """Return the entries as rows of lanes; every chunk begins a row."""
    rows = -(-chunks // lanes)
    laid = np.full((int(rows.sum()), lanes), padding, np.uint16)
    flat = laid.reshape(-1)
    source = target = 0
    for size, row_count in zip(chunks.tolist(), rows.tolist(), strict=True):
        flat[target : target + size] = entries[source : source + size]
        source += size
        target += row_count * lanes
    return laid


def rans(
    frequencies: NDArray[np.int64], entries: NDArray[np.uint16]
) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """Return the lanes' last states and the 16-bit words, in the decoder's order.

    ``entries``, (rows, lanes), are places in the flattened frequency tables.
    """
    # A symbol that owns the whole scale leaves a state as it is: it pads the last row of a chunk.
    frequency_of = np.append(frequencies, SCALE).astype(np.float64)
    below_of = np.append(np.cumsum(frequencies, axis=1) - frequencies, 0).astype(np.float64)
    rows, lanes = entries.shape
    # Whole rows of a constant are faster than a number.
    word = np.full(lanes, 1 / (1 << WORD_BITS))
    kept, scratch = np.empty(lanes), np.empty(lanes)
    states = np.full((_BLOCK_ROWS + 1, lanes), float(FIRST_STATE))
    emitted: list[NDArray[np.uint16]] = []
    for first in range((rows - 1) // _BLOCK_ROWS * _BLOCK_ROWS, -1, -_BLOCK_ROWS):
        symbols = entries[first : first + _BLOCK_ROWS].astype(np.intp)
        count = len(symbols)
        frequency = frequency_of.take(symbols)
        below = below_of.take(symbols)
        limit = frequency * float(1 << (32 - PRECISION))
        gap = SCALE - frequency
        under = np.empty(symbols.shape, np.bool_)
        states[count] = states[0]
        backwards = [part[::-1] for part in (frequency, limit, gap, below, under)]
        chain = states[count::-1]
        for owned, most, rest, lower, whole, state, coded in zip(
            *backwards, chain[:-1], chain[1:], strict=True
        ):
            # A state at its limit leaves its low word behind: which one, is looked up later.
            np.less(state, most, whole)
            np.multiply(state, word, kept)
            np.floor(kept, kept)
            np.putmask(kept, whole, state)
            # (state // f) * SCALE + below + state % f = state + (state // f) * (SCALE - f) + below
            np.divide(kept, owned, scratch)
            np.floor(scratch, scratch)
            np.multiply(scratch, rest, scratch)
            np.add(kept, lower, kept)
            np.add(kept, scratch, coded)
        over = np.logical_not(under, under).reshape(-1).nonzero()[0]
        left = states[1 : count + 1].reshape(-1).take(over)
        emitted.append(left.astype(np.uint32).astype("<u2"))
    emitted.reverse()
    return states[0], np.concatenate(emitted) if emitted else np.zeros(0, "<u2")
