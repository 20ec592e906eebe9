"""What the control process asks of its workers, and what it hears back."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from flight.autonomy.plan import Plan
from flight.autonomy.tasks import Policy
from flight.board.sealedvalues import SealedFrame, SealedOutputs
from flight.product.values import Finding, NoAnswer, Tensor


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that the workers load: where it lies and what it must be."""

    name: str
    folder: Path
    digest: bytes
    """SHA-256 of model.tflite, from the card as the control process read it at boot."""


@dataclass(frozen=True, slots=True, eq=False)
class InferJob:
    """Look at one frame with a model, and conclude: flight.autonomy.tasks.look and conclude."""

    model: str
    """Empty: conclude without one."""
    task: str
    policy: Policy
    frame: SealedFrame
    companion: SealedFrame | None = None
    before: Tensor | None = None
    """What a coarser look said of the same ground: flight.autonomy.second_look.beneath."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a product's array is made from: flight.autonomy.downlink.content_of."""

    frame: SealedFrame | None = None
    outputs: SealedOutputs | None = None
    task: str = ""
    policy: Policy | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodeJob:
    """Make a product's array and compress it into parts."""

    plan: Plan
    material: Material


Job: TypeAlias = InferJob | EncodeJob


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """What a model said of one frame, and what follows from it."""

    outputs: SealedOutputs
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One part of a product, as flight.product.codecs.Encoded, still in its worker's memory."""

    geometry: tuple[int, ...]
    data: memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What became of one job: exactly one of inference, parts and no_answer is there."""

    job: int
    """The number that submit gave."""
    inference: Inference | None = None
    parts: tuple[Packed, ...] = ()
    no_answer: NoAnswer | None = None
    companion_fits: bool = True
    """False where a companion's frame was there and does not fit the frame."""
    detail: str = ""
    """Why there is no answer, for people."""
    took_ns: int = 0
    """From submit to this answer."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How the worker processes are watched.

    There are two kinds, which never wait for each other: one for inference, one for encoding.
    """

    infer_timeout_s: float = 5.0
    """An inference that runs longer is late: its worker is killed and replaced."""
    encode_timeout_s: float = 120.0
    """The same for encoding one product."""
    wait_timeout_s: float = 60.0
    """A job that found no worker for this long is answered "late"."""
    start_timeout_s: float = 60.0
    """A worker that is not ready after this is killed; a slow board imports for seconds."""
    queue_limit: int = 8
    """Jobs of one kind that may wait; submit refuses more."""
    check_every_jobs: int = 64
    """The known-answer frames are run again after this many inferences."""
    hot_spare: bool = True
    """Keep a second inference worker loaded, checked and idle."""
    reference_kernels: bool = False
    """The same bits on every machine, many times slower."""
    memory_limit_mib: int = 2048
    """Address space of a worker, and of the process that reads sensors (RLIMIT_AS); what would
    exceed it fails there, not here."""
    shared_mib: int = 64
    """Most memory that a worker may answer one job with; what would exceed it is no answer."""
    encode_nice: int = 10
    """Niceness of the encoding worker: it takes the time that inference leaves."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        times = (self.infer_timeout_s, self.encode_timeout_s, self.wait_timeout_s)
        if not min(*times, self.start_timeout_s) > 0:
            raise ValueError("timeouts must be above 0")
        if not (1 <= self.queue_limit <= 1024 and self.check_every_jobs >= 1):
            raise ValueError("queue_limit must lie within 1 and 1024, check_every_jobs above 0")
        if not (self.memory_limit_mib >= 256 and 1 <= self.shared_mib <= 1024):
            raise ValueError("memory_limit_mib must be 256 or more, shared_mib within 1 and 1024")
        if not 0 <= self.encode_nice <= 19:
            raise ValueError("encode_nice must lie within 0 and 19")
