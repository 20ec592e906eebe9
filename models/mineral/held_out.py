"""Models trained without a fifth of the specimens, each beside its own card.

A model cannot be judged, nor its confidence calibrated, on specimens it learned from. So there
are five more, one a fold; fold k's model saw no specimen of fold k. Their answers on their own
folds calibrate the model that flies, and each fold's own card is calibrated on the answers of
the other four, so that evaluation on held-out specimens is honest end to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.mineral.library import CLASSES, MINERALS, Library

FOLDS = 5
FOLDER = Path(__file__).resolve().parent / "held_out"


def folder_of(fold: int) -> Path:
    """Return where a fold's model and card lie."""
    return FOLDER / f"fold_{fold}"


def folds_of(library: Library) -> NDArray[np.int64]:
    """Return (spectra,) fold numbers: whole specimens, largest first, into the emptiest fold."""
    number = np.zeros(len(library), np.int64)
    filled = np.zeros(FOLDS, np.int64)
    specimens, rows = np.unique(library.specimen, return_counts=True)
    for specimen in specimens[np.argsort(-rows, kind="stable")]:
        here = library.specimen == specimen
        number[here] = filled.argmin()
        filled[filled.argmin()] += here.sum()
    return number


@dataclass(frozen=True)
class Unseen:
    """What models said of specimens that each had not seen."""

    fold: NDArray[np.int64]
    margin: NDArray[np.float64]
    """Lead of the best logit over the second, in real units."""
    right: NDArray[np.bool_]
    strangeness: NDArray[np.float64]

    def where(self, keep: NDArray[np.bool_]) -> "Unseen":
        """Return the chosen rows."""
        return Unseen(self.fold[keep], self.margin[keep], self.right[keep], self.strangeness[keep])


def joined(parts: Sequence[Unseen]) -> Unseen:
    """Return all parts in one."""
    return Unseen(
        np.concatenate([part.fold for part in parts]),
        np.concatenate([part.margin for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.strangeness for part in parts]),
    )


ABSENT = ("olivine", "plagioclase")
"""Minerals that a model each has never seen, to be found as anomalies."""

TRACE_SHARE = 0.05
"""A spectrum with more of a mineral than this has seen it."""


def is_absent(library: Library, mineral: str) -> NDArray[np.bool_]:
    """Return (spectra,) whether a spectrum is of the mineral that a model has not seen."""
    return library.label == CLASSES.index(mineral)


def absent(library: Library, mineral: str) -> tuple[Library, Library]:
    """Return what a model without the mineral learns from, and what it is then asked.

    It is asked the mineral itself and, for comparison, the first fold's specimens, which it has
    not seen either, as far as they hold none of the mineral.
    """
    traces = library.shares[:, MINERALS.index(mineral)] > TRACE_SHARE
    first = folds_of(library) == 0
    return (
        library.where(~traces & ~first),
        library.where(is_absent(library, mineral) | (first & ~traces)),
    )
