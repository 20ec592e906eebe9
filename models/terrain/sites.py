"""Sites as the flight code chooses them, judged by the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import squared_distance
from flight.autonomy.terrain import TerrainPolicy, choose_site, close
from models.terrain.scoring import expected_losses, hazard_threshold, site_threshold, tally

MAP_FALSE_SAFE = 0.01
"""Expected share of hazardous cells that the map calls clear."""

CLOSED_FALSE_SAFE = 0.05
"""The same where the map only keeps sites off what is plainly hazardous: the risk does the rest."""

SITE_FALSE_SAFE = 0.001
"""Chance that a scene's named site is a hazard."""

UNGATED = 127


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What was chosen in each of N scenes."""

    named: NDArray[np.bool_]
    score: NDArray[np.int64]
    """Mean raw risk of the site, rounded up; 128 where no site was named."""
    unsafe: NDArray[np.bool_]
    """A site was named and something under its footprint is a hazard."""
    possible: NDArray[np.bool_]
    """The truth has a safe site somewhere."""
    place: NDArray[np.int64]
    """(N, 2) row and column of the cell that risks least, named or not."""


def distances(hazard: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (N, 64, 64) squared distances to true hazards; many choices are judged by them."""
    return np.stack([squared_distance(truth) for truth in hazard])


def choose(
    scores: NDArray[np.int8],
    away: NDArray[np.int64],
    policy: TerrainPolicy,
    forbidden: NDArray[np.bool_] | None = None,
    before: NDArray[np.int64] | None = None,
) -> Choices:
    """Return what flight's own site selection chooses from (N, 64, 64, 3) scores.

    ``away`` are the scenes' ``distances``, ``forbidden`` is what range images forbid, and
    ``before`` (N, n, n) what coarser looks said.
    """
    reach = policy.footprint_cells
    rows = []
    for index, (answer, distance) in enumerate(zip(scores, away, strict=True)):
        mask = None if forbidden is None else forbidden[index]
        risk = answer[..., 2].astype(np.int64)
        coarse = None if before is None else before[index]
        site = choose_site(
            close((answer,), policy, mask), risk, policy, before=coarse, guarded=mask is not None
        )
        place = (site.row, site.column)
        possible = bool((distance > reach * reach).any())
        unsafe_site = site.named and bool(distance[place] <= reach * reach)
        rows.append((site.named, site.score if site.named else 128, unsafe_site, possible, place))
    return Choices(*(np.array(column) for column in zip(*rows, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A scorer's word on the scenes of one calibration world, and the truth."""

    scores: NDArray[np.int8]
    """(N, 64, 64, 3)"""
    hazard: NDArray[np.bool_]
    """(N, 64, 64)"""
    away: NDArray[np.int64]
    """Its ``distances``."""


def calibrate(trials: Sequence[Trial]) -> TerrainPolicy:
    """Return the policy whose map keeps its bounds over all worlds, and whose sites in each."""
    scores = np.concatenate([trial.scores[..., 0] for trial in trials])
    hazard = np.concatenate([trial.hazard for trial in trials])
    counts = tally(scores, hazard)
    ungated = TerrainPolicy(
        hazard_threshold=hazard_threshold(counts, false_safe=MAP_FALSE_SAFE),
        closed_threshold=hazard_threshold(counts, false_safe=CLOSED_FALSE_SAFE),
        site_threshold=UNGATED,
    )
    choices = [choose(trial.scores, trial.away, ungated) for trial in trials]
    # A mean over worlds would let an easy one pay for a hard one.
    site = min(
        site_threshold(
            chosen.score,
            chosen.unsafe,
            most_losses=expected_losses(len(chosen.unsafe), SITE_FALSE_SAFE),
        )
        for chosen in choices
    )
    return replace(ungated, site_threshold=site)
