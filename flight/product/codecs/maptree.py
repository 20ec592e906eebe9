"""A plain map, pixel by pixel: stretches of one label, and a context tree for the rest.

How likely a label is a neighbour's depends on which of the neighbours are alike: first of W, N, NE
and NW; and where that has surprised often enough, also on which of them the ones further out are
like, pair by pair (a context tree that grows with what it has seen). So a map of few pixels soon
knows what it needs, and one of many learns its fine texture.

Where all are alike and the rows above go on unchanged, one question settles the whole stretch, so
that large plain areas cost next to nothing, in bytes and in time.
"""

from collections.abc import Iterable

import numpy as np

from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import Labels
from flight.product.codecs.mapmodel import Model, Row
from flight.product.codecs.types import Shape
from flight.product.errors import WireError

_PAD = 3
_FREE_WORK, _WORK_A_BYTE = 40 << 10, 64
"""How much work a stream of so many bytes may ask for, each about a microsecond's. It costs time,
so a short stream that claims more is refused, and what would need more (a fine regular pattern) is
not coded so."""
_ROW_WORK, _COLUMNS_A_WORK, _WORK = 3, 64, 2
"""What a row takes, beside one for so many columns, and a stretch or a pixel that is in none."""
_LABELS_A_WORK = 8
"""To find a label takes as long as a pixel, and longer if there are many."""
_WIDEST = 1 << 12

_OTHER = 4
"""What a neighbour is that is like none of the first four."""
_WAYS = _OTHER + 1
_NAMED = _WAYS * _WAYS


def affords_tree(shape: Shape, work: int, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a map with so much work beside its rows'."""
    rows, columns = shape
    least = rows * (_ROW_WORK + columns // _COLUMNS_A_WORK)
    return columns <= _WIDEST and least + work <= _FREE_WORK + stream_bytes * _WORK_A_BYTE


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
        labels[y] = np.frombuffer(walk.take_row(labels[y].tobytes()), np.uint8)
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
        self._near = self._far = bytes(self._above)
        """The two rows above, packed."""
        self.work = 0
        """In the row that was taken last."""

    def take_row(self, known: bytes) -> bytes:
        """Take a row, which a writer knows, and return it."""
        row = self._above[_PAD : _PAD + 1] * _PAD
        row += known
        row += bytes(_PAD)
        self._take_row(row)
        row[-_PAD:] = [row[-_PAD - 1]] * _PAD
        self._above, self._above2, self._above3 = row, self._above, self._above2
        self._near, self._far = bytes(row), self._near
        return self._near[_PAD:-_PAD]

    def _take_row(self, row: Row) -> None:
        model, coder = self._model, self._coder
        above, above2, above3 = self._above, self._above2, self._above3
        corners, patience = model.corners, model.patience
        levels = (
            (row, -2, above2, 0, 0),
            (above2, 1, above2, -1, 0),
            (above, 2, above, -2, _NAMED),
            (row, -3, above3, 0, 0),
            (above2, 2, above3, 1, 0),
            (above, 3, above, -3, 0),
        )
        work, other_work = 0, _WORK + model.count // _LABELS_A_WORK
        column, end = _PAD, len(row) - _PAD
        while column < end:
            west, north = row[column - 1], above[column]
            length = 0
            if west == north == row[column - 2] == row[column - 3] == above2[column]:
                length = self._stretch(column, end, west)
            if length > 0:
                same = self._take_stretch(row, column, length)
                column += same
                work += _WORK
                if same < length:
                    row[column] = self._take_other(row[column], west, (west,))
                    column += 1
                    work += other_work
                continue
            corner = west, north, above[column + 1], above[column - 1]
            case, ranks, labels, asked = corners.get(corner) or model.new_corner(corner)
            new = -1
            for one, across, other, other_across, named in levels:
                if case.surprises <= patience:
                    break
                alike = ranks.get(one[column + across], _OTHER) * _WAYS
                alike += west * named + ranks.get(other[column + other_across], _OTHER)
                part = case.parts.get(alike)
                if part is None:
                    new = alike
                    break
                case = part
            label = row[column]
            rank = coder.rank(case, ranks.get(label, asked), asked)
            if rank < len(labels):
                row[column] = labels[rank]
            else:
                row[column] = self._take_other(label, north, ranks)
                work += other_work
            if new >= 0:
                case.divide(new, patience // 2)
            column += 1
            work += _WORK
        self.work = work

    def _stretch(self, column: int, end: int, label: int) -> int:
        """Return how long a stretch begins here; 0 or less if there is none.

        In a stretch the five pixels above and the three above them that lie around each pixel
        are one label.
        """
        one = bytes((label,))
        near, far = self._near[column - 2 :], self._far[column - 1 :]
        run = len(near) - len(near.lstrip(one)) - 4
        return min(run, len(far) - len(far.lstrip(one)) - 2, end - column) if run > 0 else 0

    def _take_stretch(self, row: Row, column: int, length: int) -> int:
        """Return how many of the next pixels are like their west neighbour, ``length`` at most."""
        coder = self._coder
        plain = [row[column - 1]] * length
        known = row[column : column + length] == plain
        if not coder.rank(self._model.stretch(length), not known, 1):
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
