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

SHRINKAGE = 0.02
"""Share of the mean variance added to every direction before the scatter is inverted."""


@dataclass(frozen=True)
class Distance:
    """A Mahalanobis distance in the features' real units."""

    whitening: NDArray[np.float64]
    """(features, features); features @ whitening have unit scatter within a class."""
    centres: NDArray[np.float64]
    """(classes, features) whitened."""

    def squared(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (N,) squared distances to the nearest class."""
        white = features @ self.whitening
        return ((white[:, None] - self.centres) ** 2).sum(axis=2).min(axis=1)


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
    """Return (N,) the lead of the best logit over the second."""
    ranked = np.sort(answers.logits, axis=1)
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


def policy_of(
    distance: Distance,
    *,
    feature_step: float,
    threshold: float,
    confidence_permille: tuple[int, ...],
) -> MineralPolicy:
    """Return the flight policy: the tables on the int8 grid of the features (zero point 0)."""
    scale = 1 << mineral.WHITENING_BITS
    return MineralPolicy(
        confidence_permille=confidence_permille,
        whitening=_integers(distance.whitening * feature_step * scale),
        centres=_integers(distance.centres * scale),
        anomaly_threshold=int(np.ceil(threshold * 16)),
    )


def _integers(table: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.rint(table).reshape(-1))
