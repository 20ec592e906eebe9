"""The model worker: a child process that runs models and codecs, one job at a time.

Run as ``python -m flight.board.worker DESCRIPTOR`` by the supervisor. Only here are models
parsed, and only after their SHA-256 was checked, because a damaged model crashes or hangs the
process that reads it. It serves a model once its known-answer frame came out right.
"""

import hashlib
import os
import signal
import socket
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from flight.autonomy.tasks import TASKS, Look, Policy, conclude, look, policy_from
from flight.board.card import Card, CardError, read_card, read_model
from flight.board.known_answer import disagreement, pattern
from flight.board.messages import Channel, Heard, Say
from flight.board.parent import follow_parent, limit_memory
from flight.board.runtime import (
    Runtime,
    RuntimeModelError,
    has_golden_kernels,
    load,
    runtime_name,
)
from flight.board.sealed import seal
from flight.board.sealedvalues import frame_of_fields, outputs_in, seal_outputs
from flight.product.errors import WireError
from flight.product.records import Fields, finding_fields
from flight.product.values import Frame, NoAnswer, Tensor

MOST_INPUT_BYTES = 1 << 31
"""A frame's memory; the control process bounds it by the sensor's settings."""
MAX_WORDS = 1000
"""Characters of an error that go back; a runtime can be verbose."""


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    card: Card
    data: bytes
    """The runtime reads weights in place from here, so its digest also tells of upsets."""
    runtime: Runtime


class _Worker:
    """Answers messages; its models live as long as it does."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._models: dict[str, _Model] = {}
        self._reference = False
        self._most_bytes = 0

    def act(self, heard: Heard) -> None:
        """Do what one message asks and answer it."""
        say, fields = heard.say, heard.fields
        if say is Say.START:
            self._start(fields)
        elif say is Say.LOOK:
            self._look(heard)
        elif say is Say.ENCODE:
            self._encode(heard)
        elif say is Say.CHECK:
            self._channel.send(Say.CHECKED, self._check())
        else:
            raise WireError(f"{say.name} is not for a worker")

    def _start(self, fields: Fields) -> None:
        os.nice(fields.integer("nice"))
        limit_memory(fields.integer("memory limit"))
        self._reference = fields.boolean("reference kernels")
        self._most_bytes = fields.integer("answer limit")
        rows = fields.array("models", most=64)
        models = [rows.array("model") for _ in range(rows.left())]
        refusals = []
        for row in models:
            name, folder = row.text("name"), Path(row.text("folder", most=4096))
            why = self._load(name, folder, row.binary("digest"))
            refusals.append([name, why[:MAX_WORDS]])
        self._channel.send(Say.READY, runtime_name() if self._models else "", refusals)

    def _load(self, name: str, folder: Path, digest: bytes) -> str:
        """Load a model that proves itself; return "" or why it is refused."""
        try:
            card = read_card(folder)
            data = read_model(folder, digest)
            runtime = load(data, "reference" if self._reference else "fast")
        except (CardError, RuntimeModelError) as error:
            return str(error)
        model = _Model(card, data, runtime)
        wrong = _wrong(model, exact=self._reference and has_golden_kernels())
        if not wrong:
            self._models[name] = model
        return wrong

    def _look(self, heard: Heard) -> None:
        fields = heard.fields
        job, name, task = fields.integer("job"), fields.text("model"), fields.text("task")
        policy = _policy(task, fields)
        frame = frame_of_fields(fields.array("frame"), heard.memory().view())
        companion = _frame(fields.array("companion"), heard, 1)
        before = _tensor(fields.array("before"))
        model = self._models.get(name)
        if name and model is None:
            self._fail(job, NoAnswer.MODEL_REFUSED, f"{name} is not loaded")
            return
        try:
            seen = (
                Look((), companion_fits=True)
                if model is None
                else look(task, frame, companion, before, model.runtime.invoke)
            )
        except RuntimeModelError as error:
            self._fail(job, NoAnswer.BAD_FRAME, str(error))
            return
        fits = seen.companion_fits
        if seen.outputs is None:
            self._fail(job, NoAnswer.BAD_FRAME, "the frame is unusable", companion_fits=fits)
            return
        findings = conclude(frame, seen.outputs, 0, policy)
        sealed = seal_outputs(seen.outputs)
        if not self._exceeds(job, sealed.memory.size_bytes):
            stamps = [[list(stamp.shape), stamp.digest] for stamp in sealed.stamps]
            told = (stamps, finding_fields(findings), fits)
            self._channel.send(Say.SEEN, job, *told, memories=(sealed.memory,))

    def _encode(self, heard: Heard) -> None:
        # Here, not above: an inference worker never encodes, and is up in half the time.
        from flight.autonomy.plan import content_of
        from flight.board.planfields import read_plan
        from flight.product.codecs import CODECS, encode
        from flight.product.codecs.types import as_integers

        fields = heard.fields
        job, plan = fields.integer("job"), read_plan(fields.array("plan"))
        frame = _frame(fields.array("frame"), heard, 0)
        policy = _policy(fields.text("task"), fields)
        rows = fields.array("outputs")
        shapes = [rows.integers("shape") for _ in range(rows.left())]
        outputs = outputs_in(heard.memories[-1], shapes) if shapes else ()
        try:
            if plan.codec not in CODECS:
                raise ValueError("it is not known")
            content = content_of(plan, frame, outputs, policy)
            parts = encode(
                plan.codec,
                as_integers(content, content.dtype),
                maximum_error=plan.maximum_error,
                part_lines=plan.part_lines,
                tile=plan.tile,
            )
        except (ValueError, IndexError) as error:
            self._fail(job, NoAnswer.BAD_FRAME, f"codec {plan.codec}: {error}")
            return
        table = np.array([[*part.geometry, len(part.data)] for part in parts], np.int64)
        if not self._exceeds(job, table.nbytes + sum(len(part.data) for part in parts)):
            memory = seal((table, *(part.data for part in parts)))
            self._channel.send(Say.PARTS, job, *table.shape, memories=(memory,))

    def _exceeds(self, job: int, size_bytes: int) -> bool:
        """Say so where an answer is larger than the control process wants it."""
        if size_bytes > self._most_bytes:
            words = f"{size_bytes} bytes exceed what an answer may take; raise shared_mib"
            self._fail(job, NoAnswer.BAD_FRAME, words)
        return size_bytes > self._most_bytes

    def _fail(self, job: int, reason: NoAnswer, words: str, *, companion_fits: bool = True) -> None:
        self._channel.send(Say.FAILED, job, int(reason), words[:MAX_WORDS], companion_fits)

    def _check(self) -> str:
        for name, model in self._models.items():
            wrong = _wrong(model, exact=self._reference and has_golden_kernels())
            if hashlib.sha256(model.data).digest() != model.card.digest:
                wrong = "its weights changed in memory"
            if wrong:
                return f"{name}: {wrong}"
        return ""


def _wrong(model: _Model, *, exact: bool) -> str:
    card, runtime = model.card, model.runtime
    shapes = tuple(output.shape for output in card.outputs)
    if (card.input.shape, shapes) != (runtime.input_shape, runtime.output_shapes):
        return (
            f"the file's tensors {runtime.input_shape} {runtime.output_shapes} are not the card's"
        )
    try:
        outputs = runtime.invoke(pattern(card.input.shape, card.known_answer.seed))
    except RuntimeModelError as error:
        return str(error)
    wrong = disagreement(card.known_answer, outputs, exact=exact)
    return f"known answer: {wrong}" if wrong else ""


def _policy(task: str, fields: Fields) -> Policy | None:
    """Return the policy of a task, or None where its integers are none."""
    integers = fields.integers("policy", -(2**63), most=1 << 14)
    return policy_from(TASKS[task].policy, integers) if integers else None


def _frame(fields: Fields, heard: Heard, index: int) -> Frame | None:
    """Return the frame that lies in a message's memory, where it has one."""
    return frame_of_fields(fields, heard.memory(index).view()) if fields.left() else None


def _tensor(fields: Fields) -> Tensor | None:
    """Return the tensor whose shape and bytes stand in a message, where there is one."""
    if not fields.left():
        return None
    shape = fields.integers("shape", 1, 1 << 10, most=4)
    return np.frombuffer(fields.binary("tensor", size=prod(shape)), np.int8).reshape(shape)


def main(descriptor: int) -> None:
    """Serve until the control process closes its end of the socket."""
    follow_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control process's to handle
    channel = Channel(socket.socket(fileno=descriptor), most_bytes=MOST_INPUT_BYTES)
    worker = _Worker(channel)
    while True:
        try:
            heard = channel.receive()
        except EOFError:
            return
        if heard is not None:
            worker.act(heard)


if __name__ == "__main__":
    main(int(sys.argv[1]))
