"""Workers and their supervisor, with real processes: killed, stopped, fed damaged models."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from select import select
from shutil import copytree
from subprocess import run
from sys import executable

import numpy as np
import pytest

from flight.board.card import read_card
from flight.board.clock import BoardClock
from flight.board.jobs import Answer, EncodeJob, InferJob, ModelFile, WorkerSettings
from flight.board.lane import LONGEST_PAUSE_S
from flight.board.supervisor import Supervisor
from flight.instant import Instant
from flight.product.values import NoAnswer
from hil_tests.jobs import (
    MODEL,
    packing,
    question,
)
from hil_tests.waiting import PATIENCE_S, wait_until

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_model"
TINY_MODEL = ModelFile("tiny", TINY, read_card(TINY).digest)
QUESTION = question()
TINY_QUESTION = question("tiny")


@contextmanager
def supervised(
    settings: WorkerSettings | None = None, model: ModelFile = MODEL
) -> Iterator[Supervisor]:
    supervisor = Supervisor(settings or WorkerSettings(), (model,), BoardClock().now())
    try:
        yield supervisor
    finally:
        supervisor.close()


def answers_of(supervisor: Supervisor, count: int) -> list[Answer]:
    found: list[Answer] = []

    def turn(now: Instant) -> bool:
        supervisor.expire(now)
        found.extend(supervisor.take_answers(now))
        return len(found) >= count

    wait_until(supervisor, turn)
    return found


def answer_of(supervisor: Supervisor, job: InferJob | EncodeJob = QUESTION) -> Answer:
    number = supervisor.submit(job, BoardClock().now())
    (answer,) = answers_of(supervisor, 1)
    assert answer.job == number
    return answer


def wait_ready(supervisor: Supervisor, spares: int = 0) -> None:
    def turn(now: Instant) -> bool:
        supervisor.expire(now)
        supervisor.take_answers(now)
        return supervisor.ready() and len(supervisor.pids()["inference"]) > spares

    wait_until(supervisor, turn)


def test_many_jobs_are_answered_in_order() -> None:
    with supervised(WorkerSettings(check_every_jobs=3)) as supervisor:
        numbers = [supervisor.submit(QUESTION, BoardClock().now()) for _ in range(8)]
        answers = answers_of(supervisor, 8)
    assert [answer.job for answer in answers] == numbers
    assert all(answer.inference for answer in answers)


def test_an_unknown_codec_is_no_answer_and_the_worker_goes_on() -> None:
    with supervised() as supervisor:
        answer = answer_of(supervisor, packing(np.zeros(4, np.uint8), codec=99))
        assert (answer.no_answer, answer.detail) == (
            NoAnswer.BAD_FRAME,
            "codec 99: it is not known",
        )
        assert answer_of(supervisor, packing(np.zeros(4, np.uint8))).parts
        assert supervisor.pids()["encoding"]


def test_an_answer_above_the_limit_is_no_answer() -> None:
    with supervised(WorkerSettings(shared_mib=1)) as supervisor:
        noise = np.random.default_rng(1).integers(0, 256, 2 << 20, np.uint8)
        job = packing(noise)
        assert "raise shared_mib" in answer_of(supervisor, job).detail


def test_a_job_that_would_eat_the_boards_memory_fails_in_the_worker() -> None:
    with supervised(WorkerSettings(memory_limit_mib=256)) as supervisor:
        answer = answer_of(supervisor, packing(np.zeros((60 << 10, 1 << 10), np.uint8)))
        assert answer.no_answer is NoAnswer.WORKER_DIED
        assert "MemoryError" in answer.detail


def test_a_model_that_was_never_named_is_our_own_mistake() -> None:
    with supervised() as supervisor, pytest.raises(KeyError):
        supervisor.submit(question("huge"), BoardClock().now())


def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    with supervised(WorkerSettings(queue_limit=2)) as supervisor:
        now = BoardClock().now()  # no worker is ready yet, so all of these wait
        assert [supervisor.submit(QUESTION, now) for _ in range(4)] == [1, 2, None, None]
        assert [answer.job for answer in answers_of(supervisor, 2)] == [1, 2]


def test_a_killed_worker_costs_its_job_and_the_spare_serves() -> None:
    with supervised() as supervisor:
        wait_ready(supervisor, spares=1)
        serving, spare = supervisor.pids()["inference"]
        os.kill(serving, signal.SIGSTOP)  # so that the job is surely in its hands when it dies
        supervisor.submit(QUESTION, BoardClock().now())
        os.kill(serving, signal.SIGKILL)
        (lost,) = answers_of(supervisor, 1)
        assert (lost.no_answer, lost.detail) == (NoAnswer.WORKER_DIED, "killed by signal 9")
        assert supervisor.pids()["inference"][0] == spare
        assert answer_of(supervisor).inference
        words = [event.words() for event in supervisor.take_events()]
    assert words == [
        f"{MODEL.name}: digest and known answers agree",
        "inference worker replaced: killed by signal 9",
    ]


def test_a_hung_worker_is_late_and_replaced() -> None:
    with supervised(WorkerSettings(infer_timeout_s=0.2)) as supervisor:
        wait_ready(supervisor)
        hung = supervisor.pids()["inference"][0]
        os.kill(hung, signal.SIGSTOP)
        assert answer_of(supervisor).no_answer is NoAnswer.LATE
        assert hung not in supervisor.pids()["inference"]


def test_an_answer_that_waits_to_be_heard_is_not_late() -> None:
    with supervised(WorkerSettings(hot_spare=False)) as supervisor:
        wait_ready(supervisor)
        now = BoardClock().now()
        supervisor.submit(QUESTION, now)
        select(supervisor.filenos(), [], [], PATIENCE_S)
        late = Instant(now.mono_ns + 60_000_000_000, 0)  # the control process was held up
        supervisor.expire(late)
        (answer,) = supervisor.take_answers(late)
    assert answer.inference is not None


def test_what_a_worker_said_before_it_died_counts() -> None:
    with supervised(WorkerSettings(hot_spare=False)) as supervisor:
        wait_ready(supervisor)
        serving = supervisor.pids()["inference"][0]
        supervisor.submit(QUESTION, BoardClock().now())
        select(supervisor.filenos(), [], [], PATIENCE_S)
        watch = os.pidfd_open(serving)
        os.kill(serving, signal.SIGKILL)
        select([watch], [], [], PATIENCE_S)
        os.close(watch)
        (answer,) = answers_of(supervisor, 1)
    assert answer.inference is not None


def test_waiting_jobs_survive_the_death_of_a_worker() -> None:
    with supervised() as supervisor:
        wait_ready(supervisor)
        os.kill(supervisor.pids()["inference"][0], signal.SIGSTOP)
        for _ in range(3):
            supervisor.submit(QUESTION, BoardClock().now())
        os.kill(supervisor.pids()["inference"][0], signal.SIGKILL)
        answers = answers_of(supervisor, 3)
    assert [answer.no_answer for answer in answers] == [NoAnswer.WORKER_DIED, None, None]


def test_a_hung_encoder_does_not_delay_an_inference() -> None:
    with supervised() as supervisor:
        wait_ready(supervisor)
        os.kill(supervisor.pids()["encoding"][0], signal.SIGSTOP)
        supervisor.submit(packing(np.zeros(9, np.uint8)), BoardClock().now())
        assert answer_of(supervisor).inference


def test_a_job_that_finds_no_worker_in_time_is_late() -> None:
    with supervised(WorkerSettings(wait_timeout_s=30.0)) as supervisor:
        now = BoardClock().now()  # the worker was started just now and is not ready
        supervisor.submit(QUESTION, now)
        later = Instant(now.mono_ns + 30_000_000_000, now.dtn_ms)
        supervisor.expire(later)
        (answer,) = supervisor.take_answers(later)
    assert (answer.no_answer, answer.took_ns) == (NoAnswer.LATE, 30_000_000_000)


def test_a_flipped_bit_refuses_the_model_before_it_is_parsed(tmp_path: Path) -> None:
    folder = Path(copytree(TINY, tmp_path / "tiny"))
    path = folder / "model.tflite"
    data = bytearray(path.read_bytes())
    data[4] ^= 1  # in the file identifier, where a parser would stumble at once
    path.write_bytes(data)
    model = replace(TINY_MODEL, folder=folder)
    with supervised(model=model) as supervisor:
        answer = answer_of(supervisor, TINY_QUESTION)
        words = [event.words() for event in supervisor.take_events()]
    assert answer.no_answer is NoAnswer.MODEL_REFUSED
    assert "SHA-256" in answer.detail
    assert words[0].startswith("tiny refused: ")


def test_a_model_that_answers_wrongly_is_refused(tmp_path: Path) -> None:
    folder = Path(copytree(TINY, tmp_path / "tiny"))
    card = folder / "card.toml"
    card.write_text(card.read_text().replace("value = [14, 16", "value = [14, 26"))
    model = replace(TINY_MODEL, folder=folder)
    with supervised(model=model) as supervisor:
        answer = answer_of(supervisor, TINY_QUESTION)
    assert answer.no_answer is NoAnswer.MODEL_REFUSED
    assert answer.detail == "known answer: output 0: 1 of 20 samples off, by up to 10"


def test_a_missing_model_is_refused_and_encoding_goes_on(tmp_path: Path) -> None:
    with supervised(model=replace(TINY_MODEL, folder=tmp_path)) as supervisor:
        assert answer_of(supervisor, TINY_QUESTION).no_answer is NoAnswer.MODEL_REFUSED
        assert answer_of(supervisor, packing(np.zeros(9, np.uint8))).parts


def test_a_worker_that_keeps_dying_is_started_ever_less_often() -> None:
    with supervised(WorkerSettings(hot_spare=False, start_timeout_s=1e6)) as supervisor:
        now = BoardClock().now()
        pauses = []
        for _ in range(10):
            os.kill(supervisor.pids()["inference"][0], signal.SIGKILL)

            def died(_: Instant, now: Instant = now) -> bool:
                supervisor.take_answers(now)  # the clock stands still: no restart in here
                return any("replaced" in event.words() for event in supervisor.take_events())

            wait_until(supervisor, died)
            if supervisor.pids()["inference"]:
                pauses.append(0)
                continue
            later = supervisor.next_deadline_ns()
            assert later is not None
            pauses.append(round((later - now.mono_ns) / 1e9))
            now = Instant(later, now.dtn_ms)
            supervisor.expire(now)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_the_control_process_never_imports_the_runtime_nor_a_reader_of_frame_files() -> None:
    code = (
        "import sys, flight.run\n"
        "parsers = [f'flight.board.sensors.{n}' for n in "
        "('png', 'pgm', 'npy', 'envi', 'msa', 'files', 'directory', 'process', 'host')]\n"
        "print([m for m in sys.modules if 'tflite' in m or 'litert' in m or m in parsers])"
    )
    assert run([executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_workers_die_with_a_control_process_that_was_killed() -> None:
    code = (
        "import os, signal\n"
        "from hil_tests.rung1_unit.test_board_worker import supervised, wait_ready\n"
        "with supervised() as supervisor:\n"
        "    wait_ready(supervisor)\n"
        "    print(*(pid for lane in supervisor.pids().values() for pid in lane), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    control = run([executable, "-c", code], capture_output=True, check=False)
    assert control.returncode == -signal.SIGKILL
    for pid in control.stdout.split():
        try:
            watch = os.pidfd_open(int(pid))
        except ProcessLookupError:
            continue
        try:
            assert select([watch], [], [], PATIENCE_S)[0], f"worker {pid} outlived its parent"
        finally:
            os.close(watch)
