"""From held-out answers to the integers that fly: confidence, distance, threshold.

Everything here is measured on specimens that the answering network never saw: temperature
fitted on seen specimens makes confidence worse, not better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from flight.autonomy import mineral
from flight.autonomy.mineral import MineralPolicy
from models.mineral.training import Answers

FALSE_ALARMS = 0.05
"""Share of known minerals' held-out spectra that may be called anomalies."""

HIGHEST_PERMILLE = 990
"""No table says more: a few hundred held-out specimens cannot bear it out."""

SCORE_UNIT = 256
"""Flight's score for a strangeness of 1."""

SHRINKAGE = 0.02
"""Share of the mean variance added to every direction before the scatter is inverted."""


@dataclass(frozen=True)
class Distance:
    """A Mahalanobis distance in the features' real units."""

    whitening: NDArray[np.float64]
    """(features, features); features @ whitening have unit scatter within a class."""
    centres: NDArray[np.float64]
    """(classes, features) whitened."""

    def to(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (N,) distances to the nearest class, in standard deviations."""
        white = features @ self.whitening
        squares = ((white[:, None] - self.centres) ** 2).sum(axis=2)
        nearest: NDArray[np.float64] = np.sqrt(squares.min(axis=1))
        return nearest


def fit_distance(features: NDArray[np.floating], label: NDArray[np.int64]) -> Distance:
    """Return the distance with class means and one pooled scatter.

    A class without examples (a model may be kept from a mineral) lies where the first one lies.
    """
    there = [c if (label == c).any() else label[0] for c in range(len(mineral.PHASES))]
    means = np.stack([features[label == c].mean(axis=0) for c in there]).astype(float)
    apart = features - means[label]
    scatter = apart.T @ apart / len(apart)
    scatter += SHRINKAGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    values, vectors = np.linalg.eigh(scatter)
    whitening = vectors / np.sqrt(values)
    return Distance(whitening, means @ whitening)


def margins(answers: Answers) -> NDArray[np.float64]:
    """Return (N,) the lead of the best class over the second."""
    ranked = np.sort(answers.logits[:, :-1], axis=1)
    return (ranked[:, -1] - ranked[:, -2]).astype(np.float64)


def confidence_table(
    margin: NDArray[np.float64], right: NDArray[np.bool_], logit_step: float
) -> tuple[int, ...]:
    """Return the share of right answers, in 1/1000, for each entry of the flight table.

    Isotonic regression: more margin never means less confidence, and nothing else is assumed.
    """
    curve = IsotonicRegression(out_of_bounds="clip").fit(margin, right.astype(float))
    entries = np.arange(mineral.MARGIN_ENTRIES) * mineral.MARGIN_STEP + mineral.MARGIN_STEP / 2
    share = curve.predict(entries * logit_step)
    return tuple(int(value) for value in np.rint(share * 1000).clip(0, HIGHEST_PERMILLE))


@dataclass(frozen=True)
class Strangeness:
    """How distance and sixth logit add up to one score.

    Each counts 1 for the way from the median of known spectra to the edge of their range.
    """

    distance_span: float
    logit_span: float

    def of(
        self, distance: NDArray[np.float64], strange: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return (N,) scores."""
        score: NDArray[np.float64] = distance / self.distance_span + strange / self.logit_span
        return score


def fit_strangeness(distance: NDArray[np.float64], strange: NDArray[np.floating]) -> Strangeness:
    """Return the weights from the distances and sixth logits of known spectra."""
    return Strangeness(_span(distance), _span(strange))


def _span(values: NDArray[np.floating]) -> float:
    middle, edge = np.quantile(values, [0.5, 1 - FALSE_ALARMS])
    return float(edge - middle)


def policy_of(
    distance: Distance,
    strangeness: Strangeness,
    *,
    logit_step: float,
    feature_step: float,
    threshold: float,
    confidence_permille: tuple[int, ...],
) -> MineralPolicy:
    """Return the flight policy: all on the int8 grids of logits and features (zero point 0)."""
    scale = 1 << mineral.WHITENING_BITS
    score = SCORE_UNIT << mineral.SCORE_BITS
    sixteenth = 1 / (1 << mineral.DISTANCE_BITS)
    return MineralPolicy(
        confidence_permille=confidence_permille,
        whitening=_integers(distance.whitening * feature_step * scale),
        centres=_integers(distance.centres * scale),
        distance_weight=round(score * sixteenth / strangeness.distance_span),
        strange_weight=round(score * logit_step / strangeness.logit_span),
        anomaly_threshold=int(np.ceil(threshold * SCORE_UNIT)),
    )


def _integers(table: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.rint(table).reshape(-1))
