"""Frames and raw outputs in sealed memory, and how they are told of to another process."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from zlib import crc32

import numpy as np

from flight.board.sealed import Sealed, seal
from flight.product.errors import WireError
from flight.product.journal import MAX_BANDS, Stamp, as_samples, stamp
from flight.product.records import Fields
from flight.product.values import Frame, SensorKind, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class SealedFrame:
    """A frame as the control process has it: it hands the memory on and need not read it."""

    frame: Frame
    """Its samples are the memory, mapped."""
    memory: Sealed
    stamp: Stamp
    """As flight.product.journal.stamp of the samples, by whoever sealed them."""
    crc: int
    """CRC-32 of the samples."""


def seal_frame(frame: Frame) -> SealedFrame:
    """Return a frame with a copy of its samples in sealed memory.

    Raises:
        OSError: there is no memory or no descriptor to be had.
    """
    memory = seal((frame.samples,))
    data = memory.view()
    shape = tuple(frame.samples.shape)
    digest = hashlib.sha256(data).digest()
    return SealedFrame(
        frame=frame_of_fields(Fields(frame_fields(frame)), data),
        memory=memory,
        stamp=Stamp(shape, digest),
        crc=crc32(data),
    )


def frame_fields(frame: Frame) -> list[object]:
    """Return all of a frame but its samples, as eleven fields of a record."""
    return [
        frame.sensor,
        int(frame.kind),
        frame.number,
        *frame.taken,
        list(frame.samples.shape),
        frame.samples.dtype.itemsize,
        list(frame.axis),
        frame.unit_counts,
        frame.live_ms,
        frame.name[:255],
    ]


def frame_of_fields(fields: Fields, data: memoryview) -> Frame:
    """Return the frame whose eleven fields come next, round its samples' bytes.

    Raises:
        WireError: a field is missing or out of range, or the bytes are not as many.
    """
    sensor, kind = fields.text("sensor"), fields.enum(SensorKind, "sensor kind")
    number, taken = fields.integer("frame number"), fields.instant("taken")
    shape = fields.integers("shape", 0, 1 << 24, most=4)
    width = fields.integer("sample bytes", 1, 4)
    axis = fields.integers("axis", -(2**63), most=MAX_BANDS)
    unit_counts, live_ms = fields.integer("unit counts"), fields.integer("live time")
    name = fields.text("name")
    if not data or width == 3 or prod(shape) * width != len(data):
        raise WireError("a frame that does not have its shape")
    samples = as_samples(np.frombuffer(data, f"<u{width}").reshape(shape), width)
    return Frame(sensor, kind, number, taken, samples, axis, unit_counts, live_ms, name)


@dataclass(frozen=True, slots=True, eq=False)
class SealedOutputs:
    """Raw outputs of one frame.

    They are the seam of replay: everything after them is integer arithmetic, so the ground repeats
    it bit for bit on any machine.
    """

    arrays: tuple[Tensor, ...]
    """The quantised tensors as the runtime returned them, then what a companion says; mapped."""
    memory: Sealed
    """All of them, one after the other."""
    stamps: tuple[Stamp, ...]
    """As flight.product.journal.stamp of each, by whoever sealed them."""


def seal_outputs(arrays: tuple[Tensor, ...]) -> SealedOutputs:
    """Return outputs in sealed memory.

    Raises:
        OSError: there is no memory or no descriptor to be had.
    """
    memory = seal(arrays)
    stamps = tuple(stamp(array) for array in arrays)
    return SealedOutputs(outputs_in(memory, [one.shape for one in stamps]), memory, stamps)


def outputs_in(memory: Sealed, shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, ...]:
    """Return the outputs that lie one after the other in a memory.

    Raises:
        WireError: they are not as long as the memory.
    """
    if sum(prod(shape) for shape in shapes) != memory.size_bytes:
        raise WireError("outputs that do not have their shapes")
    data, place = memory.view(), 0
    outputs: list[Tensor] = []
    for shape in shapes:
        size = prod(shape)
        outputs.append(np.frombuffer(data[place : place + size], np.int8).reshape(shape))
        place += size
    return tuple(outputs)
