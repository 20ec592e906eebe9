"""Classical hazard detectors on a camera frame: thresholds on slope, roughness, variance, shadow.

Each gives a (64, 64) score from the same contrast that the model is shown, undone of its
compression and brought to 128 x 128 pixels, for which their windows were chosen. Scores are
brought to int8 by a fixed scale for each detector, fine enough that the 256 steps cost nothing.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.contrast import KNEE, LEVEL, PEAK
from flight.autonomy.grid import window_sums
from flight.autonomy.terrain import INPUT_PIXELS

Field = NDArray[np.float64]

REACH = 4
"""Pixels of 128 to either side: the lander's footprint."""


def brightness(tensor: NDArray[np.int8]) -> Field:
    """Return (128, 128) brightness over that of the surroundings, 0 black, 1 level."""
    compressed = tensor.reshape(INPUT_PIXELS, INPUT_PIXELS).astype(np.float64)
    size = KNEE * np.abs(compressed) / (PEAK - np.minimum(np.abs(compressed), PEAK - 1))
    bright = np.maximum(1 + np.sign(compressed) * size / LEVEL, 0)
    return bright.reshape(128, 2, 128, 2).mean(axis=(1, 3))


def _mean(field: Field, reach: int) -> Field:
    fixed = np.rint(field * (1 << 20)).astype(np.int64)
    sums = window_sums(fixed, reach) / window_sums(np.ones_like(fixed), reach)
    return sums / (1 << 20)


def _cells(field: Field) -> Field:
    return field.reshape(64, 2, 64, 2).max(axis=(1, 3))


def slope(bright: Field) -> Field:
    """Photoclinometry: the footprint's mean brightness departs from level where ground leans."""
    return _cells(np.abs(_mean(bright, REACH) - 1))


def roughness(bright: Field) -> Field:
    """Return the mean steepness of brightness over the footprint."""
    down, across = np.gradient(bright)
    return _cells(_mean(np.hypot(down, across), REACH))


def variance(bright: Field) -> Field:
    """Return the deviation of brightness over the footprint."""
    mean = _mean(bright, REACH)
    return _cells(np.sqrt(np.maximum(_mean(bright * bright, REACH) - mean * mean, 0)))


def fine_variance(bright: Field) -> Field:
    """Return the deviation of brightness over a quarter of the footprint."""
    mean = _mean(bright, REACH // 2)
    return _cells(np.sqrt(np.maximum(_mean(bright * bright, REACH // 2) - mean * mean, 0)))


def shadow(bright: Field) -> Field:
    """Return how dark the darkest pixel nearby is."""
    return _cells(_mean(np.maximum(1 - bright, 0), 1))


def combined(bright: Field) -> Field:
    """Return the largest of slope, roughness, variance and shadow, each over its usual size.

    The sizes are the 90th percentiles over training scenes: a hazard by any is a hazard.
    """
    parts = ((slope, 0.13), (roughness, 0.07), (variance, 0.15), (shadow, 0.25))
    return np.max([part(bright) / usual for part, usual in parts], axis=0)


DETECTORS: dict[str, tuple[Callable[[Field], Field], float]] = {
    "slope": (slope, 0.6),
    "roughness": (roughness, 0.4),
    "variance": (variance, 0.7),
    "fine_variance": (fine_variance, 0.7),
    "shadow": (shadow, 1.0),
    "combined": (combined, 5.0),
}
"""Name, detector, the score that counts as full scale."""


def score(name: str, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return (N, 64, 64) int8 scores of a detector for prepared frames."""
    detector, full = DETECTORS[name]
    # A square root spreads the many small scores over the steps.
    fields = np.stack([np.sqrt(np.minimum(detector(brightness(x)) / full, 1)) for x in inputs])
    return (np.rint(fields * 255) - 128).astype(np.int8)
