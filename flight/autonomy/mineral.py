"""From a reflectance cube to phases, confidence and anomalies, in integers.

The model is shown shape, not brightness: light, grain size and exposure change the level of a
spectrum far more than its minerals do. Each pixel is brought to one band grid and divided by its
own mean; beside that stands its contrast against a running mean, in which the absorption bands
near 1 and 2 micrometres are large and the slope that space weathering brings is gone.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Finding, Frame, Kind, NoAnswer, Samples, SensorKind, Tensor

Integers: TypeAlias = NDArray[np.int64]

GRID_STEP_PM = 25_000
GRID_PM = tuple(range(450_000, 2_450_000, GRID_STEP_PM))
"""Centre of each band the model sees, in picometres: 80 bands from 450 to 2,425 nm."""

LAST_USED_PM = 2_500_000
"""Bands beyond are ignored: there the Moon's own heat adds to what it reflects."""

LEAST_BANDS = 6
LEAST_SPAN_PM = 400_000
"""With fewer bands, or a narrower range, no phase can be told from another."""

WEIGHT_SUM = 1 << 12
"""The resampling weights of one grid band add up to this."""

DEAD_COUNTS = 4
"""A pixel whose mean is below is dead, its ratios noise: the model is shown a flat spectrum."""

RATIO_SCALE = 96
"""Channel 0 steps for a ratio to the mean of 1: range -1 to +1.32 about the mean."""

CONTRAST_SCALE = 512
"""Channel 1 steps for a contrast of 1: range plus or minus 25 %."""

CONTRAST_REACH = 10
"""Grid bands to either side in channel 1's running mean: 250 nm."""

PIXELS_AT_ONCE = 8192
"""Pixels are prepared in blocks of this many, which bounds the memory in use."""

MARGIN_STEP = 2
"""Raw logit margin per entry of the confidence table."""

MARGIN_ENTRIES = 64
"""The last entry also stands for every larger margin."""

WHITENING_BITS = 12
"""One standard deviation of a whitened feature is 2 to this power."""

SCORE_SHIFT = 2 * WHITENING_BITS - 4
"""An anomaly score is the squared Mahalanobis distance in sixteenths."""


class Phase(IntEnum):
    """What a pixel is mostly made of; logit channel plus 1. On the wire: add, never renumber."""

    UNSURE = 0
    """The confidence is below the policy's least."""
    LOW_CA_PYROXENE = 1
    HIGH_CA_PYROXENE = 2
    OLIVINE = 3
    PLAGIOCLASE = 4
    OTHER = 5
    """A mixture in which none dominates, or none of these."""


@dataclass(frozen=True, slots=True)
class MineralPolicy:
    """What turns raw outputs into findings. The tables come with the model, in its card."""

    confidence_permille: tuple[int, ...]
    """Share of right answers on held-out specimens, by raw logit margin in steps of 2."""
    whitening: tuple[int, ...]
    """(features, features) row by row: makes the features' scatter within a phase round."""
    centres: tuple[int, ...]
    """(phases, features) row by row: each phase's whitened mean feature."""
    anomaly_threshold: int
    """A score above is an anomaly; 5 % of known minerals' held-out spectra exceed it."""
    least_confidence_permille: int = 500
    anomaly_limit: int = 8
    """At most this many anomalies are told of, the strangest first; further ones are dropped."""
    most_unanswered_permille: int = 500
    """With a larger share of unsure, or of strange, pixels the cube as a whole has no answer."""

    def __post_init__(self) -> None:
        features = len(self.centres) // len(PHASES)
        if len(self.confidence_permille) != MARGIN_ENTRIES:
            raise ValueError(f"confidence_permille needs {MARGIN_ENTRIES} entries")
        if not features or len(self.whitening) != features * features:
            raise ValueError("whitening and centres disagree on the number of features")


PHASES = tuple(phase for phase in Phase if phase is not Phase.UNSURE)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """What was concluded of each pixel, in line order."""

    phase: NDArray[np.uint8]
    """(pixels,) Phase numbers."""
    confidence: NDArray[np.uint16]
    """(pixels,) 0 to 1000."""
    anomaly: Integers
    """(pixels,) squared Mahalanobis distance to the nearest phase, in sixteenths."""


def prepare(frame: Frame) -> Tensor | None:
    """Return (pixels, 1, 80, 2) int8 for the model, or None where the frame is unusable.

    Unusable: not a cube, an axis that does not fit, too few bands between 450 and 2,500 nm, or
    no light in any pixel.
    """
    if frame.kind is not SensorKind.CUBE or frame.samples.ndim != 3 or not frame.samples.size:
        return None
    if len(frame.axis) != len(frame.samples):
        return None
    weights = resampling(frame.axis)
    if weights is None:
        return None
    counts = frame.samples.reshape(len(frame.samples), -1)
    tensor = np.concatenate(
        [
            shape_of(weights, counts[:, start : start + PIXELS_AT_ONCE])
            for start in range(0, counts.shape[1], PIXELS_AT_ONCE)
        ]
    )
    return tensor if tensor.any() else None


@lru_cache(maxsize=8)
def resampling(axis: tuple[int, ...]) -> Integers | None:
    """Return (80, bands) integer weights that bring ``axis`` to the grid; None: too few bands.

    Where the instrument's bands lie closer than the grid's, a grid band is their mean under a
    triangle two grid steps wide, each band weighted by the range it stands for. Where they lie
    wider apart it is interpolated between its two neighbours. Beyond the ends it is the end
    band. Each row adds up to ``WEIGHT_SUM``.
    """
    centres = np.asarray(axis, dtype=np.int64)
    order = np.argsort(centres, kind="stable")
    used = order[(centres[order] >= GRID_PM[0]) & (centres[order] <= LAST_USED_PM)]
    if len(used) < LEAST_BANDS or centres[used[-1]] - centres[used[0]] < LEAST_SPAN_PM:
        return None
    known = centres[used]
    spacing = np.empty_like(known)
    spacing[1:-1] = (known[2:] - known[:-2]) // 2
    spacing[[0, -1]] = known[1] - known[0], known[-1] - known[-2]
    weights = np.zeros((len(GRID_PM), len(axis)), np.int64)
    for row, target in enumerate(GRID_PM):
        weights[row, used] = _share_out(_band_weights(known, np.maximum(spacing, 1), target))
    weights.setflags(write=False)
    return weights


def _band_weights(known: Integers, spacing: Integers, target: int) -> Integers:
    """Return the unscaled weight of each known band in the grid band at ``target``."""
    triangle = np.maximum(GRID_STEP_PM - np.abs(known - target), 0)
    inside = triangle > 0
    if known[inside].size and known[inside][0] <= target <= known[inside][-1]:
        wanted: Integers = triangle * spacing
        return wanted
    weights = np.zeros_like(known)
    after = int(np.searchsorted(known, target))
    if after == 0 or after == len(known):
        weights[min(after, len(known) - 1)] = 1
    else:
        weights[after - 1] = known[after] - target
        weights[after] = target - known[after - 1]
    return weights


def _share_out(weights: Integers) -> Integers:
    """Scale ``weights`` to add up to ``WEIGHT_SUM``; the largest takes what rounding leaves."""
    scaled: Integers = weights * WEIGHT_SUM // weights.sum()
    scaled[weights.argmax()] += WEIGHT_SUM - scaled.sum()
    return scaled


def shape_of(weights: Integers, counts: Samples) -> Tensor:
    """Return (pixels, 1, 80, 2) int8: each pixel's ratio to its mean, and its local contrast."""
    grid = _multiply(weights, counts)
    bands, pixels = grid.shape
    summed = np.zeros((bands + 1, pixels))
    for band in range(bands):
        np.add(summed[band], grid[band], out=summed[band + 1])
    mean = np.floor(summed[bands] / bands)
    dead = mean < DEAD_COUNTS * WEIGHT_SUM
    low = np.maximum(np.arange(bands) - CONTRAST_REACH, 0)
    high = np.minimum(np.arange(bands) + CONTRAST_REACH + 1, bands)
    smooth = summed[high] - summed[low]
    smooth /= (high - low)[:, None]
    both = np.empty((pixels, 1, bands, 2), np.int8)
    departure = np.empty_like(grid)
    for channel, (scale, around) in enumerate(
        ((RATIO_SCALE, np.where(dead, 1, mean)), (CONTRAST_SCALE, np.maximum(np.floor(smooth), 1)))
    ):
        # In place: memory that is asked for anew costs more than the arithmetic.
        np.multiply(grid, scale, out=departure)
        departure /= around
        np.floor(departure, out=departure)
        departure -= scale
        both[:, 0, :, channel] = np.clip(departure, -128, 127, out=departure).T
    both[dead] = 0
    return both


def _multiply(left: Integers, right: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the exact product of two matrices of integers, as whole float64.

    numpy has no fast integer product. All sums here stay below 2 to the 53rd, so float64
    carries them without rounding, in any order of summation; and so do their floored quotients
    (``flight.autonomy.grid.quotient``).
    """
    product: NDArray[np.float64] = left.astype(np.float64) @ right.astype(np.float64)
    return product


def read_pixels(outputs: tuple[Tensor, ...], policy: MineralPolicy) -> Pixels:
    """Return phase, confidence and anomaly score of each pixel.

    ``outputs`` are (pixels, phases) logits and (pixels, features) penultimate features.
    """
    logits, features = outputs[0].astype(np.int16), outputs[1]
    best = logits.argmax(axis=1)
    ranked = np.sort(logits, axis=1)
    margin = ranked[:, -1] - ranked[:, -2]
    entry = np.minimum(margin // MARGIN_STEP, MARGIN_ENTRIES - 1)
    confidence = np.asarray(policy.confidence_permille, np.uint16)[entry]
    sure = confidence >= policy.least_confidence_permille
    phase = np.where(sure, best + 1, Phase.UNSURE).astype(np.uint8)
    return Pixels(phase, confidence, anomaly_scores(features, policy))


def anomaly_scores(features: Tensor, policy: MineralPolicy) -> Integers:
    """Return the squared Mahalanobis distance to the nearest phase, in sixteenths."""
    width = len(policy.centres) // len(PHASES)
    whitening = np.asarray(policy.whitening, np.int64).reshape(width, width)
    centres = np.asarray(policy.centres, np.int64).reshape(len(PHASES), width)
    round_features = _multiply(whitening.T, features.T).astype(np.int64)
    distances = [((round_features - centre[:, None]) ** 2).sum(axis=0) for centre in centres]
    nearest: Integers = np.min(distances, axis=0) >> SCORE_SHIFT
    return nearest


def conclude(
    shape: tuple[int, ...], outputs: tuple[Tensor, ...], policy: MineralPolicy
) -> tuple[Finding, ...]:
    """Return the phases found, the strangest pixels, and where no answer can be given.

    ``shape`` is the cube's (bands, lines, samples).
    """
    pixels = read_pixels(outputs, policy)
    findings = [*_phases(pixels), *_anomalies(pixels, shape[2], policy)]
    unsure = int((pixels.phase == Phase.UNSURE).sum())
    strange = int((pixels.anomaly > policy.anomaly_threshold).sum())
    most = policy.most_unanswered_permille * len(pixels.phase)
    for count, reason in (
        (unsure, NoAnswer.LOW_CONFIDENCE),
        (strange, NoAnswer.OUT_OF_DISTRIBUTION),
    ):
        if count * 1000 > most:
            findings.append(Finding(Kind.NO_ANSWER, extent=count, label=reason))
    return tuple(findings)


def _phases(pixels: Pixels) -> list[Finding]:
    """Return one finding a phase that is there, UNSURE too: its extent and median confidence."""
    findings = []
    for phase in Phase:
        here = np.sort(pixels.confidence[pixels.phase == phase])
        if len(here):
            median = int(here[len(here) // 2])
            findings.append(Finding(Kind.PHASE, extent=len(here), score=median, label=phase))
    return findings


def _anomalies(pixels: Pixels, samples: int, policy: MineralPolicy) -> list[Finding]:
    """Return the strangest pixels above the threshold, strangest first."""
    order = np.argsort(-pixels.anomaly, kind="stable")[: policy.anomaly_limit]
    return [
        Finding(
            Kind.ANOMALY,
            row=int(pixel) // samples,
            column=int(pixel) % samples,
            extent=rank,
            score=int(pixels.anomaly[pixel]),
            label=int(pixels.phase[pixel]),
        )
        for rank, pixel in enumerate(order)
        if pixels.anomaly[pixel] > policy.anomaly_threshold
    ]
