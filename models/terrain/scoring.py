"""How good a hazard score is, and thresholds that keep a promise.

A scorer gives each cell an int8 score: higher is more hazardous. So the model, its float twin and
the classical detectors are all judged by the same counts: for each scene, how many hazardous and
how many safe cells have each of the 256 scores. Everything below is arithmetic on those counts,
and a bootstrap redraws scenes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.int8]
Counts = NDArray[np.int64]
Interval = tuple[float, float, float]
"""Value, low and high end of its 95 % bootstrap interval."""

RESAMPLES = 400
BOOTSTRAP_SEED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Cells by score, (scenes, 256), index 0 for score -128."""

    hazard: Counts
    safe: Counts


def tally(scores: Scores, hazard: NDArray[np.bool_]) -> Tally:
    """Return the counts of (N, 64, 64) scores against the truth."""
    count = len(scores)
    index = scores.reshape(count, -1).astype(np.int64) + 128
    index += 256 * np.arange(count)[:, None]
    flags = hazard.reshape(count, -1)

    def histogram(chosen: NDArray[np.int64]) -> Counts:
        return np.bincount(chosen, minlength=256 * count).reshape(count, 256)

    return Tally(histogram(index[flags]), histogram(index[~flags]))


def auc(hazard: Counts, safe: Counts) -> float:
    """Return the chance that a hazardous cell scores above a safe one; ties count half."""
    if not hazard.sum() or not safe.sum():
        return float("nan")
    below = np.cumsum(safe) - safe
    wins = (hazard * (below + safe / 2)).sum()
    return float(wins / (hazard.sum() * safe.sum()))


def safe_area(hazard: Counts, safe: Counts, recall: float = 0.99) -> float:
    """Return the share of safe cells kept at the threshold that flags ``recall`` of hazards.

    Between two of the 256 steps the curve is a straight line: cells of one score in any order.
    """
    if not hazard.sum() or not safe.sum():
        return float("nan")
    missed = np.concatenate([[0.0], np.cumsum(hazard) / hazard.sum()])
    kept = np.concatenate([[0.0], np.cumsum(safe) / safe.sum()])
    # Of scores that miss nothing, the last; then the line to the next.
    last = int(np.flatnonzero(missed <= 1 - recall)[-1])
    if last == len(missed) - 1:
        return float(kept[last])
    share_ = (1 - recall - missed[last]) / (missed[last + 1] - missed[last])
    return float(kept[last] + share_ * (kept[last + 1] - kept[last]))


def pooled(tally_: Tally, metric: Callable[[Counts, Counts], float]) -> Interval:
    """Return a metric over all scenes together, with its bootstrap interval over scenes."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    count = len(tally_.hazard)
    weights = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)
    draws = [metric(w @ tally_.hazard, w @ tally_.safe) for w in weights]
    value = metric(tally_.hazard.sum(axis=0), tally_.safe.sum(axis=0))
    return (value, *_ends(np.array(draws)))


def share(flags: NDArray[np.bool_]) -> Interval:
    """Return the share of True, with its bootstrap interval; NaN where there are none."""
    if not len(flags):
        return (float("nan"),) * 3
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    value = float(flags.mean())
    draws = rng.binomial(len(flags), value, RESAMPLES) / len(flags)
    return (value, *_ends(draws))


def _ends(draws: NDArray[np.float64]) -> tuple[float, float]:
    usable = draws[~np.isnan(draws)]
    if not len(usable):
        return float("nan"), float("nan")
    low, high = np.percentile(usable, (2.5, 97.5))
    return float(low), float(high)


def hazard_threshold(tally_: Tally, *, false_safe: float) -> int:
    """Return the highest threshold whose expected share of missed hazards stays within a bound.

    Conformal risk control (Angelopoulos et al. 2024): a scene's loss is the share of its
    hazardous cells that score at or below the threshold; it grows with the threshold and is at
    most 1. With n scenes, (n mean loss + 1) / (n + 1) bounds the expected loss of the next
    scene from the same world. -129 (flag everything) when none keeps the bound.
    """
    totals = tally_.hazard.sum(axis=1)
    some = totals > 0
    losses = np.cumsum(tally_.hazard[some], axis=1) / totals[some][:, None]
    bound = (losses.sum(axis=0) + 1) / (len(losses) + 1)
    allowed = np.flatnonzero(bound <= false_safe)
    return int(allowed[-1]) - 128 if len(allowed) else -129


def site_threshold(
    site_scores: NDArray[np.int64], unsafe: NDArray[np.bool_], *, most_losses: int
) -> int:
    """Return the highest site score that may be named without more unsafe sites than so many.

    ``site_scores`` are each scene's best site's score, ``unsafe`` whether it was in truth a
    hazard; a scene whose best site scores above the threshold names none and loses nothing.
    -129 (name none) where not even no loss is few enough.
    """
    best = -129
    for threshold in range(-128, 128):
        if int((unsafe & (site_scores <= threshold)).sum()) > most_losses:
            break
        best = threshold
    return best


def expected_losses(count: int, rate: float) -> int:
    """Return how many of ``count`` scenes may lose for the next one's chance to be within ``rate``.

    Conformal risk control again, for losses of 0 or 1. -1: not even none.
    """
    return int((count + 1) * rate) - 1
