"""The figures by which a mineral classifier is judged, each with its bootstrap interval."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import Interval, interval

ANOMALY = -1
"""The label of a spectrum that is of no class."""

NO_CLASS = -2
"""What a method says that only tells how strange a spectrum is."""

CONFIDENCE_BINS = 10
FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class Truth:
    """What spectra are of."""

    label: NDArray[np.int64]
    """Class number, or ANOMALY."""
    specimen: NDArray[np.int64] | NDArray[np.str_]


@dataclass(frozen=True)
class Said:
    """What a classifier said of them."""

    label: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Chance of being right; NaN from a method that gives none."""
    strangeness: NDArray[np.float64]
    """Larger for what is less like anything known."""


def metrics(truth: Truth, said: Said) -> dict[str, Interval]:
    """Return balanced accuracy and calibration of the known, and how anomalies stand out."""
    known = np.flatnonzero(truth.label != ANOMALY)
    given = {
        "balanced_accuracy": _over(truth, known, lambda r: balanced_accuracy(truth, said, r)),
        "ece": _over(truth, known, lambda r: calibration_error(truth, said, r)),
    }
    if len(known) == len(truth.label) or not len(known):
        return given
    rows = np.arange(len(truth.label))
    return given | {
        "anomaly_auroc": _over(truth, rows, lambda r: auroc(truth, said, r)),
        "anomaly_tpr_at_5pct_fpr": _over(truth, rows, lambda r: detection(truth, said, r)),
    }


def _over(
    truth: Truth, rows: NDArray[np.int64], metric: Callable[[NDArray[np.int64]], float]
) -> Interval:
    """Return a metric of some rows, resampled by specimen."""
    if not len(rows):
        return Interval(np.nan, np.nan, np.nan)
    return interval(lambda drawn: metric(rows[drawn]), np.asarray(truth.specimen)[rows])


def balanced_accuracy(truth: Truth, said: Said, rows: NDArray[np.int64]) -> float:
    """Return the mean, over the classes that are there, of the share named right."""
    if (said.label == NO_CLASS).all():
        return float("nan")
    label, right = truth.label[rows], truth.label[rows] == said.label[rows]
    return float(np.mean([right[label == c].mean() for c in np.unique(label)]))


def calibration_error(truth: Truth, said: Said, rows: NDArray[np.int64]) -> float:
    """Return the expected calibration error over ten equal bins of confidence."""
    confidence = said.confidence[rows]
    if np.isnan(confidence).any():
        return float("nan")
    right = (truth.label[rows] == said.label[rows]).astype(float)
    place = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    gaps = np.bincount(place, confidence - right, CONFIDENCE_BINS)
    return float(np.abs(gaps).sum() / len(rows))


def auroc(truth: Truth, said: Said, rows: NDArray[np.int64]) -> float:
    """Return the chance that an anomaly is found stranger than a known spectrum."""
    strange, known = _split(truth, said, rows)
    if not len(strange) or not len(known):
        return float("nan")
    order = np.sort(known)
    below = np.searchsorted(order, strange, "left") + np.searchsorted(order, strange, "right")
    return float(below.mean() / 2 / len(known))


def detection(truth: Truth, said: Said, rows: NDArray[np.int64]) -> float:
    """Return the share of anomalies found where 5 % of the known are called anomalies."""
    strange, known = _split(truth, said, rows)
    if not len(strange) or not len(known):
        return float("nan")
    return float((strange > np.quantile(known, 1 - FALSE_ALARMS, method="higher")).mean())


def _split(
    truth: Truth, said: Said, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    anomaly = truth.label[rows] == ANOMALY
    strangeness = said.strangeness[rows]
    return strangeness[anomaly], strangeness[~anomaly]
