"""The cube codec's side information as bytes: range, means, levels and weights of each band.

All in whole arrays of Rice codes (R. F. Rice, JPL 79-22): of each number, folded to be positive,
so many low bits as they are, and the rest as so many zeros and a one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.cubemodel import CLUES, FEATURES, Side
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

_LARGEST_SAMPLE = 1 << 16
LARGEST_WEIGHT = (1 << 15) - 1
_LARGEST_CODE = 8 * 19 - 1
"""Of a level just below 2^21: residuals of 2^17."""
_FIRST_CODE = 32
_CLUE_BITS = 8
_RICE_BITS = 5
_CENTER_BITS, _CENTER_STEP_BITS = 9, 7
_LARGEST_CENTER = (1 << _CENTER_BITS >> 1) - 1
_WEIGHT_BITS = 17

Numbers = NDArray[np.int64]
Bits = NDArray[np.uint8]


def level_codes(levels: Numbers) -> Numbers:
    """Return the codes of levels: the octave and three more bits, as a context can tell apart."""
    octaves = np.maximum(np.frexp(levels.astype(np.float64))[1] - 4, 0).astype(np.int64)
    codes = np.where(levels < 8, levels, (octaves + 1) << 3 | (levels >> octaves) & 7)
    return np.minimum(codes, _LARGEST_CODE)


def levels_of(codes: Numbers) -> Numbers:
    """Return the levels, in 1/16 of a residual's magnitude, that codes stand for."""
    return np.where(codes < 8, codes, (8 | codes & 7) << np.maximum((codes >> 3) - 1, 0))


@dataclass(frozen=True, slots=True)
class Packing:
    """How the weights lie in the side information."""

    drop: int
    """All weights are multiples of 2 to this."""
    group: int
    """So many neighbouring bands share their weights."""


class _Writer:
    def __init__(self) -> None:
        self._pieces: list[Bits] = []

    def put_plain(self, numbers: Numbers, bits: int) -> None:
        """Put the low bits of each number."""
        places = np.arange(bits)
        self._pieces.append(((numbers[:, None] >> places) & 1).astype(np.uint8).reshape(-1))

    def put_rice(self, numbers: Numbers) -> None:
        """Put signed numbers."""
        folded = (numbers << 1) ^ (numbers >> 63)
        # As many low bits as make zeros and ones of the rest about equally likely.
        low = max(0, (int(folded.sum()) * 7 // (10 * folded.size)).bit_length() - 1)
        low = min(low, (1 << _RICE_BITS) - 1)
        ones = np.cumsum((folded >> low) + 1) - 1
        unary = np.zeros(int(ones[-1]) + 1, np.uint8)
        unary[ones] = 1
        self.put_plain(np.array([low]), _RICE_BITS)
        self.put_plain(folded, low)
        self._pieces.append(unary)

    def finish(self) -> bytes:
        return np.packbits(np.concatenate(self._pieces), bitorder="little").tobytes()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        self._ones = self._bits.nonzero()[0]
        self._place = 0

    def take_plain(self, count: int, bits: int) -> Numbers:
        """Return so many numbers of so many bits."""
        taken = self._bits[self._place : self._place + count * bits]
        if taken.size != count * bits:
            raise WireError("side information is cut short")
        self._place += count * bits
        return taken.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits))

    def take_rice(self, count: int) -> Numbers:
        """Return so many signed numbers."""
        low = int(self.take_plain(1, _RICE_BITS)[0])
        folded = self.take_plain(count, low)
        first = int(np.searchsorted(self._ones, self._place))
        ends = self._ones[first : first + count]
        if ends.size != count:
            raise WireError("side information is cut short")
        folded += np.diff(ends, prepend=self._place - 1) - 1 << low
        self._place = int(ends[-1]) + 1
        return (folded >> 1) ^ -(folded & 1)


def write_side(side: Side, packing: Packing) -> bytes:
    """Return the side information."""
    low = side.lowest
    numbers = [low + _LARGEST_SAMPLE, side.highest - low, packing.drop, packing.group]
    bits = _Writer()
    bits.put_plain(np.array(side.clue_weights), _CLUE_BITS)
    bits.put_rice(np.diff(side.means, prepend=low))
    bits.put_rice(np.diff(level_codes(side.levels), prepend=_FIRST_CODE))
    sets = (side.weights >> packing.drop)[:: packing.group]
    used = sets.any(axis=1)
    bits.put_plain(used.astype(np.int64), 1)
    for weights in sets[used].T if used.any() else ():
        center = int(np.sort(weights)[weights.size // 2]) >> _CENTER_STEP_BITS
        center = min(center, _LARGEST_CENTER)
        bits.put_plain(np.array([center]), _CENTER_BITS)
        bits.put_rice(weights - (center << _CENTER_STEP_BITS))
    return write_varints(numbers) + bits.finish()


def read_side(data: bytes, bands: int) -> Side:
    """Return the side information of ``bands`` bands.

    Raises:
        WireError: a value is out of its range.
    """
    (lowest, span, drop, group), place = read_varints(data, 4)
    lowest -= _LARGEST_SAMPLE
    if abs(lowest) > _LARGEST_SAMPLE or not 0 <= span <= 2 * _LARGEST_SAMPLE:
        raise WireError("range of the cube's samples is not possible")
    if drop >= _WEIGHT_BITS or not 1 <= group <= bands:
        raise WireError("packing of the weights is not possible")
    bits = _Reader(data[place:])
    clue_weights = tuple(bits.take_plain(CLUES, _CLUE_BITS).tolist())
    means = lowest + np.cumsum(bits.take_rice(bands))
    codes = _FIRST_CODE + np.cumsum(bits.take_rice(bands))
    if means.min() < lowest or means.max() > lowest + span:
        raise WireError("mean of a band is out of range")
    if codes.min() < 0 or codes.max() > _LARGEST_CODE:
        raise WireError("level of a band is out of range")
    used = bits.take_plain(-(-bands // group), 1).nonzero()[0]
    weights = np.zeros((-(-bands // group), FEATURES), np.int64)
    for feature in range(FEATURES if used.size else 0):
        center = int(bits.take_plain(1, _CENTER_BITS)[0])
        center -= center >> (_CENTER_BITS - 1) << _CENTER_BITS
        weights[used, feature] = bits.take_rice(used.size) + (center << _CENTER_STEP_BITS)
    weights <<= drop
    if np.abs(weights).max() > LARGEST_WEIGHT + 1:
        raise WireError("weight of a band is out of range")
    return Side(
        lowest,
        lowest + span,
        means,
        np.repeat(weights, group, axis=0)[:bands],
        levels_of(codes),
        clue_weights,
    )
