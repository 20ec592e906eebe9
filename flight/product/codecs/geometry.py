"""The geometry of a part: which box of which array it holds, as the integers of its header."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flight.product.codecs.types import MAXIMUM_DIMENSIONS, Box, Dtype, Integers, Shape
from flight.product.errors import WireError

# Numbers are on the wire: add, never renumber.
DTYPES: dict[int, Dtype] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    3: np.dtype(np.uint32),
    4: np.dtype(np.int8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """A box in an array."""

    dtype: Dtype
    shape: Shape
    """Of the whole array."""
    start: Shape
    size: Shape

    @property
    def box(self) -> Box:
        """The slices that select the box in the whole array."""
        return tuple(
            slice(first, first + length)
            for first, length in zip(self.start, self.size, strict=True)
        )


def write_geometry(samples: Integers, box: Box) -> tuple[int, ...]:
    """Return the integers that place ``box`` in ``samples``.

    Raises:
        TypeError: no dtype code stands for the array's dtype.
    """
    codes = [code for code, dtype in DTYPES.items() if dtype == samples.dtype]
    if not codes:
        raise TypeError(f"no codec takes {samples.dtype}")
    bounds = [part.indices(length) for part, length in zip(box, samples.shape, strict=True)]
    start = [first for first, _, _ in bounds]
    size = [last - first for first, last, _ in bounds]
    return (codes[0], *samples.shape, *start, *size)


def read_geometry(numbers: tuple[int, ...], limit_bytes: int) -> Geometry:
    """Return the box that a part claims to hold.

    Raises:
        WireError: the numbers are no box in an array, or the array exceeds ``limit_bytes``.
    """
    dimensions, remainder = divmod(len(numbers) - 1, 3)
    if len(numbers) < 1 or remainder or dimensions > MAXIMUM_DIMENSIONS:
        raise WireError("geometry has the wrong number of values")
    dtype = DTYPES.get(numbers[0])
    if dtype is None:
        raise WireError(f"dtype code {numbers[0]} is not known")
    shape, start, size = (
        numbers[1 + index * dimensions : 1 + (index + 1) * dimensions] for index in range(3)
    )
    for length, first, extent in zip(shape, start, size, strict=True):
        if first < 0 or extent < 0 or first + extent > length:
            raise WireError("the part lies outside its array")
    # An empty axis must not hide a huge one: the cap counts it as one.
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > limit_bytes:
        raise WireError("the array is larger than the limit")
    return Geometry(dtype, shape, start, size)


def cut_grid(shape: Shape, sizes: Shape) -> Iterator[Box]:
    """Yield the boxes of a grid of ``sizes`` over ``shape`` in C order; an empty array has one."""
    steps = [
        range(0, max(length, 1), max(1, min(size, max(length, 1))))
        for length, size in zip(shape, sizes, strict=True)
    ]
    for index in np.ndindex(*(len(step) for step in steps)):
        yield tuple(
            slice(step[place], min(step[place] + step.step, length))
            for place, step, length in zip(index, steps, shape, strict=True)
        )


def cut_even(shape: Shape, sizes: Shape) -> Iterator[Box]:
    """Yield the boxes of a grid whose cells are as equal as can be and at most ``sizes``."""
    counts = [-(-length // size) for length, size in zip(shape, sizes, strict=True)]
    even = tuple(
        -(-length // count) if count else 1 for length, count in zip(shape, counts, strict=True)
    )
    return cut_grid(shape, even)


LARGEST_TILE = 1 << 9
"""Rows or columns of an image's part: what a decoder needs beside its pixels stays below 16 MB."""


def cut_tiles(shape: Shape, tile: int) -> Iterator[Box]:
    """Yield the boxes of an image's tiles, about ``tile`` rows and columns each.

    Raises:
        ValueError: the shape is no image's.
    """
    if len(shape) != 2:
        raise ValueError("an image has rows and columns")
    side = min(tile, LARGEST_TILE)
    return cut_even(shape, (side, side))


def check_tile(shape: Shape) -> None:
    """Refuse a tile that no encoder makes, before anything is allocated.

    Raises:
        WireError: it is not two-dimensional, or has more pixels than the largest tile.
    """
    if len(shape) != 2 or math.prod(shape) > LARGEST_TILE**2:
        raise WireError("not a tile of an image")
