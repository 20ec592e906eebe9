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
    """Return each count's share of its row's total as a step number; -1 where the count is 0."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    above = np.searchsorted(_BOUNDS, (counts << 30) // totals, side="right")
    shares: NDArray[np.int64] = (_LOWEST - above).astype(np.int64)
    shares[counts == 0] = -1
    return shares


def _frequencies(shares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows that sum to SCALE; where no share is given the first token owns all."""
    given = shares >= 0
    weights = np.where(given, _SHARES[shares], 0)
    totals = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    frequencies = np.where(given, np.maximum(1, weights * SCALE // totals), 0)
    frequencies[~given.any(axis=1), 0] = SCALE
    while True:
        rest = SCALE - frequencies.sum(axis=1)
        rows = rest.nonzero()[0]
        if not rows.size:
            return frequencies
        # What rounding left over goes to the largest, where it hurts least.
        largest = frequencies[rows].argmax(axis=1)
        most = frequencies[rows, largest] // 2
        frequencies[rows, largest] += np.maximum(rest[rows], -most)


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
    shares = _shares(counts)
    own = _frequencies(shares)
    used = counts > 0
    gains = (counts * (_COST[expected] - _COST[own])).sum(axis=1, where=used)
    ends = TOKENS - used[:, ::-1].argmax(axis=1)
    fresh = (used & (expected == 0)).any(axis=1) | (gains > _TABLE_BITS * (ends + 1))
    fresh &= used.any(axis=1)
    codes = np.where(shares >= 0, shares, _LOWEST + 1) - _codes(expected)
    for index in range(len(counts)):
        flags.put(coder, int(fresh[index]))
        if fresh[index]:
            lasts.put(coder, int(ends[index]) - _end(expected[index]))
            for step in codes[index, : ends[index]].tolist():
                steps.put(coder, step)
    return coder.finish(), np.where(fresh[:, None], own, expected)


def _end(frequencies: NDArray[np.int64]) -> int:
    """Return how many tokens a table has, up to the last one that occurs."""
    return int(np.flatnonzero(frequencies)[-1]) + 1


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
    known = _codes(expected)
    shares = np.full(expected.shape, -1)
    fresh = []
    for index in range(len(expected)):
        if not flags.take(coder):
            continue
        end = _end(expected[index]) + lasts.take(coder)
        if not 1 <= end <= TOKENS:
            raise WireError("frequency table has too many entries")
        codes = known[index, :end] + [steps.take(coder) for _ in range(end)]
        if codes.min() < 0 or codes.max() > _LOWEST + 1:
            raise WireError("frequency is out of range")
        shares[index, :end] = np.where(codes <= _LOWEST, codes, -1)
        fresh.append(index)
    frequencies = expected.copy()
    frequencies[fresh] = _frequencies(shares[fresh])
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
