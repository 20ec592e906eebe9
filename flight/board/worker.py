"""The model worker: a child process that runs models and codecs, one job at a time.

Run as ``python -m flight.board.worker DESCRIPTOR`` by the supervisor. Only here are models
parsed, and only after their SHA-256 was checked, because a damaged model crashes or hangs the
process that reads it. It serves a model once its known-answer frame came out right.
"""

import ctypes
import hashlib
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from flight.board.card import Card, CardError, read_card, read_model
from flight.board.known_answer import disagreement, pattern
from flight.board.messages import MessageReader, Say, SharedMemory, pack_message
from flight.board.runtime import (
    Runtime,
    RuntimeModelError,
    has_golden_kernels,
    load,
    runtime_name,
)
from flight.product.errors import WireError
from flight.product.records import Fields
from flight.product.values import NoAnswer

_PR_SET_PDEATHSIG = 1
READ_BYTES = 1 << 16
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

    def __init__(self, memory: SharedMemory, answers: BinaryIO) -> None:
        self._memory = memory
        self._answers = answers
        self._models: dict[str, _Model] = {}
        self._reference = False

    def act(self, say: Say, fields: Fields) -> None:
        """Do what one message asks and answer it."""
        if say is Say.START:
            self._start(fields)
        elif say is Say.INFER:
            self._infer(fields)
        elif say is Say.ENCODE:
            self._encode(fields)
        elif say is Say.CHECK:
            self._answer(Say.CHECKED, self._check())
        else:
            raise WireError(f"{say.name} is not for a worker")

    def _answer(self, say: Say, *fields: object) -> None:
        self._answers.write(pack_message(say, *fields))
        self._answers.flush()

    def _start(self, fields: Fields) -> None:
        os.nice(fields.integer("nice"))
        limit = fields.integer("memory limit")
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._reference = fields.boolean("reference kernels")
        rows = fields.array("models", most=64)
        models = [rows.array("model") for _ in range(rows.left())]
        refusals = []
        for row in models:
            name, folder = row.text("name"), Path(row.text("folder", most=4096))
            why = self._load(name, folder, row.binary("digest"))
            refusals.append([name, why[:MAX_WORDS]])
        self._answer(Say.READY, runtime_name() if self._models else "", refusals)

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

    def _infer(self, fields: Fields) -> None:
        job, name, shape = fields.integer("job"), fields.text("model"), fields.integers("shape")
        model = self._models.get(name)
        if model is None:
            self._answer(Say.FAILED, job, NoAnswer.MODEL_REFUSED, f"{name} is not loaded")
            return
        samples = np.frombuffer(self._memory.read(0, int(np.prod(shape))), np.int8).reshape(shape)
        try:
            outputs = model.runtime.invoke(samples)
            place = self._memory.half_bytes
            for output in outputs:
                place = self._memory.write(place, output.tobytes())
        except (RuntimeModelError, ValueError) as error:
            self._answer(Say.FAILED, job, NoAnswer.BAD_FRAME, str(error)[:MAX_WORDS])
            return
        self._answer(Say.OUTPUTS, job, [list(output.shape) for output in outputs])

    def _encode(self, fields: Fields) -> None:
        # Here, not above: an inference worker never encodes, and is up in half the time.
        from flight.product.codecs import CODECS, encode
        from flight.product.codecs.types import as_integers

        job, codec = fields.integer("job"), fields.integer("codec")
        dtype, shape = np.dtype(fields.text("dtype")), fields.integers("shape")
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        samples = np.frombuffer(self._memory.read(0, size), dtype).reshape(shape)
        try:
            if codec not in CODECS:
                raise ValueError("it is not known")
            parts = encode(
                codec,
                as_integers(samples, samples.dtype),
                maximum_error=fields.integer("maximum error"),
                part_lines=fields.integer("part lines"),
                tile=fields.integer("tile", 1),
            )
            place = self._memory.half_bytes
            for part in parts:
                place = self._memory.write(place, part.data)
        except ValueError as error:
            words = f"codec {codec}: {error}"[:MAX_WORDS]
            self._answer(Say.FAILED, job, NoAnswer.BAD_FRAME, words)
            return
        self._answer(Say.PARTS, job, [[list(p.geometry), len(p.data)] for p in parts])

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


def main(descriptor: int) -> None:
    """Serve until the control process closes its end of the pipe."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control process's to handle
    # Real-time priority, which is inherited, belongs to the control process alone.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    # Libraries may print to standard output; only this function may write to the pipe.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    size = os.fstat(descriptor).st_size
    worker = _Worker(SharedMemory(descriptor, size), answers)
    reader = MessageReader()
    while data := os.read(0, READ_BYTES):
        for say, fields in reader.feed(data):
            worker.act(say, fields)


def _die_with_parent() -> None:
    """Have the kernel kill this process when the control process dies, even by kill -9."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        raise SystemExit("the control process has gone")


if __name__ == "__main__":
    main(int(sys.argv[1]))
