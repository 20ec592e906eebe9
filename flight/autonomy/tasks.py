"""The tasks by name: how each prepares a frame, concludes from it, and draws its map.

One table for board and ground: the board concludes from fresh outputs, the ground from the
journal's, and both call the same row.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import TypeAlias, TypeVar, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from flight.autonomy import mineral, oxides, range_guard, sample, second_look, terrain, xrf
from flight.autonomy.decide import DecisionPolicy
from flight.product.errors import WireError
from flight.product.values import Finding, Frame, Kind, NoAnswer, SensorKind, Tensor

Policy: TypeAlias = (
    terrain.TerrainPolicy | mineral.MineralPolicy | xrf.XrfPolicy | sample.SamplePolicy
)
PolicyT = TypeVar("PolicyT")
ClassMap: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Task:
    """One row: what a sensor's frames are for."""

    name: str
    kind: SensorKind
    policy: type[Policy]
    without_model: Policy | None = None
    """How it concludes where no model is aboard; None: not at all."""


TASKS = {
    task.name: task
    for task in (
        Task("terrain", SensorKind.CAMERA, terrain.TerrainPolicy),
        Task("mineral", SensorKind.CUBE, mineral.MineralPolicy),
        Task("xrf", SensorKind.XRAY, xrf.XrfPolicy, without_model=xrf.XrfPolicy()),
        Task("sample", SensorKind.SAMPLE, sample.SamplePolicy),
    )
}


_PREPARE: dict[str, Callable[[Frame], Tensor | None]] = {
    "terrain": terrain.prepare,
    "mineral": mineral.prepare,
    "xrf": oxides.prepare,
    "sample": sample.prepare,
}


def prepare(task: str, frame: Frame) -> Tensor | None:
    """Return the model's input for a frame, or None where the frame is unusable."""
    return _PREPARE[task](frame)


Invoke: TypeAlias = Callable[[Tensor], tuple[Tensor, ...]]
"""A loaded model: raw outputs for an input."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen in one frame."""

    outputs: tuple[Tensor, ...] | None
    """The model's raw outputs, then what the companion's frame and a coarser look say; None: the
    frame is unusable."""
    companion_fits: bool
    """False where a companion's frame was there and does not fit the frame."""


def look(
    task: str, frame: Frame, companion: Frame | None, before: Tensor | None, invoke: Invoke
) -> Look:
    """Return what a model, the sensor beside the frame's own and ``before`` say of a frame.

    ``before`` is what second_look.beneath gave for it.
    """
    aside = None if companion is None else accompany(task, frame, companion)
    fits = companion is None or aside is not None
    tensor = prepare(task, frame)
    if tensor is None:
        return Look(None, fits)
    words = tuple(word for word in (aside, before) if word is not None)
    return Look((*invoke(tensor), *words), fits)


def accompany(task: str, frame: Frame, companion: Frame) -> Tensor | None:
    """Return what a second sensor's frame says, to stand beside the model's outputs.

    None: it does not fit the frame.
    """
    return range_guard.guard(companion, frame) if task == "terrain" else None


def keep(
    task: str, frame: Frame, outputs: tuple[Tensor, ...], findings: tuple[Finding, ...]
) -> second_look.Earlier | None:
    """Return what of a frame's answer a later frame may need; None: nothing."""
    return second_look.earlier_of(frame, outputs, findings) if task == "terrain" else None


def conclude(
    frame: Frame, outputs: tuple[Tensor, ...], no_answer: int, policy: Policy | None
) -> tuple[Finding, ...]:
    """Return the findings of one frame from its raw outputs; pure integers.

    Of ``frame`` only an X-ray task reads the samples; the others read shape and axis, so the
    ground may pass a frame whose samples never came.
    """
    try:
        if isinstance(policy, xrf.XrfPolicy):
            return xrf.conclude(frame, outputs, no_answer, policy)
        if no_answer or policy is None:
            return (Finding(Kind.NO_ANSWER, label=no_answer or NoAnswer.MODEL_REFUSED),)
        if isinstance(policy, terrain.TerrainPolicy):
            return terrain.conclude(frame.samples.shape, outputs, policy, axis=frame.axis)
        if isinstance(policy, sample.SamplePolicy):
            return sample.conclude(outputs, policy)
        return mineral.conclude(frame.samples.shape, outputs, policy, axis=frame.axis)
    except (IndexError, ValueError):
        # A model whose outputs do not have the task's shape has said nothing.
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.MODEL_REFUSED),)


def class_map(
    frame_shape: tuple[int, ...], outputs: tuple[Tensor, ...], policy: Policy
) -> ClassMap | None:
    """Return the task's map, (rows, columns) uint8 classes, or None for a task without one."""
    if isinstance(policy, terrain.TerrainPolicy):
        return terrain.classify(outputs, policy)
    if isinstance(policy, mineral.MineralPolicy):
        return mineral.read_pixels(outputs, policy).phase.reshape(frame_shape[1:])
    return None


def map_shape(frame_shape: tuple[int, ...], policy: Policy | None) -> tuple[int, ...] | None:
    """Return how many rows and columns the task's map has; None: the task draws none."""
    if isinstance(policy, terrain.TerrainPolicy):
        return terrain.CELLS, terrain.CELLS
    return frame_shape[1:] if isinstance(policy, mineral.MineralPolicy) else None


def policy_integers(policy: Policy | DecisionPolicy) -> tuple[int, ...]:
    """Return a policy as integers in field order; a tuple stands as its length, then its items."""
    flat: list[int] = []
    for field in fields(policy):
        value = getattr(policy, field.name)
        flat += [len(value), *value] if isinstance(value, tuple) else [int(value)]
    return tuple(flat)


def policy_from(cls: type[PolicyT], integers: tuple[int, ...]) -> PolicyT:
    """Return the policy that ``policy_integers`` flattened.

    Raises:
        WireError: the integers do not fit the class.
    """
    values: list[int | bool | tuple[int, ...]] = []
    at = 0
    try:
        for hint in _hints(cls):  # type: ignore[arg-type] # mypy asks whether its values hash
            if get_origin(hint) is tuple:
                values.append(integers[at + 1 : at + 1 + integers[at]])
                at += 1 + integers[at]
            else:
                values.append(bool(integers[at]) if hint is bool else integers[at])
                at += 1
        if at != len(integers):
            raise WireError(f"{cls.__name__}: {len(integers)} integers where {at} are meant")
        return cls(*values)
    except (IndexError, ValueError, TypeError) as error:
        raise WireError(f"{cls.__name__} cannot be read: {error}") from error


@cache
def _hints(cls: type[object]) -> tuple[object, ...]:
    """Return the types of a class's fields; to work them out takes longer than all the rest."""
    return tuple(get_type_hints(cls).values())
