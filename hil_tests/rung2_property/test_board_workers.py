"""Workers under fire: whatever happens to the processes, each job is answered once and rightly."""

import os
import signal

import numpy as np
import pytest

from flight.board.clock import BoardClock
from flight.board.jobs import Answer, EncodeJob, InferJob, WorkerSettings
from flight.board.supervisor import Supervisor
from flight.instant import Instant
from flight.product.values import NoAnswer
from hil_tests.jobs import MODEL, is_right, packing, question
from hil_tests.waiting import wait_until

JOBS = 40
HASTE = 20


def fits(answer: Answer, job: InferJob | EncodeJob) -> bool:
    """Whether an answer is the right one, or none with a reason that fits."""
    if answer.no_answer is not None:
        return answer.no_answer in (NoAnswer.LATE, NoAnswer.WORKER_DIED)
    return is_right(answer, job)


@pytest.mark.parametrize("seed", [1])
def test_every_job_is_answered_once_while_workers_are_killed_and_stopped(seed: int) -> None:
    dice = np.random.default_rng(seed)
    clock = BoardClock()
    settings = WorkerSettings(encode_timeout_s=5.0, check_every_jobs=5)
    supervisor = Supervisor(settings, (MODEL,), clock.now())
    asked: dict[int, InferJob | EncodeJob] = {}
    answered: list[Answer] = []

    def turn(now: Instant) -> bool:
        supervisor.expire(now)
        answered.extend(supervisor.take_answers(now))
        if len(asked) < JOBS:
            samples = dice.integers(0, 4096, (3, 40, 5)).astype(np.uint16)
            job = packing(samples) if dice.random() < 0.3 else question()
            number = supervisor.submit(job, now)
            if number is not None:
                asked[number] = job
            if dice.random() < 0.2:
                pids = [pid for lane in supervisor.pids().values() for pid in lane]
                if pids:
                    blow = signal.SIGKILL if dice.random() < 0.6 else signal.SIGSTOP
                    os.kill(int(dice.choice(pids)), blow)
        return len(asked) == len(answered) == JOBS

    try:
        wait_until(supervisor, turn, haste=HASTE)
    finally:
        supervisor.close()
    assert sorted(answer.job for answer in answered) == sorted(asked)
    assert all(fits(answer, asked[answer.job]) for answer in answered)
