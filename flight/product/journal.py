"""The journal: for each decision what the board was given, what it said, and a chained digest.

    body_n   = the step's inputs and its decision, packed
    digest_n = SHA-256(digest_{n-1} || body_n)

Pixels and tensors stand in the body by their SHA-256, so 32 bytes of the last digest vouch for
the whole run. The same entry, sent at priority 0, is the decision record.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.records import (
    Fields,
    Schema,
    decision_fields,
    pack_record,
    read_decision,
    read_record,
)
from flight.product.values import Decision, Frame, Samples, SensorKind, Tensor

GENESIS = bytes(32)
"""The digest before the first step."""

MAX_BANDS = 1024


@dataclass(frozen=True, slots=True)
class Stamp:
    """An array by its shape and the SHA-256 of its bytes in C order."""

    shape: tuple[int, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What one decision was made from. Everything that the decision may depend on is here."""

    number: int
    """Counts decisions since the journal began, across boots; replay goes in this order."""
    boot: int
    now: Instant
    sensor: str
    kind: SensorKind
    task: str
    """Which task of flight.autonomy concluded."""
    frame_number: int
    taken: Instant
    frame: Stamp
    sample_bytes: int
    """1, 2 or 4: the width of a sample."""
    axis: tuple[int, ...]
    unit_counts: int
    live_ms: int
    frame_name: str
    model_digest: bytes
    """SHA-256 of the model file; empty where no model was asked."""
    no_answer: int
    """A NoAnswer reason, or 0."""
    outputs: tuple[Stamp, ...]
    room_bytes: int
    """What the contacts of the planning horizon could still carry; or ROOM_UNKNOWN."""
    first_product: int
    """Number of the first product made of this step, so that a restart makes the same again."""

    @property
    def frame_bytes(self) -> int:
        """The frame's size before packing."""
        return math.prod(self.frame.shape) * self.sample_bytes


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step, its decision, and the chained digest after it."""

    step: Step
    decision: Decision
    digest: bytes

    def encode(self) -> bytes:
        """Return the entry's record."""
        return pack_record(Schema.JOURNAL, 1, [_body(self.step, self.decision), self.digest])


def stamp(array: Tensor | np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Stamp:
    """Return an array's shape and digest."""
    return Stamp(tuple(array.shape), hashlib.sha256(array.tobytes()).digest())


def enter(previous_digest: bytes, step: Step, decision: Decision) -> JournalEntry:
    """Return the entry that follows ``previous_digest``."""
    digest = hashlib.sha256(previous_digest + _body(step, decision)).digest()
    return JournalEntry(step, decision, digest)


def decode_entry(data: bytes) -> JournalEntry:
    """Return the entry in a JOURNAL record; its digest is checked by replay, not here.

    Raises:
        WireError: the record breaks the schema.
    """
    record = read_record(data, Schema.JOURNAL, 1, 2)
    body, digest = record.binary("body"), record.binary("digest", size=32)
    fields = read_record(body, Schema.JOURNAL, 1, _STEP_FIELDS + 6)
    return JournalEntry(_read_step(fields), read_decision(fields), digest)


_STEP_FIELDS = 22


def _body(step: Step, decision: Decision) -> bytes:
    fields: list[object] = [
        step.number,
        step.boot,
        *step.now,
        step.sensor,
        int(step.kind),
        step.task,
        step.frame_number,
        *step.taken,
        list(step.frame.shape),
        step.frame.digest,
        step.sample_bytes,
        list(step.axis),
        step.unit_counts,
        step.live_ms,
        step.frame_name,
        step.model_digest,
        step.no_answer,
        [[list(output.shape), output.digest] for output in step.outputs],
        step.room_bytes,
        step.first_product,
    ]
    return pack_record(Schema.JOURNAL, 1, fields + decision_fields(decision))


def _read_step(fields: Fields) -> Step:
    return Step(
        number=fields.integer("step"),
        boot=fields.integer("boot"),
        now=fields.instant("now"),
        sensor=fields.text("sensor"),
        kind=fields.enum(SensorKind, "sensor kind"),
        task=fields.text("task"),
        frame_number=fields.integer("frame number"),
        taken=fields.instant("taken"),
        frame=Stamp(
            fields.integers("frame shape", 0, 1 << 24, most=4),
            fields.binary("frame digest", size=32),
        ),
        sample_bytes=fields.integer("sample bytes", 1, 4),
        axis=fields.integers("axis", -(2**63), most=MAX_BANDS),
        unit_counts=fields.integer("unit counts"),
        live_ms=fields.integer("live time"),
        frame_name=fields.text("frame name"),
        model_digest=fields.binary("model digest"),
        no_answer=fields.integer("no answer"),
        outputs=_read_stamps(fields.array("outputs", most=8)),
        room_bytes=fields.integer("room", -1),
        first_product=fields.integer("first product"),
    )


def _read_stamps(rows: Fields) -> tuple[Stamp, ...]:
    stamps = []
    for _ in range(rows.left()):
        row = rows.array("output", most=2)
        stamps.append(
            Stamp(
                row.integers("output shape", 0, 1 << 24, most=5),
                row.binary("output digest", size=32),
            )
        )
    return tuple(stamps)


def as_samples(
    array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], sample_bytes: int
) -> Samples:
    """Return an array in a sensor's integers, 1, 2 or 4 bytes wide.

    Raises:
        WireError: no sensor has samples of that width.
    """
    if sample_bytes == 1:
        return array.astype(np.uint8, copy=False)
    if sample_bytes == 2:
        return array.astype(np.uint16, copy=False)
    if sample_bytes == 4:
        return array.astype(np.uint32, copy=False)
    raise WireError(f"samples of {sample_bytes} bytes are not known")


def step_of(
    frame: Frame,
    seen: Stamp,
    outputs: tuple[Stamp, ...],
    *,
    number: int,
    boot: int,
    now: Instant,
    task: str,
    model_digest: bytes,
    no_answer: int,
    room_bytes: int,
    first_product: int,
) -> Step:
    """Return the step in which a frame and a model's raw outputs are decided about.

    ``seen`` is the stamp of the frame's samples.
    """
    return Step(
        number=number,
        boot=boot,
        now=now,
        sensor=frame.sensor,
        kind=frame.kind,
        task=task,
        frame_number=frame.number,
        taken=frame.taken,
        frame=seen,
        sample_bytes=frame.samples.dtype.itemsize,
        axis=frame.axis,
        unit_counts=frame.unit_counts,
        live_ms=frame.live_ms,
        frame_name=frame.name[:255],
        model_digest=model_digest,
        no_answer=no_answer,
        outputs=outputs,
        room_bytes=room_bytes,
        first_product=first_product,
    )


def frame_of(step: Step, samples: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Frame:
    """Return the frame of a step around its samples, which are cast to the step's width.

    Raises:
        WireError: no sensor has samples of that width.
    """
    return Frame(
        sensor=step.sensor,
        kind=step.kind,
        number=step.frame_number,
        taken=step.taken,
        samples=as_samples(samples, step.sample_bytes),
        axis=step.axis,
        unit_counts=step.unit_counts,
        live_ms=step.live_ms,
        name=step.frame_name,
    )
