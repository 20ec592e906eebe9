"""A busy map, diagonal by diagonal: every pixel's neighbours lie on earlier ones.

Pixels with the same x + 2 y are foretold together, in whole arrays; only the range coder takes
them one by one. A map of short diagonals is laid out as a few strips, one below the other, whose
diagonals are taken together: a lower strip's first row knows less, but there are fewer steps.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import OTHER, PLACES, Beside, Labels, Mixer
from flight.product.codecs.types import Shape

_SLOPE = 2
"""North-east reaches one column right: one row costs two columns."""
_BLOCK_PIXELS = 1 << 14
_LONG = 86
"""Pixels that a diagonal should have, on average: more strips make it longer."""
_MOST_STRIPS, _LEAST_ROWS = 3, 32

_FREE_STEPS, _PIXELS_A_STEP = 192, 24
_FREE_PIXELS, _PIXELS_A_BYTE = 1 << 10, 32
"""A step costs time, however few pixels it takes, and so does a pixel: a short stream or a long
and thin map cannot ask for many. No busy map is coded at a quarter of a bit."""

Places = NDArray[np.int64]


def affords_wave(shape: Shape, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a map of this shape."""
    pixels = shape[0] * shape[1]
    steps = _steps(_strip_rows(shape), shape[1])
    return (
        pixels <= _FREE_PIXELS + stream_bytes * _PIXELS_A_BYTE
        and steps <= _FREE_STEPS + pixels // _PIXELS_A_STEP
    )


def _strip_rows(shape: Shape) -> int:
    """Return the rows of a strip: as few strips as make the diagonals long, if that can be."""
    rows, columns = shape
    most = max(1, min(_MOST_STRIPS, rows // _LEAST_ROWS))
    heights = [-(-rows // strips) for strips in range(1, most + 1)]
    long = [height for height in heights if rows * columns >= _LONG * _steps(height, columns)]
    return long[0] if long else heights[-1]


def _steps(rows: int, columns: int) -> int:
    return columns + _SLOPE * (rows - 1)


def walk_diagonals(labels: Labels, count: int, coder: MapWriter | MapReader) -> None:
    """Take every pixel of a (rows, columns) map of ``count`` labels, diagonal by diagonal.

    A reader fills the map, a writer finds it filled.
    """
    mixer, beside = Mixer(count), Beside(count)
    # One more, which is what the first pixel has for neighbours.
    flat = np.append(labels, labels.dtype.type(0))
    for places, around in _diagonals(labels.shape):
        near = flat.take(around)
        here = flat.take(places) if isinstance(coder, MapWriter) else None
        ranks = coder.ranks(mixer.foretell(near).tolist(), _ranks(near, here))
        mixer.learn(ranks)
        which = ranks.astype(np.int64)
        which *= ranks.size
        which += np.arange(ranks.size)
        found = near.take(which)
        others = (ranks == OTHER).nonzero()[0]
        if others.size:
            known = [] if here is None else here[others].tolist()
            ends = beside.foretell(near.take(others, axis=1)).tolist()
            found[others] = labels_found = coder.labels(ends, known)
            beside.learn(labels_found)
        flat[places] = found
    labels[:] = flat[:-1].reshape(labels.shape)


def _ranks(near: Labels, here: Labels | None) -> list[int]:
    """Return the ranks of labels that are known."""
    if here is None:
        return []
    likes = np.ones((OTHER + 1, here.size), np.bool_)
    np.equal(here, near[:OTHER], out=likes[:OTHER])
    known: list[int] = likes.argmax(axis=0).tolist()
    return known


def _diagonals(shape: Shape) -> Iterator[tuple[Places, Places]]:
    """Yield each diagonal's places in the flattened map, and those of its pixels' neighbours."""
    rows, columns = shape
    strip = _strip_rows(shape)
    steps = _steps(strip, columns)
    block = max(1, _BLOCK_PIXELS // rows)
    row = np.arange(rows)
    column_of = -_SLOPE * (row % strip)
    for first in range(0, steps, block):
        column = np.arange(first, min(first + block, steps))[:, None] + column_of
        diagonal, y = ((column >= 0) & (column < columns)).nonzero()
        x = column[diagonal, y]
        around = _around(x, y, y % strip, shape)
        places = y * columns + x
        ends = np.cumsum(np.bincount(diagonal, minlength=len(column))).tolist()
        begin = 0
        for end in ends:
            if end > begin:
                yield places[begin:end], around[:, begin:end]
            begin = end


def _around(x: Places, y: Places, depth: Places, shape: Shape) -> Places:
    """Return (PLACES, pixels): where the neighbours lie; ``depth`` is the row in the strip.

    Beyond the right edge is the last pixel of that row, left of the left one the first pixel of
    the row above the pixel, above the strip the pixel's west neighbour.
    """
    rows, columns = shape
    down, right = np.array(PLACES).T[:, :, None]
    places: Places = (y * columns + x) + (down * columns + right)
    edge = ((x < 2) | (x == columns - 1) | (depth < 2)).nonzero()[0]
    x, y, depth = x[edge], y[edge], depth[edge]
    up = np.minimum(-down, depth)
    column = np.minimum(x + right, columns - 1)
    column = np.where(up == 0, np.minimum(column, x - 1), column)
    up = np.where(column < 0, np.maximum(up, 1), up)
    inside = (y - up) * columns + np.maximum(column, 0)
    places[:, edge] = np.where(up > depth, rows * columns, inside)
    return places
