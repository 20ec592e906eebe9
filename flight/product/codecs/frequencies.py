"""Frequency tables of the entropy stage: counted, rounded to a quarter octave, and sent.

A table costs bytes, so one that would not earn them is left out and its symbols are coded with
the table before it. The rounding is integer arithmetic: both ends get the same frequencies.
"""

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.rangecoder import Integers, RangeDecoder, RangeEncoder, Tokens
from flight.product.errors import WireError

TOKENS = 86
"""32 direct ones, then two an octave up to 2^32."""
PRECISION = 12
SCALE = 1 << PRECISION

_STEPS = (65536, 77936, 92682, 110218)
"""2^(i/4) in 16 fractional bits."""
_LOWEST = 4 * PRECISION
"""The rarest share on the wire: 2^-12."""
_SHARES = np.array([(_STEPS[-i % 4] << 14) >> (i + 3) // 4 for i in range(_LOWEST + 1)])
"""Share i is 2^(-i/4), in 30 fractional bits."""
_BOUNDS = ((_SHARES[1:] + _SHARES[:-1]) // 2)[::-1].copy()
_COST = np.round(-256 * np.log2(np.maximum(np.arange(SCALE + 1), 1) / SCALE)).astype(np.int64)
"""Bits of a symbol by its frequency, in 1/256: only for choosing, yet the same everywhere, since
no value lies within rounding of a half."""
_TABLE_BITS = 3 * 256
"""What one entry of a table costs, about, in 1/256 bit."""


def _shares(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each count's share of the total as a step number; -1 where the count is 0."""
    total = max(int(counts.sum()), 1)
    shares = _LOWEST - np.searchsorted(_BOUNDS, (counts << 30) // total, side="right")
    return np.where(counts > 0, shares, -1)


def _frequencies(shares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return frequencies that sum to SCALE; where no share is given the first token owns all."""
    weights = np.where(shares >= 0, _SHARES[shares], 0)
    total = int(weights.sum())
    frequencies = np.zeros(TOKENS, np.int64)
    if total == 0:
        frequencies[0] = SCALE
        return frequencies
    frequencies = np.where(shares >= 0, np.maximum(1, weights * SCALE // total), 0)
    rest = SCALE - int(frequencies.sum())
    while rest:
        largest = int(np.argmax(frequencies))
        # What rounding left over goes to the largest, where it hurts least.
        change = rest if rest > 0 else -min(-rest, int(frequencies[largest]) // 2)
        frequencies[largest] += change
        rest -= change
    return frequencies


def write_tables(counts: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """Return the tables as bytes, and the (tables, TOKENS) frequencies that they decode to."""
    coder = RangeEncoder()
    flags, lasts, steps = Tokens(2), Integers(8, direct=16), Integers(8, direct=40)
    frequencies = np.empty_like(counts)
    current = _frequencies(np.full(TOKENS, -1))
    for index, row in enumerate(counts):
        shares = _shares(row)
        own = _frequencies(shares)
        used = np.flatnonzero(row)
        last = int(used[-1]) if used.size else 0
        reachable = not (current[used] == 0).any()
        gain = int((row * (_COST[current] - _COST[own]))[used].sum()) if reachable else 1 << 62
        fresh = bool(used.size) and gain > _TABLE_BITS * (last + 2)
        flags.put(coder, int(fresh))
        if fresh:
            current = own
            lasts.put(coder, last)
            _put_shares(coder, steps, shares[: last + 1].tolist())
        frequencies[index] = current
    return coder.finish(), frequencies


def _put_shares(coder: RangeEncoder, steps: Integers, shares: list[int]) -> None:
    before = 8
    for share in shares:
        code = share if share >= 0 else _LOWEST + 1
        steps.put(coder, code - before)
        before = code


def read_tables(data: bytes, count: int) -> NDArray[np.int64]:
    """Return (count, TOKENS) frequencies; each row sums to SCALE.

    Raises:
        WireError: the bytes hold no such tables.
    """
    coder = RangeDecoder(data)
    flags, lasts, steps = Tokens(2), Integers(8, direct=16), Integers(8, direct=40)
    frequencies = np.empty((count, TOKENS), np.int64)
    current = _frequencies(np.full(TOKENS, -1))
    for index in range(count):
        if flags.take(coder):
            last = lasts.take(coder)
            if not 0 <= last < TOKENS:
                raise WireError("frequency table has too many entries")
            shares = np.full(TOKENS, -1)
            before = 8
            for token in range(last + 1):
                before += steps.take(coder)
                if not 0 <= before <= _LOWEST + 1:
                    raise WireError("frequency is out of range")
                shares[token] = before if before <= _LOWEST else -1
            current = _frequencies(shares)
        frequencies[index] = current
    return frequencies
