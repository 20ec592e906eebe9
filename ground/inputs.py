"""What a decision was made from, put together from the products that arrived."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.decide import DecisionPolicy
from flight.autonomy.plan import Slot
from flight.autonomy.tasks import TASKS, Policy, policy_from
from flight.product.errors import WireError
from flight.product.journal import Step, frame_of, stamp
from flight.product.part import ProductId, ProductKind
from flight.product.values import Frame, SensorKind, Tensor
from ground.library import Library
from ground.words import ranges

DECISION_POLICY = "decisions"
"""What the boot record calls the policy of flight.autonomy.decide."""
MOST_SAMPLES = 1 << 28
"""A frame that claims more samples is not rebuilt."""

_WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32}


@dataclass(frozen=True, slots=True)
class Absent:
    """Something that a decision was made from has not arrived."""

    what: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Ground and board do not agree on this."""

    what: str
    board: str
    ground: str


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a step was concluded and decided from."""

    frame: Frame
    outputs: tuple[Tensor, ...]
    policy: Policy | None
    """None: the board had none for this task, so its model was never asked."""
    decisions: DecisionPolicy


Fault: TypeAlias = Absent | Difference


def gather(library: Library, node: int, step: Step) -> Inputs | Fault:
    """Return all that a step was made from, or what of it is absent or not as the journal says."""
    policies = _policies(library, node, step)
    if not isinstance(policies, tuple):
        return policies
    outputs = []
    for index in range(len(step.outputs)):
        output = _output(library, node, step, index)
        if isinstance(output, Absent | Difference):
            return output
        outputs.append(output)
    frame = _frame(library, node, step)
    if isinstance(frame, Absent | Difference):
        return frame
    return Inputs(frame, tuple(outputs), *policies)


def _policies(
    library: Library, node: int, step: Step
) -> tuple[Policy | None, DecisionPolicy] | Fault:
    boot = library.logbook.boots.get((node, step.boot))
    if boot is None:
        return Absent(f"the record of boot {step.boot} has not arrived")
    told = dict(boot.policies)
    task = TASKS.get(step.task)
    if task is None or DECISION_POLICY not in told:
        return Absent(f"task {step.task!r} is not known here, or boot {step.boot} tells no policy")
    try:
        policy = policy_from(task.policy, told[step.task]) if step.task in told else None
        return policy, policy_from(DecisionPolicy, told[DECISION_POLICY])
    except WireError as error:
        return Difference("policy in the boot record", str(error), "another form")


def _output(library: Library, node: int, step: Step, index: int) -> Tensor | Fault:
    product = ProductId(node, step.boot, step.first_product + Slot.FIRST_OUTPUT + index)
    samples = _samples(library, product, ProductKind.OUTPUTS)
    if isinstance(samples, Absent):
        return samples
    found = stamp(samples)
    if samples.dtype != np.int8 or found != step.outputs[index]:
        journal = f"{step.outputs[index].shape} {step.outputs[index].digest.hex()}"
        arrived = f"{found.shape} {found.digest.hex()}"
        return Difference(f"output tensor {index} (product {product})", journal, arrived)
    return samples.astype(np.int8, copy=False)


def _frame(library: Library, node: int, step: Step) -> Frame | Fault:
    if step.kind is not SensorKind.XRAY:
        # Only shape and axis are asked for: one zero, seen from everywhere, is enough.
        shape = step.frame.shape
        if not shape or min(shape) < 1 or math.prod(shape) > MOST_SAMPLES:
            return Absent(f"a frame of shape {shape} is nothing that a sensor sends")
        zero = np.zeros((), _WIDTHS.get(step.sample_bytes, np.uint32))
        return frame_of(step, np.broadcast_to(zero, shape))
    product = ProductId(node, step.boot, step.first_product + Slot.CURVES)
    samples = _samples(library, product, ProductKind.XRAY_SPECTRUM)
    if isinstance(samples, Absent):
        return samples
    found = stamp(samples)
    if found != step.frame:
        return Difference(
            f"spectrum (product {product})", step.frame.digest.hex(), found.digest.hex()
        )
    return frame_of(step, samples)


def _samples(
    library: Library, product: ProductId, kind: ProductKind
) -> NDArray[np.generic] | Absent:
    row = library.row(product)
    if row is None or row.header.kind is not kind:
        return Absent(f"product {product} ({kind.name.lower()}) has not arrived")
    if row.missing:
        return Absent(f"product {product}: parts {ranges(row.missing)} have not arrived")
    try:
        array = library.read(product).array
    except WireError as error:
        return Absent(f"product {product} cannot be decoded: {error}")
    if array is None or not array.complete:
        return Absent(f"product {product} has gaps")
    return array.samples
