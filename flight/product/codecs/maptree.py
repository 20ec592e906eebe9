"""A plain map, pixel by pixel: stretches of one label, and a context tree for the rest.

How likely a label is a neighbour's depends on which of the neighbours are alike: first of W, N, NE
and NW; and where that has surprised often enough, also on which of them the ones further out are
like, pair by pair (a context tree that grows with what it has seen). So a map of few pixels soon
knows what it needs, and one of many learns its fine texture.

Where all are alike and the rows above go on unchanged, one question settles the whole stretch, so
that large plain areas cost next to nothing, in bytes and in time.
"""

import math
from collections.abc import Iterable

import numpy as np

from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import Labels
from flight.product.codecs.mapmodel import Model, Row
from flight.product.codecs.types import Shape
from flight.product.errors import WireError

_PAD = 3
_FREE_PIXELS, _PIXELS_A_BYTE = 1 << 20, 1 << 14
_FREE_ROWS, _ROWS_A_BYTE = 1 << 10, 16
_FREE_WORK, _WORK_A_BYTE = 1 << 12, 1 << 8
"""What a stream of so many bytes may ask for: pixels in all, rows, and work, which is a pixel that
is in no stretch. Each costs time, so a short stream that claims more is refused, and what would
need more (a fine regular pattern) is not coded so."""
_LABELS_A_PIXEL = 16
"""To find a label among so many takes as long as a pixel."""
_WIDEST = 1 << 16

_OTHER = 4
"""What a neighbour is that is like none of the first four."""
_WAYS = _OTHER + 1
_NAMED = _WAYS * _WAYS


def affords_tree(shape: Shape, work: int, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a map that takes so much work."""
    return (
        math.prod(shape) <= _FREE_PIXELS + stream_bytes * _PIXELS_A_BYTE
        and shape[0] <= _FREE_ROWS + stream_bytes * _ROWS_A_BYTE
        and shape[1] <= _WIDEST
        and work <= _FREE_WORK + stream_bytes * _WORK_A_BYTE
    )


def walk_rows(labels: Labels, count: int, coder: MapWriter | MapReader, stream_bytes: int) -> int:
    """Take every pixel of a (rows, columns) map of ``count`` labels and return the work.

    A reader fills the map, a writer finds it filled.

    Raises:
        WireError: so long a stream cannot hold so many pixels.
    """
    rows, columns = labels.shape
    model = Model(count)
    walk = _Walk(model, coder, columns)
    work = 0
    for y in range(rows):
        labels[y] = walk.take_row(labels[y].tolist())
        work += walk.work
        if not affords_tree((rows, columns), work, stream_bytes):
            raise WireError("the stream is too short for its pixels")
    return work


class _Walk:
    """The last rows, and how the next one is taken."""

    def __init__(self, model: Model, coder: MapWriter | MapReader, columns: int) -> None:
        self._model, self._coder = model, coder
        self._above: Row = [0] * (columns + 2 * _PAD)
        self._above2, self._above3 = self._above, self._above
        self._stretches = _stretches(self._above, self._above)
        self.work = 0
        """In the row that was taken last."""

    def take_row(self, known: Row) -> Row:
        """Take a row, which a writer knows, and return it."""
        above, above2, above3 = self._above, self._above2, self._above3
        row = [above[_PAD]] * _PAD + known + [0] * _PAD
        if above != above2 or above2 != above3:
            self._stretches = _stretches(above, above2)
        self._take_row(row, above, above2, above3)
        row[-_PAD:] = [row[-_PAD - 1]] * _PAD
        self._above, self._above2, self._above3 = row, above, above2
        return row[_PAD:-_PAD]

    def _take_row(self, row: Row, above: Row, above2: Row, above3: Row) -> None:
        model, coder, stretches = self._model, self._coder, self._stretches
        corners, patience = model.corners, model.patience
        levels = (
            (row, -2, above2, 0, 0),
            (above2, 1, above2, -1, 0),
            (above, 2, above, -2, _NAMED),
            (row, -3, above3, 0, 0),
            (above2, 2, above3, 1, 0),
            (above, 3, above, -3, 0),
        )
        work = 0
        column, end = _PAD, len(row) - _PAD
        while column < end:
            west, north = row[column - 1], above[column]
            length = stretches[column]
            if length and west == north == row[column - 2] == row[column - 3]:
                same = self._take_stretch(row, column, length)
                column += same
                if same < length:
                    row[column] = self._take_other(row[column], west, (west,))
                    column += 1
                    work += 1
                continue
            corner = west, north, above[column + 1], above[column - 1]
            case, ranks = corners.get(corner) or model.new_corner(corner)
            new = -1
            for one, across, other, other_across, named in levels:
                if case.questions.surprises <= patience:
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
                row[column] = self._take_other(label, north, ranks)
                work += model.count // _LABELS_A_PIXEL
            if new >= 0:
                case.divide(new, patience // 2)
            column += 1
            work += 1
        self.work = work

    def _take_stretch(self, row: Row, column: int, length: int) -> int:
        """Return how many of the next pixels are like their west neighbour, ``length`` at most."""
        coder = self._coder
        plain = [row[column - 1]] * length
        known = row[column : column + length] == plain
        if coder.answer(self._model.stretch(length), 0, known):
            row[column : column + length] = plain
            return length
        same = next((at for at in range(length) if row[column + at] != plain[0]), 0)
        same = coder.place(same, length)
        row[column : column + same] = plain[:same]
        return same

    def _take_other(self, label: int, north: int, candidates: Iterable[int]) -> int:
        """Return a label that is none of the candidates, of which W is the first."""
        west = next(iter(candidates))
        label = self._coder.label(self._model.labels(west, north, candidates), label)
        self._model.learn_label(west, north, label)
        return label


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
