"""One worker process as the control process sees it: what it does now, and until when."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from flight.autonomy.tasks import Policy, policy_integers
from flight.board.child import Child
from flight.board.jobs import EncodeJob, InferJob, Job, ModelFile
from flight.board.messages import Channel, Heard, Say, connect
from flight.board.planfields import plan_fields
from flight.board.sealedvalues import SealedFrame, frame_fields
from flight.ports.processor import all_processors
from flight.product.errors import WireError
from flight.product.values import Tensor

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
    most_answer_bytes: int
    reference_kernels: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A job that waits or runs."""

    number: int
    job: Job
    submitted_ns: int


class WorkerProcess:
    """A child running flight.board.worker, and the socket to it."""

    def __init__(self, launch: Launch, deadline_ns: int) -> None:
        """Start it.

        Raises:
            OSError: there is no memory or no process to be had.
        """
        self._channel, self._child = start_child("flight.board.worker", launch.most_answer_bytes)
        self.pid = self._child.pid
        self.state = State.STARTING
        self.deadline_ns: int | None = deadline_ns
        self.pending: Pending | None = None
        self.refused: dict[str, str] = {}
        self.jobs_since_check = 0
        models = [[model.name, str(model.folder), model.digest] for model in launch.models]
        limits = (launch.memory_limit_bytes, launch.reference_kernels, launch.most_answer_bytes)
        self._channel.send(Say.START, launch.nice, *limits, models)

    def fileno(self) -> int:
        """Return the descriptor that is readable when the worker spoke or died."""
        return self._channel.fileno()

    def run(self, pending: Pending, deadline_ns: int) -> None:
        """Hand it a job.

        Raises:
            WorkerLostError: it is gone.
        """
        if isinstance(pending.job, InferJob):
            heard = self._look(pending.number, pending.job)
        else:
            heard = self._encode(pending.number, pending.job)
        if not heard:
            raise WorkerLostError(self._last_words())
        self.state, self.pending, self.deadline_ns = State.BUSY, pending, deadline_ns

    def _look(self, number: int, job: InferJob) -> bool:
        frames = [frame for frame in (job.frame, job.companion) if frame is not None]
        return self._channel.send(
            Say.LOOK,
            *(number, job.model, job.task, _integers(job.policy)),
            *(_fields(job.frame), _fields(job.companion), _tensor(job.before)),
            memories=[frame.memory for frame in frames],
        )

    def _encode(self, number: int, job: EncodeJob) -> bool:
        made = job.material
        outputs = () if made.outputs is None else made.outputs.arrays
        held = [one.memory for one in (made.frame, made.outputs) if one is not None]
        return self._channel.send(
            Say.ENCODE,
            *(number, plan_fields(job.plan), _fields(made.frame), made.task),
            *(_integers(made.policy), [list(output.shape) for output in outputs]),
            memories=held,
        )

    def check(self, deadline_ns: int) -> None:
        """Have it run the known-answer frames.

        Raises:
            WorkerLostError: it is gone.
        """
        if not self._channel.send(Say.CHECK):
            raise WorkerLostError(self._last_words())
        self.state, self.deadline_ns, self.jobs_since_check = State.CHECKING, deadline_ns, 0

    def rest(self) -> None:
        """Note that it has done what it was asked."""
        self.state, self.pending, self.deadline_ns = State.IDLE, None, None

    def hear(self) -> Iterable[Heard]:
        """Return the messages that have come.

        Raises:
            WorkerLostError: it ended, or what it says is no message.
        """
        found: list[Heard] = []
        try:
            for heard in self._channel.receive_some():
                found.append(heard)  # noqa: PERF402 - what came before an error counts
        except EOFError:
            if not found:  # what it said before it ended still counts; the end is met again
                raise WorkerLostError(self._last_words()) from None
        except WireError as error:
            raise WorkerLostError(str(error)) from error
        return found

    def kill(self) -> None:
        """Kill it; it may take a moment to be gone."""
        self._child.kill()

    def gone(self) -> bool:
        """Whether it has ended."""
        return self._child.exit_code() is not None

    def close(self) -> None:
        """Kill it and give back what it held."""
        self._child.close()
        self._channel.close()

    def _last_words(self) -> str:
        how, words = self._child.ending(), self._child.last_words()
        chatter = words.startswith("INFO:")  # the runtime tells of its delegates
        return how if chatter or not words else f"{how}: {words}"


def start_child(module: str, most_bytes: int) -> tuple[Channel, Child]:
    """Start one of our own modules as a child, with a socket to it as its argument.

    ``most_bytes``: what a memory that it hands over may have.

    Raises:
        OSError: there is no memory or no process to be had.
    """
    channel, theirs = connect(most_bytes)
    with theirs:
        try:
            command = (sys.executable, "-m", module, str(theirs.fileno()))
            with all_processors():
                child = Child(command, pass_fds=(theirs.fileno(),), environment=_environment())
        except OSError:
            channel.close()
            raise
    return channel, child


def _environment() -> dict[str, str]:
    """Return this process's environment, with its import path and one thread a library."""
    path = os.pathsep.join([str(_PACKAGES), *(entry for entry in sys.path if entry)])
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": path}


def _fields(frame: SealedFrame | None) -> list[object]:
    return [] if frame is None else frame_fields(frame.frame)


def _tensor(tensor: Tensor | None) -> list[object]:
    return [] if tensor is None else [list(tensor.shape), tensor.tobytes()]


def _integers(policy: Policy | None) -> list[int]:
    return [] if policy is None else list(policy_integers(policy))
