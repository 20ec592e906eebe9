"""Frequency tables of the entropy stage: counted, rounded to a quarter octave, and sent.

A codec knows beforehand what its tables look like, about: a table is sent as differences to that
expectation, and only if it earns the bytes. The rounding is integer arithmetic: both ends get the
same frequencies.
"""

from dataclasses import dataclass

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
_RAREST = 2.0**-16
_TABLE_BITS = 5 * 128
"""What one entry of a table costs, about, in 1/256 bit."""


def _shares(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each count's share of the total as a step number; -1 where the count is 0."""
    total = max(int(counts.sum()), 1)
    above = np.searchsorted(_BOUNDS, (counts << 30) // total, side="right")
    shares: NDArray[np.int64] = (_LOWEST - above).astype(np.int64)
    shares[counts == 0] = -1
    return shares


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


def expected_frequencies(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return frequencies that sum to SCALE for the tokens' (unscaled) probabilities.

    Tokens rarer than 2^-16 get none: where one occurs, its table is sent.
    """
    total = 0.0
    for weight in weights.tolist():
        total += weight
    frequencies: NDArray[np.int64] = np.floor(weights * (SCALE / total)).astype(np.int64)
    frequencies[(frequencies == 0) & (weights > total * _RAREST)] = 1
    frequencies[int(np.argmax(frequencies))] += SCALE - int(frequencies.sum())
    return frequencies


def write_tables(
    counts: NDArray[np.int64], expected: NDArray[np.int64]
) -> tuple[bytes, NDArray[np.int64]]:
    """Return the tables as bytes, and the (tables, TOKENS) frequencies that they decode to."""
    coder = RangeEncoder()
    flags, lasts, steps = Tokens(2), Integers(8), Integers(8, direct=24)
    frequencies = expected.copy()
    for index, row in enumerate(counts):
        used = np.flatnonzero(row)
        known = expected[index]
        fresh = False
        if used.size:
            shares = _shares(row)
            own = _frequencies(shares)
            reachable = known[used].all()
            gain = int((row * (_COST[known] - _COST[own]))[used].sum())
            fresh = not reachable or gain > _TABLE_BITS * (int(used[-1]) + 2)
        flags.put(coder, int(fresh))
        if fresh:
            frequencies[index] = own
            last = int(used[-1])
            expected_codes = _codes(known)
            lasts.put(coder, last - int(np.flatnonzero(known)[-1]))
            for token in range(last + 1):
                code = int(shares[token]) if shares[token] >= 0 else _LOWEST + 1
                steps.put(coder, code - int(expected_codes[token]))
    return coder.finish(), frequencies


def _codes(frequencies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the share that each frequency stands for; the one past the rarest for none."""
    codes = _shares(frequencies)
    codes[codes < 0] = _LOWEST + 1
    return codes


def read_tables(data: bytes, expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (tables, TOKENS) frequencies; each row sums to SCALE.

    Raises:
        WireError: the bytes hold no such tables.
    """
    coder = RangeDecoder(data)
    flags, lasts, steps = Tokens(2), Integers(8), Integers(8, direct=24)
    frequencies = expected.copy()
    for index, known in enumerate(expected):
        if not flags.take(coder):
            continue
        last = int(np.flatnonzero(known)[-1]) + lasts.take(coder)
        if not 0 <= last < TOKENS:
            raise WireError("frequency table has too many entries")
        shares = np.full(TOKENS, -1)
        expected_codes = _codes(known)
        for token in range(last + 1):
            code = int(expected_codes[token]) + steps.take(coder)
            if not 0 <= code <= _LOWEST + 1:
                raise WireError("frequency is out of range")
            shares[token] = code if code <= _LOWEST else -1
        frequencies[index] = _frequencies(shares)
    return frequencies


TOKEN_BIT, FREQUENCY_BIT = PRECISION, PRECISION + 7
TOKEN_MASK = (1 << FREQUENCY_BIT - TOKEN_BIT) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """What each slot of each table means, (tables * SCALE,)."""

    slots: NDArray[np.uint32]
    """The slot's place in its token, from TOKEN_BIT on the token, then the token's frequency."""

    @classmethod
    def of(cls, frequencies: NDArray[np.int64]) -> "Lookup":
        """Return the lookup of some frequency tables."""
        flat = frequencies.reshape(-1)
        below = (np.cumsum(frequencies, axis=1) - frequencies).reshape(-1)
        tokens = np.arange(flat.size) % TOKENS
        # A token's slots count on from its first one, whose place is 0.
        firsts = ((flat << FREQUENCY_BIT) + (tokens << TOKEN_BIT) - below).astype(np.int64)
        slots = np.repeat(firsts.astype(np.uint32), flat)
        slots += np.tile(np.arange(SCALE, dtype=np.uint32), len(frequencies))
        return cls(slots)

    def replaced(self, frequencies: NDArray[np.int64], expected: NDArray[np.int64]) -> "Lookup":
        """Return the lookup of tables, given this one of the tables that were expected."""
        fresh = (frequencies != expected).any(axis=1).nonzero()[0]
        if not fresh.size:
            return self
        slots = self.slots.copy()
        slots.reshape(-1, SCALE)[fresh] = Lookup.of(frequencies[fresh]).slots.reshape(-1, SCALE)
        return Lookup(slots)
