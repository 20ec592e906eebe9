"""Jobs for workers in tests: a spectrum to look at, an array to pack, and what must come back."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.plan import Plan, Slot
from flight.autonomy.tasks import prepare
from flight.autonomy.xrf import XrfPolicy
from flight.board.card import read_card
from flight.board.jobs import Answer, EncodeJob, InferJob, Material, ModelFile
from flight.board.runtime import load
from flight.board.sealedvalues import seal_frame
from flight.chosen import packaged_model
from flight.instant import Instant
from flight.product.codecs import CODECS, CodecId, Decoded, Encoded, decode
from flight.product.part import ProductKind
from flight.product.values import Frame, SensorKind, Tensor
from tools.sim.__main__ import axis_of
from tools.sim.__main__ import frame as simulated_frame

KINDS = {
    "terrain": SensorKind.CAMERA,
    "mineral": SensorKind.CUBE,
    "xrf": SensorKind.XRAY,
    "sample": SensorKind.SAMPLE,
}
FOLDER = packaged_model("xrf")
CARD = read_card(FOLDER)
MODEL = ModelFile(CARD.name, FOLDER, CARD.digest)


def simulated(task: str, number: int = 0) -> Frame:
    """Return a simulated frame of a task's kind, in the integers that its sensor delivers."""
    kind = KINDS[task]
    samples = simulated_frame(kind.name.lower(), 5, number)
    if kind is SensorKind.CUBE:
        samples = np.rint(samples[:, :16, :16] * 20_000).astype(np.uint16)
    axis = tuple(axis_of(kind.name.lower()))
    return Frame(kind.name.lower(), kind, number, Instant(1, 2), samples, axis)


def question(model: str = CARD.name) -> InferJob:
    """Return the job to look at a simulated spectrum."""
    return InferJob(model, "xrf", CARD.policy_as(XrfPolicy), seal_frame(simulated("xrf")))


def is_right(answer: Answer, job: InferJob | EncodeJob) -> bool:
    """Return whether an answer that is one is the right one."""
    if isinstance(job, EncodeJob):
        assert job.material.frame is not None
        wanted = job.material.frame.frame.samples
        return bool(np.array_equal(unpacked(job.plan.codec, answer).samples, wanted))
    assert answer.inference is not None
    found, wanted_outputs = answer.inference.outputs.arrays, expected_outputs()
    return len(found) == len(wanted_outputs) and all(map(np.array_equal, found, wanted_outputs))


@lru_cache(maxsize=1)
def expected_outputs() -> tuple[Tensor, ...]:
    """Return what the X-ray model says of ``question``'s spectrum."""
    tensor = prepare("xrf", simulated("xrf"))
    assert tensor is not None
    return load((FOLDER / "model.tflite").read_bytes()).invoke(tensor)


def packing(samples: NDArray[np.generic], codec: int = CodecId.RAW) -> EncodeJob:
    """Return the job to pack an array."""
    kind = {1: SensorKind.XRAY, 2: SensorKind.CAMERA, 3: SensorKind.CUBE}[samples.ndim]
    frame = Frame("any", kind, 0, Instant(1, 2), samples)
    plan = Plan(Slot.FRAME, ProductKind.FRAME, codec, samples.nbytes)
    return EncodeJob(plan, Material(seal_frame(frame)))


def unpacked(codec: int, answer: Answer) -> Decoded:
    """Return the array that a worker packed."""
    parts = [Encoded(part.geometry, bytes(part.data)) for part in answer.parts]
    return decode(codec, CODECS[codec].version, parts)
