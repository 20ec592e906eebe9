"""The control thread and its writer keep to one processor; what they start may use all."""

import os
import threading
from pathlib import Path

import pytest

from flight.board.workerprocess import start_child
from flight.ports import processor
from flight.ports.processor import all_processors, one_processor

ALLOWED = sorted(os.sched_getaffinity(0))


def allowed() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def test_a_thread_stays_on_the_processor_of_the_one_that_started_it() -> None:
    seen: list[list[int]] = []
    with one_processor():
        thread = threading.Thread(target=lambda: seen.append(allowed()))
        thread.start()
        thread.join()
        assert seen == [allowed()]
        assert len(allowed()) == 1
    assert allowed() == ALLOWED


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_a_processor_can_be_chosen_among_those_allowed(number: int) -> None:
    with one_processor(number):
        assert allowed() == [ALLOWED[number % len(ALLOWED)]]
    assert allowed() == ALLOWED


def test_a_worker_may_use_every_processor() -> None:
    with one_processor():
        channel, child = start_child("flight.board.sensors.host", 1 << 20)
        try:
            assert sorted(os.sched_getaffinity(child.pid)) == ALLOWED
        finally:
            child.close()
            channel.close()
        assert len(allowed()) == 1


def test_a_process_that_keeps_to_none_is_left_alone() -> None:
    with all_processors():
        assert allowed() == ALLOWED
    assert allowed() == ALLOWED


def test_what_fails_gives_the_processors_back() -> None:
    with pytest.raises(KeyError), one_processor():
        raise KeyError
    assert allowed() == ALLOWED


def test_without_proc_the_first_processor_allowed_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processor, "STAT", tmp_path / "missing")
    with one_processor():
        assert allowed() == ALLOWED[:1]


def test_a_system_that_forbids_it_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with one_processor(), all_processors():
        assert allowed() == ALLOWED
