"""One kind of job, and the worker processes that do it: one serves, a spare stands by.

A worker that dies, hangs or speaks nonsense is killed; its job is answered "no answer", the spare
takes over, and another process is started in its place.
"""

from collections import deque
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from flight.board.jobs import Answer, EncodeJob, Inference, InferJob, Job, Packed
from flight.board.messages import Heard, Say
from flight.board.sealedvalues import SealedOutputs, outputs_in
from flight.board.workerprocess import Launch, Pending, State, WorkerLostError, WorkerProcess
from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.events import Event, Happening
from flight.product.journal import Stamp
from flight.product.records import Fields, read_findings
from flight.product.values import NoAnswer

LONGEST_PAUSE_S = 60
MAX_PARTS = 1 << 15
"""Of one product: those of a frame of a gigabyte."""
RETIRED_LIMIT = 8
"""Killed processes that may still be dying; beyond, the oldest is waited for."""


@dataclass(frozen=True, slots=True)
class LaneRules:
    """How long a lane waits, and for how much."""

    run_timeout_ns: int
    wait_timeout_ns: int
    start_timeout_ns: int
    queue_limit: int
    check_every_jobs: int
    spare: bool


class Lane:
    """Runs the jobs of one kind, in order, one at a time."""

    def __init__(self, name: str, launch: Launch, rules: LaneRules, now: Instant) -> None:
        self.name = name
        self._launch, self._rules = launch, rules
        self._workers: list[WorkerProcess] = []  # the first one serves
        self._retired: list[WorkerProcess] = []
        self._queue: deque[Pending] = deque()
        self._answers: list[Answer] = []
        self._events: list[Happening] = []
        self._told: dict[str, str] = {}  # what was said of each model, so as to say it once
        self._losses = 0  # since a job was last answered
        self._start_ns = now.mono_ns
        self._advance(now)

    def submit(self, number: int, job: Job, now: Instant) -> bool:
        """Queue a job; False when the queue is full."""
        if len(self._queue) >= self._rules.queue_limit:
            return False
        self._queue.append(Pending(number, job, now.mono_ns))
        self._advance(now)
        return True

    def ready(self) -> bool:
        """Whether a worker is loaded and checked."""
        return bool(self._workers) and self._workers[0].state is not State.STARTING

    def pids(self) -> tuple[int, ...]:
        """Return the processes, the serving one first."""
        return tuple(worker.pid for worker in self._workers)

    def filenos(self) -> tuple[int, ...]:
        """Return what becomes readable when a worker spoke or died."""
        return tuple(worker.fileno() for worker in self._workers)

    def next_deadline_ns(self) -> int | None:
        """Return when a worker or a waiting job is late, or a worker is to be started."""
        deadlines = [worker.deadline_ns for worker in self._workers]
        if self._queue:
            deadlines.append(self._queue[0].submitted_ns + self._rules.wait_timeout_ns)
        if self._may_start():
            deadlines.append(self._start_ns)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def poll(self, now: Instant) -> None:
        """Take in what the workers said, and hand out what waits."""
        for worker in tuple(self._workers):
            try:
                for heard in worker.hear():
                    self._heard(worker, heard, now)
            except (WorkerLostError, WireError) as error:
                self._lose(worker, NoAnswer.WORKER_DIED, str(error), now)
        self._advance(now)

    def expire(self, now: Instant) -> None:
        """Kill workers that are late, answer jobs that waited too long, start what is missing."""
        self.poll(now)  # first: an answer that waits to be heard is not late, this process is
        for worker in tuple(self._workers):
            if worker.deadline_ns is not None and worker.deadline_ns <= now.mono_ns:
                self._lose(worker, NoAnswer.LATE, f"late while {worker.state.name.lower()}", now)
        self._advance(now)

    def take_answers(self) -> tuple[Answer, ...]:
        """Return, and forget, the answers."""
        answers, self._answers = tuple(self._answers), []
        return answers

    def take_events(self) -> tuple[Happening, ...]:
        """Return, and forget, what happened to the workers."""
        events, self._events = tuple(self._events), []
        return events

    def close(self) -> None:
        """Kill all workers; jobs that wait are forgotten."""
        for worker in (*self._workers, *self._retired):
            worker.close()
        self._workers, self._retired = [], []
        self._queue.clear()

    def _advance(self, now: Instant) -> None:
        self._reap()
        self._start(now)
        oldest_ns = now.mono_ns - self._rules.wait_timeout_ns
        while self._queue and self._queue[0].submitted_ns <= oldest_ns:
            self._refuse(self._queue.popleft(), NoAnswer.LATE, "no worker was free in time", now)
        while self._workers and self._workers[0].state is State.IDLE and self._hand_out(now):
            pass

    def _hand_out(self, now: Instant) -> bool:
        """Give the serving worker something to do; True when there may be more to try."""
        worker = self._workers[0]
        deadline_ns = now.mono_ns + self._rules.run_timeout_ns
        try:
            if worker.jobs_since_check >= self._rules.check_every_jobs:
                worker.check(deadline_ns)
            elif self._queue:
                self._run(worker, self._queue.popleft(), deadline_ns, now)
            else:
                return False
        except WorkerLostError as error:
            self._lose(worker, NoAnswer.WORKER_DIED, str(error), now)
        return True

    def _run(self, worker: WorkerProcess, pending: Pending, deadline_ns: int, now: Instant) -> None:
        job = pending.job
        if isinstance(job, InferJob) and job.model in worker.refused:
            self._refuse(pending, NoAnswer.MODEL_REFUSED, worker.refused[job.model], now)
            return
        try:
            worker.run(pending, deadline_ns)
        except WorkerLostError:
            self._queue.appendleft(pending)  # it never set out; the next worker may have it
            raise

    def _heard(self, worker: WorkerProcess, heard: Heard, now: Instant) -> None:
        say, fields, pending = heard.say, heard.fields, worker.pending
        if say is Say.READY and worker.state is State.STARTING:
            self._ready(worker, fields)
        elif say is Say.CHECKED and worker.state is State.CHECKING:
            wrong = fields.text("what", most=4096)
            if wrong:
                raise WorkerLostError(wrong)
        elif pending is None or fields.integer("job") != pending.number:
            raise WireError(f"{say.name} was not asked for")
        elif say is Say.FAILED:
            reason, why = fields.enum(NoAnswer, "reason"), fields.text("why", most=4096)
            self._refuse(pending, reason, why, now, companion_fits=fields.boolean("fits"))
        else:
            self._answers.append(_answer(pending, heard, now))
        if pending is not None:
            self._losses = 0
            worker.jobs_since_check += isinstance(pending.job, InferJob)
        worker.rest()

    def _ready(self, worker: WorkerProcess, fields: Fields) -> None:
        fields.text("runtime")
        rows = fields.array("models", most=64)
        for row in [rows.array("model") for _ in range(rows.left())]:
            name, why = row.text("name"), row.text("why", most=4096)
            if why:
                worker.refused[name] = why
            if self._told.get(name) != why:
                self._told[name] = why
                refused = Event.MODEL_REFUSED(model=name, what=why)
                self._events.append(refused if why else Event.MODEL_LOADED(model=name))

    def _refuse(
        self,
        pending: Pending,
        reason: NoAnswer,
        why: str,
        now: Instant,
        *,
        companion_fits: bool = True,
    ) -> None:
        answer = Answer(
            pending.number,
            no_answer=reason,
            companion_fits=companion_fits,
            detail=why,
            took_ns=now.mono_ns - pending.submitted_ns,
        )
        self._answers.append(answer)

    def _lose(self, worker: WorkerProcess, reason: NoAnswer, why: str, now: Instant) -> None:
        """Give a worker up, and its job with it: the job may be what ended it."""
        self._workers.remove(worker)
        worker.kill()
        self._retired.append(worker)
        if worker.pending is not None:
            self._refuse(worker.pending, reason, why, now)
        self._events.append(Event.WORKER_REPLACED(lane=self.name, what=why))
        self._losses += 1
        pause_s = min(1 << min(self._losses - 2, 8), LONGEST_PAUSE_S) if self._losses > 1 else 0
        self._start_ns = now.mono_ns + pause_s * 1_000_000_000

    def _may_start(self) -> bool:
        # The spare waits until the first is ready: a board that boots has one to spare.
        return not self._workers or (self._rules.spare and len(self._workers) == 1 and self.ready())

    def _start(self, now: Instant) -> None:
        if not self._may_start() or now.mono_ns < self._start_ns:
            return
        try:
            worker = WorkerProcess(self._launch, now.mono_ns + self._rules.start_timeout_ns)
        except OSError as error:
            self._start_ns = now.mono_ns + LONGEST_PAUSE_S * 1_000_000_000
            what = f"no process to be had: {error.strerror}"
            self._events.append(Event.WORKER_REPLACED(lane=self.name, what=what))
            return
        self._workers.append(worker)

    def _reap(self) -> None:
        for worker in tuple(self._retired):
            if worker.gone() or len(self._retired) > RETIRED_LIMIT:
                self._retired.remove(worker)
                worker.close()


def _answer(pending: Pending, heard: Heard, now: Instant) -> Answer:
    """Return what a worker answers, read with no more trust than a peer's word."""
    took_ns, fields = now.mono_ns - pending.submitted_ns, heard.fields
    if heard.say is Say.SEEN and isinstance(pending.job, InferJob):
        rows = fields.array("outputs", most=8)
        stamps = tuple(_stamp(rows.array("output", most=2)) for _ in range(rows.left()))
        memory = heard.memory()
        arrays = outputs_in(memory, [stamp.shape for stamp in stamps])
        findings = read_findings(fields.array("findings", most=4096))
        inference = Inference(SealedOutputs(arrays, memory, stamps), findings)
        fits = fields.boolean("fits")
        return Answer(pending.number, inference=inference, companion_fits=fits, took_ns=took_ns)
    if heard.say is Say.PARTS and isinstance(pending.job, EncodeJob):
        count, columns = fields.integer("parts", 0, MAX_PARTS), fields.integer("columns", 1, 32)
        parts = _parts(heard.memory().view(), count, columns)
        return Answer(pending.number, parts=parts, took_ns=took_ns)
    raise WireError(f"{heard.say.name} does not answer this job")


def _stamp(row: Fields) -> Stamp:
    return Stamp(row.integers("shape", 0, 1 << 24, most=5), row.binary("digest", size=32))


def _parts(memory: memoryview, count: int, columns: int) -> tuple[Packed, ...]:
    """Return the parts behind their table; read at once, for a large product has hundreds."""
    start = 8 * count * columns
    if start > len(memory):
        raise WireError("a table beyond its memory")
    table = np.frombuffer(memory[:start], np.int64).reshape(count, columns)
    rows: list[list[int]] = table.tolist()
    ends = list(accumulate((row[-1] for row in rows), initial=start))
    if table.size and (int(table.min()) < 0 or ends[-1] > len(memory)):
        raise WireError("a part beyond its memory")
    return tuple(
        Packed(tuple(row[:-1]), memory[place : place + row[-1]])
        for row, place in zip(rows, ends, strict=False)
    )
