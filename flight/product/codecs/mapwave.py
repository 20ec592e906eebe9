"""A busy map, diagonal by diagonal: every pixel's neighbours lie on earlier ones.

Pixels with the same x + 2 y are foretold together, in whole arrays; only the range coder takes
them one by one. A map of short diagonals is divided into a few fields, whose diagonals are taken
together: what lies on a field's border knows less, but there are fewer steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import OTHER, PLACES, Beside, Labels, Mixer, Ranks
from flight.product.codecs.types import Shape

_SLOPE = 2
"""North-east reaches one column right: one row costs two columns."""
_BLOCK_PIXELS = 1 << 14
_LEAST_BATCH, _MOST_BATCH, _BATCH_SHARE = 48, 1 << 10, 12
"""To learn costs time, so what was foretold waits until it is a share of all that was learned."""
_LONG = 100
"""Pixels that a diagonal should have, on average: more fields make it longer."""
_FIELDS, _LEAST_FIELD = ((1, 1), (2, 1), (2, 2), (3, 2)), 32
"""How many fields may lie below and beside each other, and the rows and columns of the smallest."""

_FREE_STEPS, _PIXELS_A_STEP = 192, 32
_FREE_PIXELS, _PIXELS_A_BYTE = 1 << 10, 16
"""A step costs time, however few pixels it takes, and so does a pixel: a short stream or a long
and thin map cannot ask for many. No busy map is coded at half a bit."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some diagonals, one after the other."""

    places: Places
    """In the flattened map."""
    around: Places
    """(PLACES, pixels): those of the pixels' neighbours."""
    ends: list[int]
    """Where each diagonal ends."""


def affords_wave(shape: Shape, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a map of this shape."""
    pixels = shape[0] * shape[1]
    steps = _steps(*_field(shape))
    return (
        pixels <= _FREE_PIXELS + stream_bytes * _PIXELS_A_BYTE
        and steps <= _FREE_STEPS + pixels // _PIXELS_A_STEP
    )


def _field(shape: Shape) -> Shape:
    """Return the rows and columns of a field: as few as make the diagonals long, if that can be."""
    rows, columns = shape
    field = shape
    for down, across in _FIELDS:
        if min(rows // down, columns // across) < _LEAST_FIELD:
            break
        field = -(-rows // down), -(-columns // across)
        if rows * columns >= _LONG * _steps(*field):
            break
    return field


def _steps(rows: int, columns: int) -> int:
    return columns + _SLOPE * (rows - 1)


def walk_diagonals(labels: Labels, count: int, coder: MapWriter | MapReader) -> None:
    """Take every pixel of a (rows, columns) map of ``count`` labels, diagonal by diagonal.

    A reader fills the map, a writer finds it filled.
    """
    mixer, beside = Mixer(count), Beside(count)
    # One more, which is what the first pixel has for neighbours.
    flat = np.append(labels, labels.dtype.type(0))
    for batch in _batches(labels.shape):
        if isinstance(coder, MapWriter):
            ranks, others = _write(flat, batch, mixer, beside, coder)
        else:
            ranks, others = _read(flat, batch, mixer, beside, coder)
        mixer.learn(ranks)
        beside.learn(others)
    labels[:] = flat[:-1].reshape(labels.shape)


def _write(
    flat: Labels, batch: Batch, mixer: Mixer, beside: Beside, coder: MapWriter
) -> tuple[Ranks, Labels]:
    """Code a batch and return its ranks, and its labels that are none of the neighbours'."""
    near, here = flat.take(batch.around), flat.take(batch.places)
    likes = np.ones((OTHER + 1, here.size), np.bool_)
    np.equal(here, near[:OTHER], out=likes[:OTHER])
    ranks = likes.argmax(axis=0)
    chances = mixer.foretell(near)
    others = (ranks == OTHER).nonzero()[0]
    labels = here.take(others)
    sums = beside.foretell(near.take(others, axis=1))
    known, known_labels = ranks.tolist(), labels.tolist()
    bounds = [0, *np.searchsorted(others, batch.ends).tolist()]
    for (begin, end), (one, two) in zip(pairwise([0, *batch.ends]), pairwise(bounds), strict=True):
        coder.ranks([each[begin:end] for each in chances], known[begin:end])
        coder.labels(sums[one:two], known_labels[one:two])
    return ranks.astype(np.uint8), labels


def _read(
    flat: Labels, batch: Batch, mixer: Mixer, beside: Beside, coder: MapReader
) -> tuple[Ranks, Labels]:
    """Fill in a batch and return its ranks, and its labels that are none of the neighbours'."""
    every, every_label = [], [np.zeros(0, np.uint8)]
    for begin, end in pairwise([0, *batch.ends]):
        near = flat.take(batch.around[:, begin:end])
        ranks = coder.ranks(mixer.foretell(near))
        every.append(ranks)
        found = near[ranks, np.arange(ranks.size)]
        others = (ranks == OTHER).nonzero()[0]
        if others.size:
            labels = coder.labels(beside.foretell(near.take(others, axis=1)))
            every_label.append(labels)
            found[others] = labels
        flat[batch.places[begin:end]] = found
    return np.concatenate(every), np.concatenate(every_label)


def _batches(shape: Shape) -> Iterator[Batch]:
    """Yield the diagonals, as many at a time as are foretold before there is enough to learn."""
    done = 0
    for block in _blocks(shape):
        begin, ends = 0, []
        for end in block.ends:
            size = end - begin
            ends.append(size)
            wanted = min(_MOST_BATCH, max(_LEAST_BATCH, (done + size) // _BATCH_SHARE))
            if size >= wanted or end == block.ends[-1]:
                yield Batch(block.places[begin:end], block.around[:, begin:end], ends)
                done += size
                begin, ends = end, []


def _blocks(shape: Shape) -> Iterator[Batch]:
    """Yield the diagonals, as many at a time as lie in so many pixels."""
    rows, columns = shape
    height, width = _field(shape)
    steps = _steps(height, width)
    y, left = np.indices((rows, -(-columns // width))).reshape(2, -1)
    left *= width
    begins = _SLOPE * (y % height)
    block = max(1, _BLOCK_PIXELS // y.size)
    for first in range(0, steps, block):
        across = np.arange(first, min(first + block, steps))[:, None] - begins
        inside = (across >= 0) & (across < np.minimum(width, columns - left))
        diagonal, which = inside.nonzero()
        lengths = np.bincount(diagonal, minlength=len(across))
        ends = np.cumsum(lengths[lengths > 0]).tolist()
        if ends:
            across = across[diagonal, which]
            place = left[which] + across, y[which]
            around = _around(*place, across, y[which] % height, shape)
            yield Batch(place[1] * columns + place[0], around, ends)


def _around(x: Places, y: Places, across: Places, down: Places, shape: Shape) -> Places:
    """Return (PLACES, pixels): where the neighbours lie; ``across`` and ``down``: in the field.

    Beyond the right edge of the map is the last pixel of that row, left of the field the first
    pixel of the row above the pixel, above the field the pixel's west neighbour.
    """
    rows, columns = shape
    below, right = np.array(PLACES).T[:, :, None]
    places: Places = (y * columns + x) + (below * columns + right)
    edge = ((across < 2) | (x == columns - 1) | (down < 2)).nonzero()[0]
    x, y, down, left = x[edge], y[edge], down[edge], x[edge] - across[edge]
    up = np.minimum(-below, down)
    column = np.where(up == 0, np.minimum(x + right, x - 1), np.minimum(x + right, columns - 1))
    up = np.where(column < left, np.maximum(up, 1), up)
    inside = (y - up) * columns + np.maximum(column, left)
    places[:, edge] = np.where(up > down, rows * columns, inside)
    return places
