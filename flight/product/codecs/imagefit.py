"""How the image codec's weights are fitted to a tile."""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.imagemodel import NEIGHBOURS, PAD, WEIGHT_BITS
from flight.product.codecs.linear import Floats, solve
from flight.product.codecs.types import Shape

_FIT_PIXELS = 1 << 14
_LARGEST_WEIGHT = (1 << 15) - 1
_FIT_SCALE, _FIT_CLIP = float(1 << 12), float(1 << 18)
_PAIRS = ((0, 4), (1, 2), (1, 3), (0, 2), (1, 5), (3, 9))
"""W and WW, N and NW, N and NE; W and NW, N and NN, NE and what is north of it."""
_RIDGE = 1e-6

Number = TypeVar("Number", bound=np.generic)


def some_rows(shape: Shape, pixels: int) -> slice:
    """Return rows spread over an image that hold about so many pixels."""
    stride = min(shape[0], max(1, math.prod(shape) // pixels))
    return slice(stride // 2, None, stride)


def neighbours(padded: NDArray[Number], shape: Shape) -> list[NDArray[Number]]:
    """Return what lies at each of NEIGHBOURS from every pixel of a padded image."""
    rows, columns = shape
    return [
        padded[PAD + row : PAD + row + rows, PAD + column : PAD + column + columns]
        for row, column in NEIGHBOURS
    ]


def fit_weights(padded: Floats, pixels: Floats, maximum_error: int) -> tuple[int, ...]:
    """Return a weight a neighbour by least squares of the differences to the west one."""
    # A pixel counts the less the more its neighbours differ: there a miss costs little more.
    chosen = some_rows(pixels.shape, _FIT_PIXELS)
    around = [neighbour[chosen].reshape(-1) for neighbour in neighbours(padded, pixels.shape)]
    west, *others = around
    busy = _differences(around)
    level = int(busy.sum()) // (2 * busy.size) + 1
    scale = _FIT_SCALE / (busy + level)
    # Whole numbers below 2^18, some 2^15 of them: the sums stay below 2^53.
    rows = np.stack([(neighbour - west) * scale for neighbour in others])
    np.floor(np.clip(rows, -_FIT_CLIP, _FIT_CLIP, out=rows), out=rows)
    target = np.floor(np.clip((pixels[chosen].reshape(-1) - west) * scale, -_FIT_CLIP, _FIT_CLIP))
    gram = rows @ rows.T
    diagonal = np.einsum("ii->i", gram)
    noise = float((np.floor(scale) ** 2).sum()) * ((2 * maximum_error + 1) ** 2 - 1) / 12
    trace = 0.0
    for term in diagonal.tolist():
        trace += term
    diagonal += trace * (_RIDGE / len(others)) + _FIT_SCALE + noise
    right = np.asarray(rows @ target, np.float64)
    answer = np.rint(solve(gram[None], right[None])[0] * (1 << WEIGHT_BITS))
    weights = [int(weight) for weight in np.clip(answer, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)]
    return ((1 << WEIGHT_BITS) - sum(weights), *weights)


def _differences(around: list[Floats]) -> Floats:
    """Return how much the neighbours of each pixel differ from one another."""
    total = np.zeros(around[0].shape)
    for one, other in _PAIRS:
        total += np.abs(around[one] - around[other])
    return total
