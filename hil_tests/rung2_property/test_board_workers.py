"""Workers under fire: whatever happens to the processes, each job is answered once and rightly."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from flight.board.card import read_card
from flight.board.clock import BoardClock
from flight.board.jobs import Answer, EncodeJob, InferJob, ModelFile, WorkerSettings
from flight.board.known_answer import disagreement, pattern
from flight.board.supervisor import Supervisor
from flight.instant import Instant
from flight.product.codecs import CODECS, CodecId, decode
from flight.product.values import NoAnswer
from hil_tests.waiting import wait_until

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_model"
CARD = read_card(TINY)
JOBS = 40
HASTE = 20


def is_right(answer: Answer, job: InferJob | EncodeJob) -> bool:
    """Whether an answer is the right one, or none with a reason that fits."""
    if answer.no_answer is not None:
        return answer.no_answer in (NoAnswer.LATE, NoAnswer.WORKER_DIED)
    if isinstance(job, EncodeJob):
        decoded = decode(job.codec, CODECS[job.codec].version, answer.parts)
        return np.array_equal(decoded.samples, job.samples)
    assert answer.inference is not None
    return disagreement(CARD.known_answer, answer.inference.outputs, exact=False) is None


@pytest.mark.parametrize("seed", [1])
def test_every_job_is_answered_once_while_workers_are_killed_and_stopped(seed: int) -> None:
    dice = np.random.default_rng(seed)
    clock = BoardClock()
    settings = WorkerSettings(encode_timeout_s=5.0, check_every_jobs=5)
    supervisor = Supervisor(settings, (ModelFile("tiny", TINY, CARD.digest),), clock.now())
    asked: dict[int, InferJob | EncodeJob] = {}
    answered: list[Answer] = []

    def turn(now: Instant) -> bool:
        supervisor.expire(now)
        answered.extend(supervisor.take_answers(now))
        if len(asked) < JOBS:
            samples = dice.integers(0, 4096, (3, 40, 5)).astype(np.uint16)
            job = (
                EncodeJob(CodecId.RAW, samples)
                if dice.random() < 0.3
                else InferJob("tiny", pattern(CARD.input.shape, CARD.known_answer.seed))
            )
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
    assert all(is_right(answer, asked[answer.job]) for answer in answered)
