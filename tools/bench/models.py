"""The path from frame to findings over the bare interpreter, and spectra a second beside others.

Each model gets what it gets aboard: one camera frame, a cube of 256 spectra, one X-ray spectrum,
one sample frame.
``pipeline`` is prepare, invoke and conclude as the board runs them (in one process: a worker's
pipe and sealed memory are not in it), ``invoke`` the interpreter's own call and nothing else.
Beside the mineral model stand scikit-learn's LDA on the same spectra, and the same network in
numpy float32; where what they need is not installed, they are left out.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flight.autonomy.mineral import PHASES
from flight.autonomy.tasks import TASKS, Policy, conclude, prepare
from flight.board.card import Card, read_card, read_model
from flight.board.runtime import load, runtime_name
from flight.instant import Instant
from flight.product.values import Frame, Samples, SensorKind, Tensor
from tools.sim.__main__ import axis_of
from tools.sim.__main__ import frame as simulated

MODELS = Path(__file__).parents[2] / "models"
SPECTRA = 256
REFLECTANCE_COUNTS = 20_000
SEED = 1
Tasks = Mapping[str, Callable[[], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name this bench's options."""
    parser.add_argument("--rounds", type=int, default=25, help="the best of so many is taken")
    parser.add_argument("--round-ms", type=float, default=20.0, help="least length of a round")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return microseconds a step of each model's path, ratios, and spectra a second."""
    figures: dict[str, Any] = {"runtime": runtime_name(), "numpy": np.__version__}
    figures["models"] = {name: _path(name, frame, arguments) for name, frame in frames().items()}
    figures["mineral_spectra_per_s"] = _spectra(arguments)
    return figures


def frames() -> dict[str, Frame]:
    """Return a simulated frame for each task."""
    return {
        task.name: Frame(
            sensor=task.name,
            kind=task.kind,
            number=0,
            taken=Instant(0, 0),
            samples=_samples(task.kind),
            axis=axis_of(task.kind.name.lower()),
            unit_counts=REFLECTANCE_COUNTS,
        )
        for task in TASKS.values()
    }


def _samples(kind: SensorKind) -> Samples:
    drawn = simulated(kind.name.lower(), SEED, 0)
    if kind is not SensorKind.CUBE:
        return drawn
    return np.rint(drawn[:, :16, :16] * REFLECTANCE_COUNTS).astype(np.uint16)


def _path(name: str, frame: Frame, arguments: argparse.Namespace) -> dict[str, Any]:
    card, data = _model(name)
    runtime, bare = load(data), Bare(data)
    policy: Policy = card.policy_as(TASKS[name].policy)
    tensor = prepare(name, frame)
    if tensor is None:
        raise AssertionError(f"{name}: the simulated frame is unusable")
    outputs = runtime.invoke(tensor)
    bare.put(tensor)

    def pipeline() -> object:
        seen = prepare(name, frame)
        return conclude(frame, runtime.invoke(tensor if seen is None else seen), 0, policy)

    best = measure(
        {
            "prepare": lambda: prepare(name, frame),
            "invoke": bare.invoke,
            "findings": lambda: conclude(frame, outputs, 0, policy),
            "pipeline": pipeline,
        },
        arguments,
    )
    return {
        "frame": list(frame.samples.shape),
        "batch": len(tensor),
        "us": {step: round(seconds * 1e6, 1) for step, seconds in best.items()},
        "pipeline_over_invoke": round(best["pipeline"] / best["invoke"], 3),
    }


def _spectra(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return spectra a second of the mineral model and of what stands beside it."""
    card, data = _model("mineral")
    frame = frames()["mineral"]
    tensor = prepare("mineral", frame)
    if tensor is None:
        raise AssertionError("the simulated cube is unusable")
    bare = Bare(data)
    bare.put(tensor)
    beside = {"lda": _discriminant(frame), "numpy_float32": _numpy_twin(card, data, tensor)}
    present = {name: task for name, task in beside.items() if task is not None}
    best = measure({"int8": bare.invoke, **present}, arguments)
    rates = {name: round(SPECTRA / best[name]) if name in best else None for name in
             ("int8", *beside)}  # fmt: skip
    ratios = {
        f"int8_over_{name}": round(best[name] / best["int8"], 3) if name in best else None
        for name in beside
    }
    return {**rates, **ratios}


def _model(name: str) -> tuple[Card, bytes]:
    folder = MODELS / name
    card = read_card(folder)
    return card, read_model(folder, card.digest)


class Bare:
    """The interpreter as its makers give it, with one thread."""

    def __init__(self, model: bytes) -> None:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            from ai_edge_litert.interpreter import Interpreter
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self.invoke: Callable[[], None] = self._interpreter.invoke

    def put(self, tensor: Tensor) -> None:
        """Fill the input; the tensor must be the file's whole batch."""
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], tensor)


def _discriminant(frame: Frame) -> Callable[[], object] | None:
    """Return LDA's word on the frame's spectra; its speed does not depend on what it learned."""
    try:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    except ImportError:
        return None
    spectra = frame.samples.reshape(len(frame.samples), -1).T / REFLECTANCE_COUNTS
    rng = np.random.default_rng(SEED)
    labels = np.arange(4 * SPECTRA) % len(PHASES)
    lessons = np.tile(spectra, (4, 1)) * rng.normal(1, 0.05, (4 * SPECTRA, spectra.shape[1]))
    learner = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(lessons, labels)
    return lambda: learner.predict_proba(spectra / spectra.mean(axis=1, keepdims=True))


def _numpy_twin(card: Card, data: bytes, tensor: Tensor) -> Callable[[], object] | None:
    """Return the same network in numpy float32, ready on the same input."""
    try:
        from models.int8.floats import forward_of
    except ImportError:
        return None
    forward = forward_of(data)
    real = (tensor.astype(np.float32) - card.input.zero_point) * np.float32(card.input.scale)
    return lambda: forward(real)


def measure(tasks: Tasks, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the least processor seconds of each task; they take turns, so noise is fair.

    Processor time, for all of it is computing in one thread: a busy machine then does not count.
    """
    times = {name: _times(task, arguments.round_ms / 1000) for name, task in tasks.items()}
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(arguments.rounds):
        for name, task in tasks.items():
            best[name] = min(best[name], _seconds(task, times[name]))
    return best


def _times(task: Callable[[], object], least_s: float) -> int:
    task()
    return max(1, round(least_s / max(_seconds(task, 1), 1e-7)))


def _seconds(task: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        task()
    return (time.process_time() - start) / times
