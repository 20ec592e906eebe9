"""Sites as the flight code chooses them, judged by the truth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.terrain import TerrainPolicy, choose_site, squared_distance
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


def choose(
    scores: NDArray[np.int8],
    hazard: NDArray[np.bool_],
    policy: TerrainPolicy,
    forbidden: NDArray[np.bool_] | None = None,
) -> Choices:
    """Return what flight's own site selection chooses from (N, 64, 64, 2) scores."""
    reach = policy.footprint_cells
    rows = []
    for index, (answer, truth) in enumerate(zip(scores.astype(np.int64), hazard, strict=True)):
        closed = (answer[..., 0] > policy.hazard_threshold) | (
            answer[..., 1] > policy.shadow_threshold
        )
        if forbidden is not None:
            closed |= forbidden[index]
        site = choose_site(closed, answer[..., 0], policy)
        distance = squared_distance(truth)
        possible = bool((distance > reach * reach).any())
        if site is None:
            rows.append((False, 128, False, possible))
        else:
            row, column = site
            window = answer[row - reach : row + reach + 1, column - reach : column + reach + 1, 0]
            score = -int(-window.sum() // window.size)
            rows.append((True, score, bool(distance[site] <= reach * reach), possible))
    named, score, unsafe, possible = (np.array(column) for column in zip(*rows, strict=True))
    return Choices(named, score, unsafe, possible)


def calibrate(scores: NDArray[np.int8], hazard: NDArray[np.bool_]) -> TerrainPolicy:
    """Return the policy whose two thresholds keep their bounds on calibration scenes."""
    map_threshold = hazard_threshold(tally(scores[..., 0], hazard), false_safe=MAP_FALSE_SAFE)
    ungated = TerrainPolicy(hazard_threshold=map_threshold, site_threshold=UNGATED)
    choices = choose(scores, hazard, ungated)
    site = site_threshold(choices.score, choices.unsafe, false_safe=SITE_FALSE_SAFE)
    return replace(ungated, site_threshold=site)
