"""The map codec: (rows, columns) uint8 labels or masks, lossless, in tiles that decode alone.

A label is nearly always one of its neighbours', so what is asked is whether it is W's, or else
N's, NE's, NW's, as far as these differ. How likely that is depends on which of the neighbours are
alike: first of those four; and where that has surprised often enough, also on which of them the
ones further out are like, pair by pair (a context tree that grows with what it has seen). So a
map of few pixels soon knows what it needs, and one of many learns its fine texture.

A label that is none of them is foretold by what has stood east of W and south of N instead.
Where all are alike and the rows above go on unchanged, one question settles the whole stretch, so
that large plain areas cost next to nothing, in bytes and in time.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np

from flight.product.codecs.geometry import cut_even
from flight.product.codecs.mapmodel import Model, Row
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
from flight.product.codecs.raw import RAW
from flight.product.codecs.types import (
    Block,
    Box,
    Codec,
    Dtype,
    Integers,
    Options,
    Shape,
    as_integers,
)
from flight.product.errors import WireError

_RAW = 0
"""The first byte of a part; any other is how many labels there may be, and the largest is all."""
_MANY_LABELS = 255
_ALL_LABELS = 256
_HOPELESS = 2
"""Only a map that the model shrinks by less than this is worth trying without it."""
_PAD = 3
_FREE_PIXELS, _PIXELS_A_BYTE = 1 << 20, 1 << 14
_FREE_ROWS, _ROWS_A_BYTE = 1 << 10, 16
_FREE_CODED, _CODED_A_BYTE = 1 << 14, 1 << 8
"""What a stream of so many bytes may ask for: pixels in all, rows, and pixels that are not in a
stretch. Each costs time, so a short stream that claims more is refused, and what would need more
(a fine regular pattern) is not coded so."""

_OTHER = 4
"""What a neighbour is that is like none of the first four."""
_WAYS = _OTHER + 1
_NAMED = _WAYS * _WAYS
_SURPRISES = 16
"""A case of the tree that has surprised more often than this is divided."""


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 2:
        raise ValueError("a map has rows and columns")
    return cut_even(shape, (options.tile * 2, options.tile * 2))


class _Writer(RangeEncoder):
    """Codes places and labels; answers are coded as they are."""

    def place(self, place: int, length: int) -> int:
        """Code one of ``length`` places and return it."""
        self.put(place, 1, length)
        return place

    def label(self, counts: Row, label: int) -> int:
        """Code a label by the counts of all and return it."""
        self.put(sum(counts[:label]), counts[label], sum(counts))
        return label


class _Reader(RangeDecoder):
    """Gives back what a writer coded; what it is told in advance means nothing."""

    def place(self, place: int, length: int) -> int:
        """Return one of ``length`` places."""
        place = self.look(length)
        self.take(place, 1)
        return place

    def label(self, counts: Row, label: int) -> int:
        """Return a label."""
        ends = list(accumulate(counts))
        if not ends[-1]:
            raise WireError("a label that does not exist")
        label = bisect_right(ends, self.look(ends[-1]))
        below = ends[label - 1] if label else 0
        self.take(below, ends[label] - below)
        return label


def _affords(shape: Shape, coded: int, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a map that takes so much work."""
    return (
        math.prod(shape) <= _FREE_PIXELS + stream_bytes * _PIXELS_A_BYTE
        and shape[0] <= _FREE_ROWS + stream_bytes * _ROWS_A_BYTE
        and coded <= _FREE_CODED + stream_bytes * _CODED_A_BYTE
    )


def _walk(
    rows: list[Row], shape: Shape, model: Model, coder: _Writer | _Reader, stream_bytes: int
) -> int:
    """Take every pixel in turn and return how many were in no stretch.

    A reader fills the rows, a writer finds them filled.

    Raises:
        WireError: so long a stream cannot hold so many pixels.
    """
    coded = 0
    end = shape[1] + _PAD
    corners = model.corners
    for y in range(_PAD, shape[0] + _PAD):
        row, above, above2, above3 = rows[y], rows[y - 1], rows[y - 2], rows[y - 3]
        row[:_PAD] = [above[_PAD]] * _PAD
        levels = (
            (row, -2, above2, 0, 0),
            (above2, 1, above2, -1, 0),
            (above, 2, above, -2, _NAMED),
            (row, -3, above3, 0, 0),
            (above2, 2, above3, 1, 0),
            (above, 3, above, -3, 0),
        )
        stretches = _stretches(above, above2)
        column = _PAD
        while column < end:
            west, north = row[column - 1], above[column]
            length = stretches[column]
            if length and west == north == row[column - 2] == row[column - 3]:
                same = _take_stretch(row, column, length, model, coder)
                column += same
                if same < length:
                    row[column] = _take_other(row[column], west, (west,), model, coder)
                    column += 1
                continue
            corner = west, north, above[column + 1], above[column - 1]
            case, ranks = corners.get(corner) or model.new_corner(corner)
            new = -1
            for one, across, other, other_across, named in levels:
                if case.questions.surprises <= _SURPRISES:
                    break
                alike = ranks.get(one[column + across], _OTHER) * _WAYS
                alike += west * named + ranks.get(other[column + other_across], _OTHER)
                part = case.parts.get(alike)
                if part is None:
                    new = alike
                    break
                case = part
            questions = case.questions
            label = row[column]
            for candidate, rank in ranks.items():
                if coder.answer(questions, rank, candidate == label):
                    row[column] = candidate
                    break
            else:
                row[column] = _take_other(label, north, ranks, model, coder)
            if new >= 0:
                case.divide(new)
            column += 1
            coded += 1
        if not _affords(shape, coded, stream_bytes):
            raise WireError("the stream is too short for its pixels")
        row[end:] = [row[end - 1]] * _PAD
    return coded


def _stretches(above: Row, above2: Row) -> Row:
    """Return for each column how long a stretch begins there, given the two rows above.

    In a stretch the five pixels above and the three above them that lie around each pixel are
    one label.
    """
    near, far = np.frombuffer(bytes(above), np.uint8), np.frombuffer(bytes(above2), np.uint8)
    plain = near == far
    changed, changed_far = near[1:] != near[:-1], far[1:] != far[:-1]
    plain[_PAD:-_PAD] &= ~(
        (changed[1:-4] | changed[2:-3] | changed[3:-2] | changed[4:-1])
        | (changed_far[2:-3] | changed_far[3:-2])
    )
    plain[-_PAD:] = False
    places = np.arange(near.size)
    ends = np.where(plain, near.size, places)
    lengths: Row = (np.minimum.accumulate(ends[::-1])[::-1] - places).tolist()
    return lengths


def _take_stretch(
    row: Row, column: int, length: int, model: Model, coder: _Writer | _Reader
) -> int:
    """Return how many of the next pixels are like their west neighbour, ``length`` at most."""
    plain = [row[column - 1]] * length
    same = length
    if coder.answer(model.stretch(length), 0, row[column : column + length] == plain):
        row[column : column + length] = plain
        return length
    same = next((at for at in range(length) if row[column + at] != plain[0]), 0)
    same = coder.place(same, length)
    row[column : column + same] = plain[:same]
    return same


def _take_other(
    label: int, north: int, candidates: Iterable[int], model: Model, coder: _Writer | _Reader
) -> int:
    """Return a label that is none of the candidates, of which W is the first."""
    west = next(iter(candidates))
    label = coder.label(model.labels(west, north, candidates), label)
    model.learn_label(west, north, label)
    return label


def _encode(samples: Integers, options: Options) -> bytes:
    if samples.dtype != np.uint8 or samples.ndim != 2 or samples.size == 0:
        return bytes([_RAW]) + RAW.encode(samples, options)
    rows: list[Row] = np.pad(samples, ((_PAD, 0), (_PAD, _PAD))).astype(int).tolist()
    writer = _Writer()
    labels = int(samples.max()) + 1
    if labels >= _MANY_LABELS:
        labels = _ALL_LABELS
    coded = _walk(rows, samples.shape, Model(labels), writer, samples.size)
    modelled = bytes([min(labels, _MANY_LABELS)]) + writer.finish()
    affords = _affords(samples.shape, coded, len(modelled))
    if affords and len(modelled) * _HOPELESS < samples.size:
        return modelled
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    return min(modelled, plain, key=len) if affords else plain


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if not data:
        raise WireError("empty part of a map")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if len(shape) != 2 or dtype != np.uint8 or 0 in shape:
        raise WireError("not a part of a map")
    if not _affords(shape, 0, len(data)):
        raise WireError("the stream is too short for its pixels")
    height, width = shape
    rows: list[Row] = [[0] * (width + 2 * _PAD) for _ in range(height + _PAD)]
    labels = data[0] if data[0] < _MANY_LABELS else _ALL_LABELS
    reader = _Reader(data[1:])
    _walk(rows, shape, Model(labels), reader, len(data))
    reader.finish()
    pixels = np.array([row[_PAD:-_PAD] for row in rows[_PAD:]], np.uint8)
    return Block(as_integers(pixels, dtype))


CLASS_MAP = Codec("class map", 3, _cut, _encode, _decode)
