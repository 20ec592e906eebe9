"""The cube codec's side information as bytes: range, means, levels and weights of each band."""

from dataclasses import dataclass

import numpy as np

from flight.product.codecs.cubemodel import CLUES, FEATURES, Side
from flight.product.codecs.rangecoder import Integers, RangeDecoder, RangeEncoder
from flight.product.errors import WireError

_LARGEST_SAMPLE = 1 << 16
LARGEST_WEIGHT = (1 << 15) - 1
_LARGEST_CODE = 255
_CLUE_BITS = 8
_WEIGHT_BITS = 17
_WIDTH_BITS = 5


def level_code(level: int) -> int:
    """Return the code of a level: its octave and three more bits, as a context can tell apart."""
    octave = max(0, level.bit_length() - 4)
    return level if level < 8 else (octave + 1) << 3 | (level >> octave) & 7


def level_of(code: int) -> int:
    """Return the level, in 1/16 of a residual's magnitude, that a code stands for."""
    return code if code < 8 else (8 | code & 7) << ((code >> 3) - 1)


@dataclass(frozen=True, slots=True)
class Packing:
    """How the weights lie in the side information."""

    drop: int
    """All weights are multiples of 2 to this."""
    group: int
    """So many neighbouring bands share their weights."""
    adaptive: bool
    """Whether they pass an adaptive model: smaller, and slower, which a large part need not be."""


def write_side(side: Side, packing: Packing) -> bytes:
    """Return the side information."""
    coder = RangeEncoder()
    numbers, means, levels = Integers(20), Integers(20), Integers(10, direct=8)
    span = side.highest - side.lowest
    for number in (side.lowest, span, packing.drop, packing.group, int(packing.adaptive)):
        numbers.put(coder, number)
    for weight in side.clue_weights:
        coder.put_bits(weight, _CLUE_BITS)
    mean = side.lowest
    code = 32
    for band in range(len(side.means)):
        means.put(coder, int(side.means[band]) - mean)
        mean = int(side.means[band])
        here = level_code(int(side.levels[band]))
        levels.put(coder, here - code)
        code = here
    weights = (side.weights >> packing.drop)[:: packing.group]
    for column in weights.T.tolist():
        _put_weights(coder, column, adaptive=packing.adaptive)
    return coder.finish()


def _put_weights(coder: RangeEncoder, weights: list[int], *, adaptive: bool) -> None:
    if adaptive:
        model = Integers(_WEIGHT_BITS, direct=4)
        for weight in weights:
            model.put(coder, weight)
        return
    # All as wide as the widest needs, from the lowest on.
    lowest = min(weights)
    width = (max(weights) - lowest).bit_length()
    coder.put_bits(lowest + (1 << _WEIGHT_BITS >> 1), _WEIGHT_BITS)
    coder.put_bits(width, _WIDTH_BITS)
    for weight in weights:
        coder.put_bits(weight - lowest, width)


def _take_weights(coder: RangeDecoder, count: int, *, adaptive: bool) -> list[int]:
    if adaptive:
        model = Integers(_WEIGHT_BITS, direct=4)
        return [model.take(coder) for _ in range(count)]
    lowest = coder.take_bits(_WEIGHT_BITS) - (1 << _WEIGHT_BITS >> 1)
    width = coder.take_bits(_WIDTH_BITS)
    return [coder.take_bits(width) + lowest for _ in range(count)]


def read_side(data: bytes, bands: int) -> Side:
    """Return the side information of ``bands`` bands.

    Raises:
        WireError: a value is out of its range.
    """
    coder = RangeDecoder(data)
    numbers, means, levels = Integers(20), Integers(20), Integers(10, direct=8)
    lowest, span, drop, group, adaptive = (numbers.take(coder) for _ in range(5))
    clue_weights = tuple(coder.take_bits(_CLUE_BITS) for _ in range(CLUES))
    if abs(lowest) > _LARGEST_SAMPLE or not 0 <= span <= 2 * _LARGEST_SAMPLE:
        raise WireError("range of the cube's samples is not possible")
    if not 0 <= drop < _WEIGHT_BITS or group < 1:
        raise WireError("packing of the weights is not possible")
    mean, code = lowest, 32
    rows = []
    for _ in range(bands):
        mean += means.take(coder)
        code += levels.take(coder)
        if not lowest <= mean <= lowest + span or not 0 <= code <= _LARGEST_CODE:
            raise WireError("mean or level of a band is out of range")
        rows.append((mean, level_of(code)))
    sets = -(-bands // group)
    columns = [_take_weights(coder, sets, adaptive=bool(adaptive)) for _ in range(FEATURES)]
    if max(max(map(abs, column)) for column in columns) << drop > LARGEST_WEIGHT + 1:
        raise WireError("weight of a band is out of range")
    weights = np.array(columns, np.int64).T << drop
    return Side(
        lowest,
        lowest + span,
        np.array([mean for mean, _ in rows], np.int64),
        np.repeat(weights, min(group, bands), axis=0)[:bands],
        np.array([level for _, level in rows], np.int64),
        clue_weights,
    )
