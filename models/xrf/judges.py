"""Everything that turns a binned spectrum into oxides: model, float twin, peak fits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.oxides import VOTES, abundances, compressed
from flight.autonomy.xrf import XrfPolicy
from flight.board.card import read_card, read_model
from flight.board.runtime import load
from models.int8.twin import FloatTwin
from models.xrf.peakfit import METHODS
from models.xrf.response import Response

Judge = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""From (spectra, 192) counts to (spectra, 8) percent."""


def judges_of(folder: Path, response: Response) -> dict[str, Judge]:
    """Return the model in a folder, its twin, and the peak fits."""
    fits = {name: partial(_fitted, name, response) for name in METHODS}
    return {"int8": int8_model(folder), "float": float_model(folder), **fits}


def int8_model(folder: Path) -> Judge:
    """Return the model as the board runs it, read through its policy's integers."""
    known = read_card(folder)
    policy = known.policy_as(XrfPolicy)
    runtime = load(read_model(folder, known.digest))

    def judge(binned: NDArray[np.int64]) -> NDArray[np.float64]:
        votes = runtime.invoke(compressed(binned))[0]
        return abundances(votes, policy.centre, policy.step) / 1000

    return judge


def float_model(folder: Path) -> Judge:
    """Return the same network without rounding."""
    known = read_card(folder)
    policy = known.policy_as(XrfPolicy)
    twin = FloatTwin(folder / "float.tflite")
    centre, step = np.array(policy.centre) / 1e4, np.array(policy.step) / 1e7

    def judge(binned: NDArray[np.int64]) -> NDArray[np.float64]:
        tensor = compressed(binned).astype(np.float32) * np.float32(known.input.scale)
        votes = twin.answer(tensor)[0] / known.outputs[0].scale + known.outputs[0].zero_point
        sums = votes.reshape(len(votes), VOTES, -1).sum(axis=1)
        return np.maximum(centre + sums * step, 0) ** 2

    return judge


def _fitted(name: str, response: Response, binned: NDArray[np.int64]) -> NDArray[np.float64]:
    return METHODS[name](binned, response)
