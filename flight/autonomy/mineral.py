"""From a reflectance cube to phases, confidence and anomalies, in integers.

The model is shown shape, not brightness: light, grain size and exposure change the level of a
spectrum far more than its minerals do. Each pixel is brought to one band grid and divided by its
own mean; beside that stands its contrast against a running mean, in which the absorption bands
near 1 and 2 micrometres are large and the slope that space weathering brings is gone. A third
channel tells where the instrument has bands at all, so that a gap is not taken for a straight
spectrum. A fourth, the outline, is the ratio once more, brought to unit length.

A pixel is strange by two witnesses. One is the model's own sixth logit, taught with spectra of
substances that no library holds. The other is its angle to the nearest spectrum of the library:
the model holds a bank of outlines, and the largest product with any of them is its second
output. The score is their weighted sum: neither alone finds as much. The angle says nothing
where the instrument sees only part of the range, for there the outline is drawn on flat; it then
counts as a known pixel's.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.bands import (
    GRID_PM,
    WEIGHT_SUM,
    Integers,
    covers,
    product,
    resampling,
    support,
)
from flight.autonomy.grid import Wholes, quotient, row_sums
from flight.product.values import Finding, Frame, Kind, NoAnswer, Samples, SensorKind, Tensor

DEAD_COUNTS = 4
"""A pixel whose mean is below is dead, its ratios noise: the model is shown a flat spectrum."""

RATIO_SCALE = 96
"""Channel 0 steps for a ratio to the mean of 1: range -1 to +1.32 about the mean."""

CONTRAST_SCALE = 512
"""Channel 1 steps for a contrast of 1: range plus or minus 25 %."""

CHANNELS = 4
SUPPORT_CHANNEL = 2
OUTLINE_CHANNEL = 3

FINE = 8
"""The outline is worked out in this fraction of channel 0's steps."""

OUTLINE_LEVEL = 77
"""Fine steps, a tenth of the mean, that stand for it in the outline: the less is left of the mean,
the more the outline is of the bands and the less of how deep they are."""

OUTLINE_LENGTH = 320
"""Steps of the outline's length as a vector of 80 bands."""

CONTRAST_REACH = 10
"""Grid bands to either side in channel 1's running mean: 250 nm."""
_WINDOW_BANDS = row_sums(np.ones((1, len(GRID_PM)), np.int64), CONTRAST_REACH)
"""Bands in each running mean, and the least that it is a quotient of: a mean is at least 1."""

PIXELS_AT_ONCE = 8192
"""Pixels are prepared in blocks of this many, which bounds the memory in use."""

MARGIN_STEP = 2
"""Raw logit margin per entry of the confidence table."""

MARGIN_ENTRIES = 64
"""The last entry also stands for every larger margin."""

ANGLE_BITS = 4
"""An angle is the root of the steps that likeness lacks, over 2 to this power."""

SCORE_BITS = 8
"""The score's weights are fractions over 2 to this power."""


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
    strange_weight: int
    """Score for one step of the sixth logit, over 256."""
    angle_weight: int
    """Score for an angle of one, in sixteenths of a root of a step, over 256."""
    usual_angle: int
    """Angle of a known pixel, which stands where the instrument does not see enough to tell."""
    anomaly_threshold: int
    """A score above is an anomaly; 5 % of known minerals' held-out spectra exceed it."""
    least_confidence_permille: int = 500
    anomaly_limit: int = 8
    """At most this many anomalies are told of, the strangest first; further ones are dropped."""
    most_unanswered_permille: int = 500
    """With a larger share of unsure, or of strange, pixels the cube as a whole has no answer."""

    def __post_init__(self) -> None:
        if len(self.confidence_permille) != MARGIN_ENTRIES:
            raise ValueError(f"confidence_permille needs {MARGIN_ENTRIES} entries")


PHASES = tuple(phase for phase in Phase if phase is not Phase.UNSURE)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """What was concluded of each pixel, in line order."""

    phase: NDArray[np.uint8]
    """(pixels,) Phase numbers."""
    confidence: NDArray[np.uint16]
    """(pixels,) 0 to 1000."""
    anomaly: Integers
    """(pixels,) how strange: the weighted sum of the two witnesses."""


def prepare(frame: Frame) -> Tensor | None:
    """Return (pixels, 1, 80, 4) int8 for the model, or None where the frame is unusable.

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
    near = support(frame.axis)
    tensor = np.concatenate(
        [
            shape_of(weights, near, counts[:, start : start + PIXELS_AT_ONCE])
            for start in range(0, counts.shape[1], PIXELS_AT_ONCE)
        ]
    )
    return tensor if tensor.any() else None


def shape_of(weights: Integers, near: Tensor, counts: Samples) -> Tensor:
    """Return (pixels, 1, 80, 4) int8: ratio to the pixel's mean, contrast, support, outline."""
    grid = product(counts.T, weights.T)
    pixels, bands = grid.shape
    mean = np.floor(grid.sum(axis=1) / bands)
    dead = mean < DEAD_COUNTS * WEIGHT_SUM
    mean[dead] = np.inf
    sums = row_sums(grid.astype(np.int64), CONTRAST_REACH)
    smooth = quotient(np.maximum(sums, _WINDOW_BANDS), _WINDOW_BANDS)
    shape = np.empty((pixels, 1, bands, CHANNELS), np.int8)
    shape[..., SUPPORT_CHANNEL] = near
    # In place: memory that is asked for anew costs more than the arithmetic.
    np.divide(grid * CONTRAST_SCALE, smooth, out=smooth)
    shape[:, 0, :, 1] = _steps(smooth, CONTRAST_SCALE)
    grid *= RATIO_SCALE * FINE
    grid /= mean[:, None]
    np.floor(grid, out=grid)
    shape[:, 0, :, 0] = _steps(np.multiply(grid, 1 / FINE, out=smooth), RATIO_SCALE)
    grid -= RATIO_SCALE * FINE - OUTLINE_LEVEL
    length = np.floor(np.sqrt(np.einsum("pb,pb->p", grid, grid)))
    grid *= OUTLINE_LENGTH
    grid /= np.maximum(length, 1)[:, None]
    shape[:, 0, :, OUTLINE_CHANNEL] = _steps(np.floor(grid, out=grid), 0)
    shape[dead] = 0
    return shape


def _steps(level: Wholes, middle: int) -> NDArray[np.int16]:
    """Return the whole steps of ``level`` above ``middle``, as far as int8 goes.

    16 bits hold them: no band is 81 times its pixel's mean, nor 42 times the running one.
    """
    steps = level.astype(np.int16)
    np.clip(steps, middle - 128, middle + 127, out=steps)
    steps -= middle
    return steps


def read_pixels(
    outputs: tuple[Tensor, ...], policy: MineralPolicy, *, covered: bool = True
) -> Pixels:
    """Return phase, confidence and anomaly score of each pixel.

    ``outputs`` are (pixels, phases + 1) logits, the last one for "none of these", and (pixels, 1)
    likeness to the nearest outline of the bank.
    ``covered``: the instrument sees enough of the range for likeness to mean anything.
    """
    logits, strange = outputs[0][:, : len(PHASES)].astype(np.int16), outputs[0][:, len(PHASES)]
    ranked = np.sort(logits, axis=1)
    confidence = _confidences(policy.confidence_permille)[ranked[:, -1] - ranked[:, -2]]
    sure = confidence >= policy.least_confidence_permille
    phase = (sure * (logits.argmax(axis=1) + 1)).astype(np.uint8)
    likeness = outputs[1][:, 0] if covered else None
    return Pixels(phase, confidence, anomaly_scores(strange, likeness, policy))


@lru_cache(maxsize=8)
def _confidences(permille: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return (256,) the confidence for every margin that two raw logits can have."""
    entry = np.minimum(np.arange(256) // MARGIN_STEP, MARGIN_ENTRIES - 1)
    confidences: NDArray[np.uint16] = np.asarray(permille, np.uint16)[entry]
    confidences.setflags(write=False)
    return confidences


def anomaly_scores(strange: Tensor, likeness: Tensor | None, policy: MineralPolicy) -> Integers:
    """Return how strange each pixel is from its sixth logit and its likeness to what is known."""
    angle = policy.usual_angle if likeness is None else angles(likeness)
    score = strange.astype(np.int64) * policy.strange_weight + angle * policy.angle_weight
    return score >> SCORE_BITS


def angles(likeness: Tensor) -> Integers:
    """Return the angle to the nearest outline of the bank, in sixteenths of a root of a step."""
    lacking = (127 - likeness.astype(np.int64)) << 2 * ANGLE_BITS
    angle: Integers = np.floor(np.sqrt(lacking)).astype(np.int64)
    return angle


def conclude(
    shape: tuple[int, ...],
    outputs: tuple[Tensor, ...],
    policy: MineralPolicy,
    *,
    axis: tuple[int, ...],
) -> tuple[Finding, ...]:
    """Return the phases found, the strangest pixels, and where no answer can be given.

    ``shape`` is the cube's (bands, lines, samples), ``axis`` its band centres in picometres.
    """
    pixels = read_pixels(outputs, policy, covered=covers(axis))
    strange = np.flatnonzero(pixels.anomaly > policy.anomaly_threshold)
    findings = [*_phases(pixels), *_anomalies(pixels, strange, shape[2], policy.anomaly_limit)]
    unsure = len(pixels.phase) - int(np.count_nonzero(pixels.phase))
    most = policy.most_unanswered_permille * len(pixels.phase)
    for count, reason in (
        (unsure, NoAnswer.LOW_CONFIDENCE),
        (len(strange), NoAnswer.OUT_OF_DISTRIBUTION),
    ):
        if count * 1000 > most:
            findings.append(Finding(Kind.NO_ANSWER, extent=count, label=reason))
    return tuple(findings)


def _phases(pixels: Pixels) -> list[Finding]:
    """Return one finding a phase that is there, UNSURE too: its extent and median confidence."""
    ranked = np.sort(pixels.phase.astype(np.int32) << 16 | pixels.confidence)
    ends = np.searchsorted(ranked, [phase + 1 << 16 for phase in Phase]).tolist()
    return [
        Finding(
            Kind.PHASE,
            extent=end - start,
            score=int(ranked[(start + end) // 2]) & 0xFFFF,
            label=phase,
        )
        for phase, start, end in zip(Phase, [0, *ends], ends, strict=False)
        if end > start
    ]


def _anomalies(
    pixels: Pixels, strange: NDArray[np.intp], samples: int, limit: int
) -> list[Finding]:
    """Return the strangest of the ``strange`` pixels, strangest first."""
    order = np.argsort(-pixels.anomaly[strange], kind="stable")[:limit]
    return [
        Finding(
            Kind.ANOMALY,
            row=pixel // samples,
            column=pixel % samples,
            extent=rank,
            score=int(pixels.anomaly[pixel]),
            label=int(pixels.phase[pixel]),
        )
        for rank, pixel in enumerate(strange[order].tolist())
    ]
