"""One worker process as the control process sees it: what it does now, and until when."""

import mmap
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from flight.board.child import Child
from flight.board.jobs import InferJob, Job, ModelFile
from flight.board.messages import MessageReader, Say, SharedMemory, pack_message
from flight.product.errors import WireError
from flight.product.records import Fields

READ_BYTES = 1 << 16
_PACKAGES = Path(__file__).resolve().parents[2]
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerLostError(Exception):
    """The worker ended, or speaks nonsense; the message says why."""


class State(Enum):
    """What a worker does."""

    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    CHECKING = auto()


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker is started."""

    models: tuple[ModelFile, ...]
    nice: int
    memory_limit_bytes: int
    shared_bytes: int
    """Both halves together."""
    reference_kernels: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A job that waits or runs."""

    number: int
    job: Job
    submitted_ns: int


class WorkerProcess:
    """A child running flight.board.worker, and the memory shared with it alone.

    Each process has its own memory: one that was given up for late can write what it likes.
    """

    def __init__(self, launch: Launch, deadline_ns: int) -> None:
        """Start it.

        Raises:
            OSError: there is no memory or no process to be had.
        """
        descriptor = os.memfd_create("flight-worker")
        try:
            os.ftruncate(descriptor, launch.shared_bytes)
            self._memory = SharedMemory(descriptor, launch.shared_bytes)
            self._child = Child(
                (sys.executable, "-m", "flight.board.worker", str(descriptor)),
                pass_fds=(descriptor,),
                environment=_environment(),
            )
        finally:
            os.close(descriptor)
        self.pid = self._child.pid
        self.state = State.STARTING
        self.deadline_ns: int | None = deadline_ns
        self.pending: Pending | None = None
        self.refused: dict[str, str] = {}
        self.jobs_since_check = 0
        self._reader = MessageReader()
        models = [[model.name, str(model.folder), model.digest] for model in launch.models]
        start = (launch.nice, launch.memory_limit_bytes, launch.reference_kernels, models)
        self._child.write(pack_message(Say.START, *start))

    def fileno(self) -> int:
        """Return the descriptor that is readable when the worker spoke or died."""
        return self._child.fileno()

    def run(self, pending: Pending, deadline_ns: int) -> None:
        """Hand it a job.

        Raises:
            ValueError: the job does not fit the shared memory.
            WorkerLostError: it is gone.
        """
        job = pending.job
        self._memory.write(0, job.samples.tobytes())
        shape = list(job.samples.shape)
        if isinstance(job, InferJob):
            message = pack_message(Say.INFER, pending.number, job.model, shape)
        else:
            options = (job.maximum_error, job.part_lines, job.tile)
            dtype = job.samples.dtype.str
            message = pack_message(Say.ENCODE, pending.number, job.codec, dtype, shape, *options)
        self._send(message)
        self.state, self.pending, self.deadline_ns = State.BUSY, pending, deadline_ns

    def check(self, deadline_ns: int) -> None:
        """Have it run the known-answer frames.

        Raises:
            WorkerLostError: it is gone.
        """
        self._send(pack_message(Say.CHECK))
        self.state, self.deadline_ns, self.jobs_since_check = State.CHECKING, deadline_ns, 0

    def rest(self) -> None:
        """Note that it has done what it was asked."""
        self.state, self.pending, self.deadline_ns = State.IDLE, None, None

    def hear(self) -> Iterable[tuple[Say, Fields]]:
        """Return the messages that have come.

        Raises:
            WorkerLostError: it ended, or what it says is no message.
        """
        found: list[tuple[Say, Fields]] = []
        while (data := self._child.read(READ_BYTES)) is not None:
            if not data and found:
                break  # what it said before it ended still counts; the end is met again
            if not data:
                raise WorkerLostError(self._last_words())
            try:
                found += self._reader.feed(data)
            except WireError as error:
                raise WorkerLostError(str(error)) from error
        return found

    def result(self, place: int, size_bytes: int) -> bytes:
        """Return bytes that it left, ``place`` counting from the start of its half.

        Raises:
            WireError: they do not lie in the shared memory.
        """
        return self._memory.read(self._memory.half_bytes + place, size_bytes)

    def kill(self) -> None:
        """Kill it; it may take a moment to be gone."""
        self._child.kill()

    def gone(self) -> bool:
        """Whether it has ended."""
        return self._child.exit_code() is not None

    def close(self) -> None:
        """Kill it and give back what it held."""
        self._child.close()
        self._memory.close()

    def _send(self, message: bytes) -> None:
        if not self._child.write(message):
            raise WorkerLostError(self._last_words())

    def _last_words(self) -> str:
        how, words = self._child.ending(), self._child.last_words()
        chatter = words.startswith("INFO:")  # the runtime tells of its delegates
        return how if chatter or not words else f"{how}: {words}"


def _environment() -> dict[str, str]:
    """Return this process's environment, with its import path and one thread a library."""
    path = os.pathsep.join([str(_PACKAGES), *(entry for entry in sys.path if entry)])
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": path}


def map_bytes(mebibytes: int) -> int:
    """Return the size of a mapping with two halves of this many mebibytes, in whole pages."""
    return 2 * max(mebibytes << 20, mmap.PAGESIZE)
