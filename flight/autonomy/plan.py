"""One product to be made: a plan that holds no array, and the array made from it.

Planning (``downlink``) costs next to nothing, because a plan only says what its product is made
from. ``content_of`` makes the array, in a process that has the time for it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import PICTURE, TELEMETRY
from flight.autonomy.tasks import Policy, class_map
from flight.product.journal import as_samples
from flight.product.part import ProductKind
from flight.product.values import Frame, Samples, SensorKind, Tensor

Content: TypeAlias = Samples | Tensor

THUMBNAIL_SIDE = 100
"""Longest side of a thumbnail in pixels."""
MOST_OUTPUTS = 8
"""Raw outputs of a step that are sent."""


class Slot(IntEnum):
    """Which of its step's product numbers a product has, whatever else is planned."""

    DECISION = 0
    THUMBNAIL = 1
    MAP = 2
    CURVES = 3
    """An X-ray spectrum, or a sample's telemetry."""
    FIRST_OUTPUT = 4
    """The others follow."""
    REGION = 12
    SPECTRA = 13
    FRAME = 14
    RANGE = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """One product to be made: what it is, how it is packed, and from what."""

    slot: int
    """A Slot, or a later output's."""
    kind: ProductKind
    codec: int
    raw_bytes: int
    """Size of its array; 0 for a record."""
    record: bytes = b""
    """What CODEC_BYTES sends; of the others ``content_of`` makes the array."""
    place: tuple[int, ...] = ()
    """MAP: the frame's shape. REGION: top, left, rows, columns. SPECTRA: lines, then samples."""
    part_lines: int = 32
    """Lines of a cube in one part."""
    tile: int = 256
    """Rows and columns of an image in one part."""
    maximum_error: int = 0
    """Largest error of a sample; 0: lossless."""
    ahead: tuple[int, ...] = ()
    """Indices of the parts that are evidence and go ahead, as a product of their own."""


def content_of(
    plan: Plan, frame: Frame | None, outputs: tuple[Tensor, ...], policy: Policy | None
) -> Content:
    """Return the array of one product, from what the plan was made from.

    ``frame`` is the step's; for a RANGE product, the companion's.

    Raises:
        ValueError, IndexError: it cannot be made from these.
    """
    if plan.slot == Slot.MAP:
        drawn = None if policy is None else class_map(plan.place, outputs, policy)
        if drawn is None:
            raise ValueError("the task draws no map")
        return drawn
    if Slot.FIRST_OUTPUT <= plan.slot < Slot.FIRST_OUTPUT + MOST_OUTPUTS:
        return outputs[plan.slot - Slot.FIRST_OUTPUT]
    if frame is None:
        raise ValueError("its frame is not there")
    return _samples_of(plan, frame)


def _samples_of(plan: Plan, frame: Frame) -> Samples:
    samples = frame.samples
    with_telemetry = frame.kind is SensorKind.SAMPLE
    match plan.slot:
        case Slot.THUMBNAIL:
            return thumbnail(samples[PICTURE] if with_telemetry else samples)
        case Slot.CURVES:
            return samples[TELEMETRY] if with_telemetry else samples
        case Slot.REGION:
            top, left, rows, columns = plan.place
            return np.ascontiguousarray(samples[top : top + rows, left : left + columns])
        case Slot.SPECTRA:
            half = len(plan.place) // 2
            lines, columns_ = list(plan.place[:half]), list(plan.place[half:])
            return samples[:, lines, columns_].astype(np.uint16)
        case _:
            return samples


def thumbnail(samples: Samples) -> Samples:
    """Return the image averaged over square blocks, at most THUMBNAIL_SIDE pixels a side."""
    if samples.shape == thumbnail_shape(samples.shape):
        return samples
    block = _block(samples.shape)
    rows, columns = (side // block for side in samples.shape)
    whole = samples[: rows * block, : columns * block].astype(np.uint32)
    blocks = whole.reshape(rows, block, columns, block)
    means: NDArray[np.uint32] = blocks.sum(axis=(1, 3), dtype=np.uint32) // (block * block)
    return as_samples(means, samples.dtype.itemsize)


def _block(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape) // THUMBNAIL_SIDE))


def thumbnail_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an image's thumbnail."""
    block = _block(shape)
    return shape if min(shape) < block else tuple(side // block for side in shape)
