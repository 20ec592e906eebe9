"""Sites as the flight code chooses them, judged by the truth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import squared_distance
from flight.autonomy.terrain import TerrainPolicy, choose_site, close
from models.terrain.scoring import hazard_threshold, site_threshold, tally

MAP_FALSE_SAFE = 0.01
"""Expected share of hazardous cells that the map calls clear."""

SITE_FALSE_SAFE = 0.001
"""Chance that a named site is a hazard."""

UNGATED = 127


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What was chosen in each of N scenes."""

    named: NDArray[np.bool_]
    score: NDArray[np.int64]
    """Mean raw hazard output over the footprint, rounded up; 128 where no site was named."""
    unsafe: NDArray[np.bool_]
    """A site was named and something under its footprint is a hazard."""
    possible: NDArray[np.bool_]
    """The truth has a safe site somewhere."""
    place: NDArray[np.int64]
    """(N, 2) row and column of the site's cell, -1 where none was named."""


def distances(hazard: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (N, 64, 64) squared distances to true hazards; many choices are judged by them."""
    return np.stack([squared_distance(truth) for truth in hazard])


def choose(
    scores: NDArray[np.int8],
    away: NDArray[np.int64],
    policy: TerrainPolicy,
    forbidden: NDArray[np.bool_] | None = None,
) -> Choices:
    """Return what flight's own site selection chooses from (N, 64, 64, 2) scores.

    ``away`` are the scenes' ``distances``.
    """
    reach = policy.footprint_cells
    rows = []
    for index, (answer, distance) in enumerate(zip(scores, away, strict=True)):
        mask = None if forbidden is None else forbidden[index]
        raw = answer[..., 0].astype(np.int64)
        closed = close((answer,), policy, mask)
        site = choose_site(closed, raw, policy, guarded=mask is not None)
        possible = bool((distance > reach * reach).any())
        if site is None:
            rows.append((False, 128, False, possible, (-1, -1)))
        else:
            row, column = site
            window = raw[row - reach : row + reach + 1, column - reach : column + reach + 1]
            score = -int(-window.sum() // window.size)
            unsafe_site = bool(distance[site] <= reach * reach)
            rows.append((True, score, unsafe_site, possible, site))
    return Choices(*(np.array(column) for column in zip(*rows, strict=True)))


def calibrate(
    scores: NDArray[np.int8], hazard: NDArray[np.bool_], away: NDArray[np.int64]
) -> TerrainPolicy:
    """Return the policy whose two thresholds keep their bounds on (N, 64, 64, 2) scores.

    ``hazard`` is the truth, (N, 64, 64), and ``away`` its ``distances``.
    """
    cells = hazard_threshold(tally(scores[..., 0], hazard), false_safe=MAP_FALSE_SAFE)
    ungated = TerrainPolicy(hazard_threshold=cells, site_threshold=UNGATED)
    choices = choose(scores, away, ungated)
    site = site_threshold(choices.score, choices.unsafe, false_safe=SITE_FALSE_SAFE)
    return replace(ungated, site_threshold=site)
