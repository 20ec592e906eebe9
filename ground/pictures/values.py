"""What pictures are made of, before anybody chooses how to draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Finding

Mask = NDArray[np.bool_]
Grey = NDArray[np.float32]
Extent: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture's samples and which of them arrived."""

    samples: NDArray[np.generic]
    """(rows, columns)."""
    present: Mask
    scale: int = 1
    """How many of the frame's pixels one sample is wide: a thumbnail's are wider than one."""
    row: int = 0
    """Where in the frame the first sample lies."""
    column: int = 0

    @property
    def extent(self) -> Extent:
        """The picture's edges in the frame's pixels: left, right, bottom, top."""
        rows, columns = self.samples.shape
        left, top = self.column - 0.5, self.row - 0.5
        return (left, left + columns * self.scale, top + rows * self.scale, top)


@dataclass(frozen=True, slots=True)
class Site:
    """A chosen site, in the frame's pixels."""

    row: int
    column: int
    radius: int


@dataclass(frozen=True, slots=True, eq=False)
class HazardMap:
    """What a lander must not touch, on a grid that covers the frame's central square."""

    hazard: Mask
    shadow: Mask
    strength: Grey
    """(rows, columns) 0 to 1: how strongly to draw a hazard."""
    forbidden: Mask
    """By the range image, where the model sees no hazard."""
    present: Mask
    top: int
    """The square in the frame's pixels."""
    left: int
    side: int

    @property
    def extent(self) -> Extent:
        """The square's edges in the frame's pixels: left, right, bottom, top."""
        left, top = self.left - 0.5, self.top - 0.5
        return (left, left + self.side, top + self.side, top)


def stretch(view: View) -> Grey:
    """Return samples as grey, 0 to 1: the 1st to the 99th percentile of what arrived."""
    values = view.samples.astype(np.float32)
    known = values[view.present]
    if not known.size:
        return np.zeros(values.shape, np.float32)
    low, high = np.percentile(known, (1, 99))
    span = max(float(high - low), 1.0)
    grey: Grey = np.clip((values - np.float32(low)) / np.float32(span), 0, 1)
    return grey


@dataclass(frozen=True, slots=True)
class Words:
    """What stands above a picture."""

    title: str
    subtitle: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Findings so near each other that one mark stands for all; edges in pixels, inclusive."""

    top: int
    left: int
    bottom: int
    right: int
    ranks: tuple[int, ...]
    """Which findings, counted from 1."""


def clusters(findings: Sequence[Finding], *, reach: int) -> list[Cluster]:
    """Return findings gathered where their marks would touch, in order of rank."""
    found: list[Cluster] = []
    for rank, finding in enumerate(findings, 1):
        row, column = finding.row, finding.column
        for index, near in enumerate(found):
            inside = near.top - reach <= row <= near.bottom + reach
            if inside and near.left - reach <= column <= near.right + reach:
                found[index] = Cluster(
                    min(near.top, row),
                    min(near.left, column),
                    max(near.bottom, row),
                    max(near.right, column),
                    (*near.ranks, rank),
                )
                break
        else:
            found.append(Cluster(row, column, row, column, (rank,)))
    return found
