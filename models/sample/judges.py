"""Everything that gives a case its heads: model, float twin, ablations, classical methods."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flight.autonomy.sample import HEADS, SamplePolicy
from flight.board.card import read_card
from flight.board.runtime import load
from models.int8 import card
from models.int8.twin import FloatTwin
from models.sample import baselines
from models.sample.baselines import Judge
from models.sample.data import Cases
from models.sample.scoring import Heads
from models.sample.views import ABLATIONS, Shows, shown


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge and the policy that its own calibration gave it."""

    name: str
    judge: Judge
    policy: SamplePolicy


def every_judge(folder: Path) -> dict[str, Judge]:
    """Return all judges by name, the model first."""
    judges = {"int8": int8_model(folder), "float": float_model(folder)}
    judges |= {view.value: int8_model(folder / view.value, view) for view in ABLATIONS}
    return judges | baselines.judges(folder / "baselines.npz")


def calibrated(folder: Path) -> list[Judged]:
    """Return all judges with the thresholds that stand in the model's card."""
    own = read_card(folder).policy_as(SamplePolicy)
    others = card.read(folder)["compared"]
    return [
        Judged(name, judge, own if name == "int8" else SamplePolicy(**others[name]))
        for name, judge in every_judge(folder).items()
    ]


def int8_model(folder: Path, shows: Shows = Shows.BOTH) -> Judge:
    """Return a model as the board runs it."""
    runtime = load((folder / "model.tflite").read_bytes())

    def judge(cases: Cases) -> Heads:
        return runtime.invoke(shown(cases.inputs, shows))[0].reshape(-1, HEADS)

    return judge


def float_model(folder: Path) -> Judge:
    """Return the float twin; its outputs are rounded to the int8 model's steps to be counted."""
    known, twin = read_card(folder), FloatTwin(folder / "float.tflite")
    scale, zero = known.outputs[0].scale, known.outputs[0].zero_point

    def judge(cases: Cases) -> Heads:
        samples = cases.inputs.astype(np.float32) * np.float32(known.input.scale)
        said = twin.answer(samples)[0].reshape(-1, HEADS)
        return np.clip(np.rint(said / scale) + zero, -128, 127).astype(np.int8)

    return judge
