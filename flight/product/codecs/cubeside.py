"""The cube codec's side information as bytes: range, means, levels and weights of each band."""

import numpy as np

from flight.product.codecs.cubemodel import CLUES, FEATURES, Side
from flight.product.codecs.rangecoder import Integers, RangeDecoder, RangeEncoder
from flight.product.errors import WireError

_LARGEST_SAMPLE = 1 << 16
LARGEST_WEIGHT = (1 << 15) - 1
_LARGEST_CODE = 255
_CLUE_BITS = 8


def level_code(level: int) -> int:
    """Return the code of a level: its octave and three more bits, as a context can tell apart."""
    octave = max(0, level.bit_length() - 4)
    return level if level < 8 else (octave + 1) << 3 | (level >> octave) & 7


def level_of(code: int) -> int:
    """Return the level, in 1/16 of a residual's magnitude, that a code stands for."""
    return code if code < 8 else (8 | code & 7) << ((code >> 3) - 1)


def write_side(side: Side, weight_drop: int) -> bytes:
    """Return the side information; weights are multiples of 2^``weight_drop``."""
    coder = RangeEncoder()
    numbers, means, levels = Integers(20), Integers(20), Integers(10, direct=8)
    kinds = [Integers(17, direct=4) for _ in range(FEATURES)]
    for number in (side.lowest, side.highest - side.lowest, weight_drop):
        numbers.put(coder, number)
    for weight in side.clue_weights:
        coder.put_bits(weight, _CLUE_BITS)
    mean = side.lowest
    code = 32
    for band, row in enumerate(side.weights.tolist()):
        means.put(coder, int(side.means[band]) - mean)
        mean = int(side.means[band])
        here = level_code(int(side.levels[band]))
        levels.put(coder, here - code)
        code = here
        for kind, weight in zip(kinds, row, strict=True):
            kind.put(coder, weight >> weight_drop)
    return coder.finish()


def read_side(data: bytes, bands: int) -> Side:
    """Return the side information of ``bands`` bands.

    Raises:
        WireError: a value is out of its range.
    """
    coder = RangeDecoder(data)
    numbers, means, levels = Integers(20), Integers(20), Integers(10, direct=8)
    kinds = [Integers(17, direct=4) for _ in range(FEATURES)]
    lowest, span, drop = (numbers.take(coder) for _ in range(3))
    clue_weights = tuple(coder.take_bits(_CLUE_BITS) for _ in range(CLUES))
    if abs(lowest) > _LARGEST_SAMPLE or not 0 <= span <= 2 * _LARGEST_SAMPLE or not 0 <= drop < 16:
        raise WireError("range of the cube's samples is not possible")
    mean, code = lowest, 32
    rows = []
    for _ in range(bands):
        mean += means.take(coder)
        code += levels.take(coder)
        if not lowest <= mean <= lowest + span or not 0 <= code <= _LARGEST_CODE:
            raise WireError("mean or level of a band is out of range")
        weights = [kind.take(coder) << drop for kind in kinds]
        if max(map(abs, weights)) > LARGEST_WEIGHT + 1:
            raise WireError("weight of a band is out of range")
        rows.append((mean, level_of(code), weights))
    return Side(
        lowest,
        lowest + span,
        np.array([mean for mean, _, _ in rows], np.int64),
        np.array([weights for _, _, weights in rows], np.int64).reshape(bands, FEATURES),
        np.array([level for _, level, _ in rows], np.int64),
        clue_weights,
    )
