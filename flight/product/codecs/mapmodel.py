"""What the map codec learns: how likely a pixel is like its neighbours, or which label it has.

A case is a node of the context tree. It begins as one of the fifteen ways in which W, N, NE and NW
can be alike, and is divided where it has surprised often enough.
"""

from collections.abc import Iterable
from operator import mul
from typing import TypeAlias

from flight.product.codecs.mapcoder import Case

_FEW_LABELS = 3
_PATIENCE_WITH_FEW, _PATIENCE = 16, 8
"""A case that has surprised more often than this is divided. Maps of few labels have textures,
which take long to tell from noise, maps of many have outlines."""
_HALVE_LABELS_ABOVE = 1 << 7
"""One label's count: so the products of 256 stay far below what the coder can divide."""

Row: TypeAlias = list[int]
Corner: TypeAlias = tuple[int, int, int, int]
"""The labels W, N, NE and NW."""


Known: TypeAlias = tuple[Case, dict[int, int], tuple[int, ...], int]
"""A corner's case, the ranks of the labels in it, these labels, the likeliest first, and how many
of them are asked about: not the last one, if there is no other label."""


class Model:
    """What adapts, the same at both ends."""

    def __init__(self, labels: int) -> None:
        self.count = labels
        self.patience = _PATIENCE_WITH_FEW if labels <= _FEW_LABELS else _PATIENCE
        self._cases: dict[Corner, Case] = {}
        self._east: dict[int, Row] = {}
        self._south: dict[int, Row] = {}
        self._stretches: dict[int, Case] = {}
        self.corners: dict[Corner, Known] = {}
        """What is known of every corner met so far."""

    def new_corner(self, corner: Corner) -> Known:
        """Return what is known of a corner."""
        ranks: dict[int, int] = {}
        for label in corner:
            ranks.setdefault(label, len(ranks))
        west, north, north_east, north_west = corner
        alike = ranks[west], ranks[north], ranks[north_east], ranks[north_west]
        case = self._cases.get(alike)
        if case is None:
            first = 0.97 if len(ranks) == 1 else 0.7
            case = self._cases[alike] = Case.guess(first, 0.6, 0.5, 0.5)
        asked = min(len(ranks), self.count - 1)
        known = self.corners[corner] = case, ranks, tuple(ranks), asked
        return known

    def stretch(self, length: int) -> Case:
        """Return the question whether stretches about so long go on to their end."""
        bucket = length.bit_length()
        case = self._stretches.get(bucket)
        if case is None:
            case = self._stretches[bucket] = Case.guess(0.7)
        return case

    def labels(self, west: int, north: int, candidates: Iterable[int]) -> Row:
        """Return how likely each label is beside such neighbours; a candidate is not."""
        counts = list(map(mul, self._beside(self._east, west), self._beside(self._south, north)))
        for candidate in candidates:
            counts[candidate] = 0
        return counts

    def learn_label(self, west: int, north: int, label: int) -> None:
        """Count a label that was no candidate; old counts fade."""
        for counts in (self._beside(self._east, west), self._beside(self._south, north)):
            counts[label] += 1
            if counts[label] > _HALVE_LABELS_ABOVE:
                counts[:] = [(count + 1) >> 1 for count in counts]

    def _beside(self, table: dict[int, Row], neighbour: int) -> Row:
        counts = table.get(neighbour)
        if counts is None:
            counts = table[neighbour] = [1] * self.count
        return counts
