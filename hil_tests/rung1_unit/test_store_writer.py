"""The queue in front of the medium."""

import select
from dataclasses import replace
from pathlib import Path

import pytest

from flight.relay.store import open_ram_store, open_store
from flight.relay.store.ram import RamMedium
from flight.relay.store.values import Operation, Put, Result, Store, Stored
from flight.relay.store.writer import ThreadedStore
from hil_tests.workload import small_settings


def put(name: str) -> Put:
    return Put(b"data", name.encode(), b"", 1, 0, 9)


def wait(store: Store, count: int) -> list[Result]:
    """Return results once there are enough; the descriptor says when to look."""
    poll = select.poll()
    poll.register(store.fileno(), select.POLLIN)
    results: list[Result] = []
    while len(results) < count:
        assert poll.poll(10_000), "no result in ten seconds"
        results.extend(store.take_done())
    return results


def test_results_come_in_order_and_are_told_through_the_descriptor(tmp_path: Path) -> None:
    store = open_store(small_settings(tmp_path))
    tickets = [store.submit(put(f"n{number}")) for number in range(20)]
    results = wait(store, 20)
    assert [result.ticket for result in results] == tickets
    assert store.take_done() == ()
    store.close()


def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    store = open_store(small_settings(tmp_path), inline=True)
    before = store.status().commits
    for number in range(50):
        store.submit(put(f"n{number}"))
    assert len(store.take_done()) == 50
    assert store.status().commits == before + 1
    store.close()


def test_closing_finishes_what_was_asked(tmp_path: Path) -> None:
    store = open_store(small_settings(tmp_path))
    for number in range(30):
        store.submit(put(f"n{number}"))
    store.close()
    again = open_store(small_settings(tmp_path), inline=True)
    assert len(again.load()) == 30
    again.close()


def test_a_full_queue_says_so_at_once(tmp_path: Path) -> None:
    store = open_ram_store(replace(small_settings(tmp_path), queue_limit=3))
    tickets = [store.submit(put(f"n{number}")) for number in range(5)]
    assert tickets == [1, 2, 3, None, None]
    assert all(isinstance(result, Stored) for result in store.take_done())


def test_a_fault_of_the_writer_reaches_the_control_thread(tmp_path: Path) -> None:
    class Broken(RamMedium):
        def apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
            raise ZeroDivisionError(len(operations))

    settings = small_settings(tmp_path)
    store = ThreadedStore(settings, Broken(settings))
    store.submit(put("a"))
    with pytest.raises(ZeroDivisionError):
        wait(store, 1)
    store.close()
