"""The control process's side of the workers: jobs in, answers out, nothing ever waited for.

Inference and encoding have processes of their own, so that packing a large product never delays
a look at the ground below. The runtime is not imported here, nor anywhere in the control process.
"""

from flight.board.jobs import Answer, InferJob, Job, ModelFile, WorkerSettings
from flight.board.lane import Lane, LaneRules
from flight.board.workerprocess import Launch
from flight.instant import Instant
from flight.product.events import Happening


class Supervisor:
    """Two lanes of workers behind one face."""

    def __init__(
        self, settings: WorkerSettings, models: tuple[ModelFile, ...], now: Instant
    ) -> None:
        """Start the workers; they are ready a moment later, and jobs wait for them."""
        self._models = {model.name for model in models}
        self._jobs = 0
        self._infer = Lane(
            "inference", _launch(settings, models, nice=0), _infer_rules(settings), now
        )
        self._encode = Lane(
            "encoding",
            _launch(settings, (), nice=settings.encode_nice),
            _encode_rules(settings),
            now,
        )
        self._lanes = (self._infer, self._encode)

    def submit(self, job: Job, now: Instant) -> int | None:
        """Queue a job and return its number; None when the queue of its kind is full.

        Raises:
            KeyError: no such model was given to this supervisor.
        """
        if isinstance(job, InferJob) and job.model and job.model not in self._models:
            raise KeyError(job.model)
        lane = self._infer if isinstance(job, InferJob) else self._encode
        if not lane.submit(self._jobs + 1, job, now):
            return None
        self._jobs += 1
        return self._jobs

    def ready(self) -> bool:
        """Whether a worker of each kind is loaded, checked and serving."""
        return all(lane.ready() for lane in self._lanes)

    def pids(self) -> dict[str, tuple[int, ...]]:
        """Return the processes of each lane, the serving one first."""
        return {lane.name: lane.pids() for lane in self._lanes}

    def filenos(self) -> tuple[int, ...]:
        """Return the descriptors to wait on; they change as workers are replaced."""
        return tuple(fileno for lane in self._lanes for fileno in lane.filenos())

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to call expire."""
        deadlines = (lane.next_deadline_ns() for lane in self._lanes)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def expire(self, now: Instant) -> None:
        """Act on every deadline that ``now`` has reached."""
        for lane in self._lanes:
            lane.expire(now)

    def take_answers(self, now: Instant) -> tuple[Answer, ...]:
        """Read what the workers said and return the answers, in the order they came."""
        for lane in self._lanes:
            lane.poll(now)
        return tuple(answer for lane in self._lanes for answer in lane.take_answers())

    def take_events(self) -> tuple[Happening, ...]:
        """Return, and forget, what happened: models loaded or refused, workers replaced."""
        return tuple(event for lane in self._lanes for event in lane.take_events())

    def close(self) -> None:
        """Kill every worker."""
        for lane in self._lanes:
            lane.close()


def _launch(settings: WorkerSettings, models: tuple[ModelFile, ...], *, nice: int) -> Launch:
    return Launch(
        models=models,
        nice=nice,
        memory_limit_bytes=settings.memory_limit_mib << 20,
        most_answer_bytes=settings.shared_mib << 20,
        reference_kernels=settings.reference_kernels,
    )


def _infer_rules(settings: WorkerSettings) -> LaneRules:
    return LaneRules(
        run_timeout_ns=round(settings.infer_timeout_s * 1e9),
        wait_timeout_ns=round(settings.wait_timeout_s * 1e9),
        start_timeout_ns=round(settings.start_timeout_s * 1e9),
        queue_limit=settings.queue_limit,
        check_every_jobs=settings.check_every_jobs,
        spare=settings.hot_spare,
    )


def _encode_rules(settings: WorkerSettings) -> LaneRules:
    return LaneRules(
        run_timeout_ns=round(settings.encode_timeout_s * 1e9),
        wait_timeout_ns=round(settings.wait_timeout_s * 1e9),
        start_timeout_ns=round(settings.start_timeout_s * 1e9),
        queue_limit=settings.queue_limit,
        check_every_jobs=settings.check_every_jobs,
        spare=False,
    )
