"""The control thread and its writer keep to one processor; what they start may use all."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flight.board.workerprocess import start_child
from flight.ports import processor
from flight.ports.processor import all_processors, keep_to_one_processor

ALLOWED = os.sched_getaffinity(0)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(processor, "_given", set())
    yield
    assert os.sched_getaffinity(0) == ALLOWED, "only the threads of these tests were kept"


def in_a_thread(task: Callable[[], None]) -> None:
    """Run it where an affinity ends with the thread, and raise what it raises."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def test_threads_stay_on_the_processor_of_the_one_that_started_them() -> None:
    def task() -> None:
        keep_to_one_processor()
        mine = os.sched_getaffinity(0)
        assert len(mine) == 1
        in_a_thread(lambda: check(os.sched_getaffinity(0) == mine))

    in_a_thread(task)


def test_a_processor_can_be_chosen_among_those_allowed() -> None:
    def task(number: int) -> None:
        keep_to_one_processor(number)
        assert os.sched_getaffinity(0) == {sorted(ALLOWED)[number % len(ALLOWED)]}

    for number in (0, 1, 2, 1000):
        processor._given.clear()
        in_a_thread(lambda number=number: task(number))  # type: ignore[misc]


def test_a_worker_may_use_every_processor() -> None:
    def task() -> None:
        keep_to_one_processor()
        channel, child = start_child("flight.board.sensors.host", 1 << 20)
        try:
            assert os.sched_getaffinity(child.pid) == ALLOWED
        finally:
            child.close()
            channel.close()
        assert len(os.sched_getaffinity(0)) == 1

    in_a_thread(task)


def test_a_process_that_keeps_to_none_is_left_alone() -> None:
    with all_processors():
        assert os.sched_getaffinity(0) == ALLOWED


def test_without_proc_the_first_processor_allowed_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processor, "STAT", tmp_path / "missing")

    def task() -> None:
        keep_to_one_processor()
        assert os.sched_getaffinity(0) == {min(ALLOWED)}

    in_a_thread(task)


def check(holds: bool) -> None:
    assert holds
