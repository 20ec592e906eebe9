"""Everything that can look at a prepared frame and say how hazardous each cell is.

The int8 model on the flight runtime, its float twin and the classical detectors all answer in
int8 steps, and all get their thresholds in the same way from the same calibration scenes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import window_sums
from flight.autonomy.terrain import TerrainPolicy
from flight.board.runtime import load
from models.int8.twin import FloatTwin
from models.terrain import detectors

Scores = NDArray[np.int8]
Answer = Callable[[NDArray[np.int8]], Scores]

NO_SHADOW = -128

REACH = TerrainPolicy().footprint_cells


@dataclass(frozen=True, slots=True)
class Scorer:
    """A name and a function from (N, 256, 256, 1) frames to (N, 64, 64, 3) scores."""

    name: str
    answer: Answer


def model(folder: Path) -> Scorer:
    """Return the int8 model as the board runs it."""
    runtime = load((folder / "model.tflite").read_bytes())
    return Scorer("int8", lambda inputs: runtime.invoke(inputs)[0])


def twin(folder: Path, *, input_scale: float, output_scale: float) -> Scorer:
    """Return the float model; its outputs are rounded to the int8 model's steps to be counted."""
    runtime = FloatTwin(folder / "float.tflite")

    def answer(inputs: NDArray[np.int8]) -> Scores:
        (logits,) = runtime.answer(inputs.astype(np.float32) * np.float32(input_scale))
        return np.clip(np.rint(logits / output_scale), -128, 127).astype(np.int8)

    return Scorer("float", answer)


def classical() -> tuple[Scorer, ...]:
    """Return the classical detectors; none of them tells shadow apart.

    The risk of a site is the mean of their hazard under a lander: the best of what was tried.
    """
    return tuple(Scorer(name, partial(_detect, name)) for name in detectors.DETECTORS)


def _detect(name: str, inputs: NDArray[np.int8]) -> Scores:
    hazard = detectors.score(name, inputs)
    sums = np.stack([window_sums(one, REACH) for one in hazard.astype(np.int64)])
    risk = (sums // (2 * REACH + 1) ** 2).astype(np.int8)
    return np.stack([hazard, np.full_like(hazard, NO_SHADOW), risk], axis=-1)
