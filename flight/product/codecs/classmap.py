"""The map codec: (rows, columns) uint8 labels or masks, lossless, in tiles that decode alone.

A label is nearly always one of its neighbours', so what is coded is which of the distinct ones
among W, N, NE and NW it is, under a context that says which of these and of WW and NN are alike.
A label that is none of them is foretold by what has stood east of W and south of N instead.
Where all are alike and the row above goes on unchanged, one symbol says how the whole stretch
goes on, so that large plain areas cost next to nothing, in bytes and in time.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import add

import numpy as np

from flight.product.codecs.geometry import cut_even
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder, Tokens
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

_RAW, _MODEL = 0, 1
_PAD = 2
_BROKEN = 4
"""The context of a pixel known to differ: contexts below are plain ones, from 8 on mixed."""
_STEP = 4
_HALVE_ABOVE = 1600
_LABEL_STEP = 2
_HALVE_LABELS_ABOVE = 1 << 12
"""One label's count, so that the total of 256 stays far below what the coder can divide."""
_MAXIMUM_EXPANSION = 1 << 14
"""Pixels a byte of stream: a plain map of 1,024 rows still fits, a decoding bomb does not."""

Rows = list[list[int]]


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 2:
        raise ValueError("a map has rows and columns")
    return cut_even(shape, (options.tile * 2, options.tile * 2))


class _Model:
    """The adaptive counts, the same at both ends."""

    def __init__(self, labels: int) -> None:
        self._ranks: dict[int, list[int]] = {}
        self._labels = labels
        self._east: dict[int, list[int]] = {}
        self._south: dict[int, list[int]] = {}
        self._stretches: dict[int, Tokens] = {}

    def ranks(self, context: int, count: int) -> list[int]:
        """Return a context's counts of each candidate and of "none", and their total."""
        counts = self._ranks.get(context)
        if counts is None:
            counts = [6] + [2] * (count - 1) + [1, 5 + 2 * count]
            self._ranks[context] = counts
        return counts

    @staticmethod
    def learn_rank(counts: list[int], rank: int) -> None:
        """Count a rank; old counts fade."""
        counts[rank] += _STEP
        counts[-1] += _STEP
        if counts[-1] > _HALVE_ABOVE:
            counts[:-1] = [(count + 1) >> 1 for count in counts[:-1]]
            counts[-1] = sum(counts[:-1])

    def labels(self, west: int, north: int, candidates: list[int]) -> list[int]:
        """Return the counts of labels beside such neighbours; a candidate's is 0."""
        counts = list(map(add, self._beside(self._east, west), self._beside(self._south, north)))
        for candidate in candidates:
            counts[candidate] = 0
        return counts

    def learn_label(self, west: int, north: int, label: int) -> None:
        """Count a label that was no candidate; old counts fade."""
        for counts in (self._beside(self._east, west), self._beside(self._south, north)):
            counts[label] += _LABEL_STEP
            if counts[label] > _HALVE_LABELS_ABOVE:
                counts[:] = [(count + 1) >> 1 for count in counts]

    def _beside(self, table: dict[int, list[int]], neighbour: int) -> list[int]:
        counts = table.get(neighbour)
        if counts is None:
            counts = table[neighbour] = [1] * self._labels
        return counts

    def stretch(self, length: int) -> Tokens:
        """Return the model of "does it go on to the end" for stretches about so long."""
        bucket = length.bit_length()
        tokens = self._stretches.get(bucket)
        if tokens is None:
            tokens = self._stretches[bucket] = Tokens(2)
        return tokens


def _context(
    row: list[int], above: list[int], above2: list[int], column: int
) -> tuple[int, list[int]]:
    """Return the context of a pixel and its distinct neighbours, the likeliest first."""
    west, north = row[column - 1], above[column]
    north_east, north_west = above[column + 1], above[column - 1]
    west2, north2 = row[column - 2], above2[column]
    if west == north == north_east == north_west:
        return (0 if west2 == west else 2) + (0 if north2 == north else 1), [west]
    candidates = [west]
    if north != west:
        candidates.append(north)
    if north_east not in candidates:
        candidates.append(north_east)
    if north_west not in candidates:
        candidates.append(north_west)
    alike = (
        (west == north)
        | (north == north_east) << 1
        | (west == north_west) << 2
        | (west2 == west) << 3
        | (north2 == north) << 4
        | (west == north_east) << 5
        | (north == north_west) << 6
    )
    return 8 + alike, candidates


def _stretches(above: list[int], above2: list[int]) -> list[int]:
    """Return for each column how far from there on both rows above are one label.

    A stretch ends one column before the change, so that every pixel in it has plain neighbours.
    """
    lengths = [0] * len(above)
    run = 0
    for column in range(len(above) - 2, 0, -1):
        plain = above[column - 1] == above[column] == above[column + 1] == above2[column]
        run = run + 1 if plain else 0
        lengths[column] = run
    return lengths


class _Writer:
    """Codes what the rows already hold."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.coder = RangeEncoder()

    def rank(
        self,
        model: _Model,
        counts: list[int],
        candidates: list[int],
        north: int,
        at: tuple[int, int],
    ) -> int:
        """Code the pixel's rank among its candidates; return its label."""
        label = self._rows[at[0]][at[1]]
        if label in candidates:
            rank = candidates.index(label)
            self.coder.put(sum(counts[:rank]), counts[rank], counts[-1])
        else:
            rank = len(candidates)
            self.coder.put(counts[-1] - counts[rank], counts[rank], counts[-1])
            labels = model.labels(candidates[0], north, candidates)
            self.coder.put(sum(labels[:label]), labels[label], sum(labels))
            model.learn_label(candidates[0], north, label)
        model.learn_rank(counts, rank)
        return label

    def stretch(self, model: _Model, length: int, label: int, at: tuple[int, int]) -> int:
        """Code how many of the next ``length`` pixels have the label; return it."""
        row, column = at
        pixels = self._rows[row]
        same = 0
        while same < length and pixels[column + same] == label:
            same += 1
        model.stretch(length).put(self.coder, int(same < length))
        if same < length:
            self.coder.put(same, 1, length)
        return same


class _Reader:
    """Gives back what a writer coded."""

    def __init__(self, data: bytes) -> None:
        self._coder = RangeDecoder(data)

    def rank(
        self,
        model: _Model,
        counts: list[int],
        candidates: list[int],
        north: int,
        at: tuple[int, int],
    ) -> int:
        """Return the label of the pixel."""
        del at
        look = self._coder.look(counts[-1])
        rank = below = 0
        while look >= below + counts[rank]:
            below += counts[rank]
            rank += 1
        self._coder.take(below, counts[rank])
        model.learn_rank(counts, rank)
        return candidates[rank] if rank < len(candidates) else self._other(model, candidates, north)

    def _other(self, model: _Model, candidates: list[int], north: int) -> int:
        ends = list(accumulate(model.labels(candidates[0], north, candidates)))
        if not ends[-1]:
            raise WireError("a label that does not exist")
        label = bisect_right(ends, self._coder.look(ends[-1]))
        below = ends[label - 1] if label else 0
        self._coder.take(below, ends[label] - below)
        model.learn_label(candidates[0], north, label)
        return label

    def stretch(self, model: _Model, length: int, label: int, at: tuple[int, int]) -> int:
        """Return how many of the next ``length`` pixels have the label."""
        del label, at
        if not model.stretch(length).take(self._coder):
            return length
        same = self._coder.look(length)
        self._coder.take(same, 1)
        return same


def _walk(rows: Rows, shape: Shape, model: _Model, coder: _Writer | _Reader) -> None:
    """Take every pixel in turn; a reader fills the rows, a writer finds them filled."""
    height, width = shape
    end = width + _PAD
    for y in range(_PAD, height + _PAD):
        row, above, above2 = rows[y], rows[y - 1], rows[y - 2]
        stretches = _stretches(above, above2)
        column = _PAD
        while column < end:
            length = min(stretches[column], end - column)
            label = row[column - 1]
            broken = False
            if length and label == above[column] == row[column - 2]:
                same = coder.stretch(model, length, label, (y, column))
                row[column : column + same] = [label] * same
                column += same
                if same == length:
                    continue
                broken = True
            context, candidates = _context(row, above, above2, column)
            if broken:
                context = _BROKEN
            counts = model.ranks(context * 8 + len(candidates), len(candidates))
            row[column] = coder.rank(model, counts, candidates, above[column], (y, column))
            column += 1


def _encode(samples: Integers, options: Options) -> bytes:
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    if samples.dtype != np.uint8 or samples.ndim != 2 or samples.size == 0:
        return plain
    rows: Rows = np.pad(samples, _PAD).astype(int).tolist()
    writer = _Writer(rows)
    labels = int(samples.max()) + 1
    _walk(rows, samples.shape, _Model(labels), writer)
    return min(bytes([_MODEL, labels - 1]) + writer.coder.finish(), plain, key=len)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if len(data) < 2:
        raise WireError("part of a map is cut short")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] != _MODEL or len(shape) != 2 or dtype != np.uint8 or 0 in shape:
        raise WireError("part of a map of an unknown method")
    if math.prod(shape) > len(data) * _MAXIMUM_EXPANSION:
        raise WireError("the stream is too short for its pixels")
    height, width = shape
    rows: Rows = [[0] * (width + 2 * _PAD) for _ in range(height + _PAD)]
    _walk(rows, shape, _Model(data[1] + 1), _Reader(data[2:]))
    pixels = np.array([row[_PAD:-_PAD] for row in rows[_PAD:]], np.uint8)
    return Block(as_integers(pixels, dtype))


CLASS_MAP = Codec("class map", 2, _cut, _encode, _decode)
