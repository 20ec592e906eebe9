"""Cases as the model meets them: prepared frames, and the truth.

Case ``i`` of a set is drawn from ``default_rng((seed, i))``, so a set does not depend on how many
processes drew it. Training, each calibration world and each test regime have seeds of their own.
"""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import AMOUNTS_G, SHOWN, STEPS, prepare
from flight.instant import Instant
from flight.product.values import Frame, SensorKind
from tools.sim.sample import HELD_OUT, SPILL_G, STRESS, TOLERATED_UM, TRAINING, World, make_case

TRAINING_SEED, CALIBRATION_SEED, STRESS_SEED, FIRST_TEST_SEED = 21, 22, 23, 41
TRAINING_CASES = 12_000
CALIBRATION_CASES = 6_000
"""In each of two worlds."""
PROCESSES = 2

INPUT_SHAPE = (1, STEPS + len(SHOWN), STEPS, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """A set of cases; the first axis counts them."""

    inputs: NDArray[np.int8]
    """(N, 108, 96, 1); zeros where a frame is unusable."""
    usable: NDArray[np.bool_]
    mass_g: NDArray[np.float64]
    spilled_g: NDArray[np.float64]
    gap_um: NDArray[np.float64]
    """The widest gap of a lid that was pressed down; infinite where it jammed."""
    jammed: NDArray[np.bool_]
    """Scoop or lid."""

    @property
    def sealed(self) -> NDArray[np.bool_]:
        """(N,) whether the canister is tight."""
        return self.gap_um <= TOLERATED_UM

    @property
    def obstructed(self) -> NDArray[np.bool_]:
        """(N,) whether the lid is down and something holds it off."""
        return np.isfinite(self.gap_um) & ~self.sealed

    @property
    def acquired(self) -> NDArray[np.bool_]:
        """(N,) whether there is a sample."""
        return self.mass_g >= AMOUNTS_G[0]

    @property
    def bracket(self) -> NDArray[np.int64]:
        """(N,) bracket of the amount, 0 for none."""
        return np.searchsorted(AMOUNTS_G, self.mass_g, "right")

    @property
    def spilled(self) -> NDArray[np.bool_]:
        """(N,) whether soil lies beside the canister."""
        return self.spilled_g >= SPILL_G


def draw(world: World, *, seed: int, count: int) -> Cases:
    """Return ``count`` cases of a world, drawn by two processes."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        rows = list(pool.map(partial(_row, world, seed), range(count), chunksize=32))
    return _cases(rows)


def prepared(frames: Iterable[NDArray[np.generic]]) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return (N, 108, 96, 1) inputs of sample frames, and which of them are usable."""
    tensors = [prepare(frame_of(frame)) for frame in frames]
    usable = np.array([tensor is not None for tensor in tensors])
    blank = np.zeros(INPUT_SHAPE, np.int8)
    return np.concatenate([blank if tensor is None else tensor for tensor in tensors]), usable


def frame_of(samples: NDArray[np.generic]) -> Frame:
    """Return an exposure as flight's value."""
    return Frame("sample", SensorKind.SAMPLE, 0, Instant(0, 0), samples)


def training(count: int = TRAINING_CASES) -> Cases:
    """Return what the model learns from."""
    return draw(TRAINING, seed=TRAINING_SEED, count=count)


def calibration(count: int = CALIBRATION_CASES) -> tuple[Cases, ...]:
    """Return cases of two worlds for thresholds; no test set has their seeds or worlds."""
    return (
        draw(TRAINING, seed=CALIBRATION_SEED, count=count),
        draw(STRESS, seed=STRESS_SEED, count=count),
    )


def held_out(count: int) -> dict[str, Cases]:
    """Return ``count`` cases of each regime that nothing was trained or calibrated on."""
    return {
        name: draw(world, seed=seed, count=count)
        for seed, (name, world) in enumerate(HELD_OUT.items(), FIRST_TEST_SEED)
    }


def together(parts: Iterable[Cases]) -> Cases:
    """Return several sets as one."""
    parts = list(parts)
    return Cases(
        *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Cases))
    )


def _row(world: World, seed: int, index: int) -> tuple[NDArray[np.int8], bool, tuple[float, ...]]:
    case = make_case(np.random.default_rng((seed, index)), world)
    inputs, usable = prepared([case.frame])
    truth = case.truth
    said = (truth.mass_g, truth.spilled_g, truth.gap_um, truth.jammed)
    return inputs[0], bool(usable[0]), said


def _cases(rows: list[tuple[NDArray[np.int8], bool, tuple[float, ...]]]) -> Cases:
    inputs, usable, truths = zip(*rows, strict=True)
    mass_g, spilled_g, gap_um, jammed = np.array(truths, np.float64).T
    return Cases(
        np.stack(inputs), np.array(usable), mass_g, spilled_g, gap_um, jammed.astype(np.bool_)
    )
