"""From a sample frame to whether there is a sample aboard, and whether its canister is shut.

A sample frame is one picture of the open canister, taken before its lid closes, with the
telemetry of the whole attempt below it, as ancillary lines of a camera: one row a channel, time
along the columns, 0 where a value was lost. The model is shown the picture's contrast and each
channel's course, squeezed into eight bits so that what matters near zero keeps its steps.

A false "sealed" costs most: ascent would begin with an open canister. So "sealed" has a threshold
of its own, calibrated on that risk, below it lies a band without an answer, and facts that need
no model may forbid it: the gaps at which the lid came to rest, the force that holds it, and
whether it came down level.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.contrast import compress, seen
from flight.autonomy.grid import Integers
from flight.product.values import Finding, Frame, Kind, NoAnswer, SensorKind, Tensor

STEPS = 96
"""Rows and columns of the picture that the model sees, and moments of its telemetry."""

REST_SHARE = 16
"""The first sixteenth of the columns shows the sensors at rest, the last the end state."""

DEAD = -128
"""What the model sees of a channel that lost more than half of its values."""

WINDOW_REACH = 24
"""Model pixels to either side in the mean against which a pixel is seen."""

_SCALE = 128


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of telemetry: value = (counts - zero) / counts_per_unit."""

    name: str
    unit: str
    counts_per_unit: int
    zero: int
    knee: int
    """Counts from zero at which half of the int8 range is used."""
    tared: bool
    """Whether the value at rest is taken off, as a sensor's offset."""


CHANNELS = (
    Channel("drive current", "mA", 1, 0, 600, tared=False),
    Channel("scoop torque", "mN m", 1, 8192, 2_000, tared=True),
    Channel("scoop depth", "mm", 10, 8192, 300, tared=True),
    Channel("scoop arm", "deg", 10, 8192, 450, tared=True),
    Channel("canister mass", "g", 10, 8192, 1_000, tared=True),
    Channel("fill level", "mm", 10, 8192, 250, tared=True),
    Channel("lid gap A", "µm", 1, 8192, 150, tared=False),
    Channel("lid gap B", "µm", 1, 8192, 150, tared=False),
    Channel("closing force", "N", 10, 8192, 3_000, tared=True),
    Channel("motor temperature", "K", 10, 0, 3_000, tared=False),
    Channel("canister temperature", "K", 10, 0, 3_000, tared=False),
)
"""In the order of their rows."""

PICTURE, TELEMETRY = slice(None, -len(CHANNELS)), slice(-len(CHANNELS), None)
"""Rows of a sample frame."""

GAP_A, GAP_B, FORCE = 6, 7, 8
"""Rows without which nobody can say that a canister is shut."""

TILT = Channel("lid tilt", "µm", 1, 0, 150, tared=False)
"""Gap A less gap B, shown as one more row: the lid's lean while the gaps themselves are wide."""

FAR_UM = 300
"""A lid at this distance is out of reach of every grain that a tight seal leaves room for."""
CALM_STEPS = 4
"""Steps over which a lean is averaged before it counts."""
OPEN_UM = 20_000
"""How far the lid stands open."""

SHOWN = (*CHANNELS, TILT)
"""The rows that the model sees below the picture."""
_KNEES = np.array([[channel.knee] for channel in SHOWN])
_TARED = np.array([channel.tared for channel in CHANNELS])
_ZEROS = np.array([channel.zero for channel in CHANNELS])

AMOUNTS_G = (20, 100, 200, 300)
"""Grams at which the brackets of the amount begin; below the first nothing was acquired."""


class Head(IntEnum):
    """What each number of the model's first output says; above 0: rather yes."""

    AMOUNT = 0
    """One for each of AMOUNTS_G: there is more than that aboard."""
    SPILL = 4
    JAM = 5
    OBSTRUCTED = 6
    """The lid is down and something holds it off its seal."""
    SEALED = 7


HEADS = 8


@dataclass(frozen=True, slots=True)
class SamplePolicy:
    """What turns raw outputs into a verdict. The thresholds come with the model, in its card."""

    sealed_threshold: int = 127
    """"Sealed" needs a raw output above; calibrated on the share of false ones."""
    open_threshold: int = -128
    """"Not sealed" needs one at or below; between the two there is no answer."""
    spill_threshold: int = 0
    jam_threshold: int = 0
    most_gap_um: int = 200
    """Lid gaps A and B together at rest, above which "sealed" is forbidden: two seals'
    tolerance and the sensors' errors."""
    most_tilt_um: int = 140
    """Lean of the lid anywhere on its way, above which it is forbidden: a seal's tolerance and the
    sensors' errors. It leaned on a grain, or one gap sensor lost count."""
    most_jump_um: int = 40
    """Change of the lid's lean while it is still FAR_UM away, above which it is forbidden: nothing
    that a seal tolerates can touch it there, so a gap sensor lost count."""
    least_gap_um: int = -60
    """A gap at rest below this is no gap: a lid cannot go through its seat."""
    least_force_n: int = 450
    """Closing force at rest, below which it is forbidden: three quarters of the design's."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.open_threshold > self.sealed_threshold:
            raise ValueError("open_threshold must not lie above sealed_threshold")
        limits = (self.most_gap_um, self.most_tilt_um, self.most_jump_um, self.least_force_n)
        if min(limits) < 0:
            raise ValueError("limits of gap, tilt, jump and force must be 0 or more")


def prepare(frame: Frame) -> Tensor | None:
    """Return (1, 108, 96, 1) int8 for the model, or None where the frame is unusable.

    Rows 0-95 are the picture, the others the telemetry. Unusable: not a sample frame, picture
    smaller than what the model sees, black, blank or overexposed; a gap or the force is dead.
    """
    samples = frame.samples
    if frame.kind is not SensorKind.SAMPLE or samples.ndim != 2:
        return None
    if samples.shape[0] <= len(CHANNELS) or samples.shape[1] < STEPS:
        return None
    picture = seen(samples[PICTURE], STEPS, reach=WINDOW_REACH)
    telemetry = courses(samples[TELEMETRY])
    if picture is None or (telemetry[[GAP_A, GAP_B, FORCE], 0] == DEAD).any():
        return None
    return np.concatenate([picture, telemetry]).astype(np.int8)[None, :, :, None]


def conclude(outputs: tuple[Tensor, ...], policy: SamplePolicy) -> tuple[Finding, ...]:
    """Return what is aboard and in which state, or that there is no answer.

    ``outputs`` are the heads, (1, 8), and the telemetry that the model was given, (1, 12, 96, 1):
    it hands that through so that the guards can be repeated wherever the outputs are.
    """
    heads = outputs[0].reshape(HEADS).astype(np.int64)
    sealed = int(heads[Head.SEALED])
    shut = sealed > policy.sealed_threshold
    unsure = policy.open_threshold < sealed <= policy.sealed_threshold
    if unsure or (shut and not may_be_shut(outputs[1], policy)):
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.LOW_CONFIDENCE),)
    return (*_seal(heads, policy, shut=shut), _amount(heads), *_spill(heads, policy))


def courses(rows: NDArray[np.generic]) -> Integers:
    """Return (12, 96) the course of each shown row, -127 to 127, or DEAD throughout."""
    counts = rows.astype(np.int64)
    present = counts > 0
    # Only moments at which both gaps arrived say how the lid leans: it moves fast.
    both = present[GAP_A] & present[GAP_B]
    departure = np.where(present, counts - _zeros(counts, present)[:, None], 0)
    lean = np.where(both, departure[GAP_A] - departure[GAP_B], 0)
    departure, present = np.vstack([departure, lean]), np.vstack([present, both])
    columns = counts.shape[1]
    edges = np.arange(STEPS) * columns // STEPS
    sums = np.add.reduceat(departure, edges, axis=1)
    numbers = np.add.reduceat(present.astype(np.int64), edges, axis=1)
    means = _filled(sums // np.maximum(numbers, 1), numbers > 0)
    course = np.maximum(compress(means, peak=_SCALE, knee=_KNEES), DEAD + 1)
    dead = 2 * present.sum(axis=1) < columns
    shown: Integers = np.where(dead[:, None], DEAD, course)
    return shown


def in_counts(telemetry: Tensor) -> Integers:
    """Return (12, 96) counts from zero of what the model was shown, as exact as that is."""
    shown = telemetry.reshape(len(SHOWN), STEPS).astype(np.int64)
    size = np.minimum(np.abs(shown), _SCALE - 1)
    counts: Integers = np.sign(shown) * (_KNEES * size // (_SCALE - size))
    return counts


def _zeros(counts: Integers, present: NDArray[np.bool_]) -> Integers:
    """Return each channel's zero: its design's, or what it showed at rest."""
    rest = max(counts.shape[1] // REST_SHARE, 1)
    at_rest = counts[:, :rest].sum(axis=1) // np.maximum(present[:, :rest].sum(axis=1), 1)
    zeros: Integers = np.where(_TARED & (at_rest > 0), at_rest, _ZEROS)
    return zeros


def _filled(means: Integers, known: NDArray[np.bool_]) -> Integers:
    """Return means in which each unknown step has the last known one's value, or the first's."""
    steps = np.arange(STEPS)
    last = np.maximum.accumulate(np.where(known, steps, -1), axis=1)
    first = known.argmax(axis=1)[:, None]
    row = np.arange(len(means))[:, None]
    filled: Integers = means[row, np.where(last < 0, first, last)]
    return filled


def may_be_shut(telemetry: Tensor, policy: SamplePolicy) -> bool:
    """Return whether gaps, lean and force allow a shut canister; no model has a part in it."""
    counts = in_counts(telemetry)
    last = STEPS // REST_SHARE
    end = counts[:, -last:].sum(axis=1) // last
    gaps_um = end[[GAP_A, GAP_B]]
    return bool(
        gaps_um.sum() <= policy.most_gap_um
        and gaps_um.min() >= policy.least_gap_um
        and np.abs(counts[-1]).max() <= policy.most_tilt_um
        and _lean_jumps(counts) <= policy.most_jump_um
        and end[FORCE] >= policy.least_force_n * CHANNELS[FORCE].counts_per_unit
    )


def _lean_jumps(counts: Integers) -> int:
    """Return by how much the lean of a lid that touches nothing yet changed, in micrometres."""
    far = np.minimum(counts[GAP_A], counts[GAP_B]) > FAR_UM
    starts = STEPS - CALM_STEPS + 1
    windows = [slice(step, step + starts) for step in range(CALM_STEPS)]
    calm = reduce(np.logical_and, [far[window] for window in windows])
    leans = reduce(np.add, [counts[-1, window] for window in windows])[calm]
    if not leans.size:
        return OPEN_UM
    return int(leans.max() - leans.min()) // CALM_STEPS


def _seal(heads: Integers, policy: SamplePolicy, *, shut: bool) -> tuple[Finding, ...]:
    """Return how the canister is, and a jam wherever it is."""
    jam, obstructed = int(heads[Head.JAM]), int(heads[Head.OBSTRUCTED])
    jammed = Finding(Kind.JAM, score=jam)
    if shut:
        sealed = Finding(Kind.SEALED, score=int(heads[Head.SEALED]))
        return (sealed, jammed) if jam > policy.jam_threshold else (sealed,)
    # An open canister has a cause: the likelier one is named, however unlikely.
    held = Finding(Kind.SEAL_OBSTRUCTED, score=obstructed)
    return (jammed,) if jam > obstructed else (held,)


def _amount(heads: Integers) -> Finding:
    more = heads[: len(AMOUNTS_G)] > 0
    # The brackets above one that is not reached do not count.
    bracket = int(np.cumprod(more).sum())
    score = int(heads[max(bracket - 1, 0)])
    if not bracket:
        return Finding(Kind.NOT_ACQUIRED, score=score)
    return Finding(Kind.ACQUIRED, label=bracket, score=score)


def _spill(heads: Integers, policy: SamplePolicy) -> tuple[Finding, ...]:
    spill = int(heads[Head.SPILL])
    return (Finding(Kind.SPILL, score=spill),) if spill > policy.spill_threshold else ()
