"""What the store does when its medium fails, failure by failure."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flight.relay.store.files import SystemFiles
from flight.relay.store.guard import GuardedMedium
from flight.relay.store.values import (
    Buried,
    Delete,
    Duplicate,
    Fetch,
    Fetched,
    Found,
    Kind,
    Medium,
    Missing,
    Operation,
    Put,
    Reason,
    Refused,
    Report,
    Result,
    Scrub,
    Stored,
    Trouble,
)
from hil_tests.faults import FULL, IOERR, OK, READONLY, FailAt, FullDisk, WatchedFiles
from hil_tests.workload import Model, Workload, fast_directory, look, lost, small_settings

CALLS = 130
"""File calls in the life below; failing later ones changes nothing."""


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_directory()) as name:
        yield Path(name)


def live(medium: Medium, seed: int, batches: int) -> tuple[Model, Model]:
    """Return the model at the end, and as it was when the medium last held everything."""
    workload, model = Workload(seed), Model()
    model.answered((), medium.tidy())
    durable = Model()
    for _ in range(batches):
        operations = workload.batch(model)
        model.asked(operations)
        durable.limbo |= model.limbo
        results = medium.apply(operations)
        assert {ticket for ticket, _ in operations} <= {result.ticket for result in results}
        model.answered(operations, results)
        model.answered((), medium.tidy())
        if not medium.status().degraded:
            durable = model.copy()
    last = medium.apply(((1, Put(b"x", b"final", b"", 0, 0, 9)),))
    model.lost += [result.trouble for result in last if isinstance(result, Report)]
    assert any(isinstance(result, Stored) for result in last), "telemetry goes on"
    return model, durable


@pytest.mark.parametrize(
    ("code", "lasting"),
    [(IOERR, False), (IOERR, True), (FULL, False), (FULL, True), (READONLY, True)],
)
def test_a_failure_at_any_call_loses_nothing_that_was_durable(
    home: Path, code: int, lasting: bool
) -> None:
    for number in range(1, CALLS, 3):
        directory = home / str(number)
        fail = FailAt(number, code, lasting=lasting)
        medium = GuardedMedium(small_settings(directory), WatchedFiles(fail))
        model, durable = live(medium, 3, 12)
        degraded = medium.status().degraded
        medium.close()
        assert degraded <= lasting, "one failure is got over"
        assert (Trouble.MEDIUM_FAILED in model.lost) == degraded
        again = GuardedMedium(small_settings(directory), SystemFiles())
        finding = look(again)
        again.close()
        assert lost(durable, finding) == []
        assert all(finding.data.get(name, data) == data for name, data in model.known.items())


@pytest.mark.parametrize("capacity", [400_000, 500_000, 700_000])
def test_a_full_disk_evicts_and_goes_on(home: Path, capacity: int) -> None:
    disk = FullDisk(capacity)
    settings = small_settings(home, quota_bytes=2_000_000)
    medium = GuardedMedium(settings, WatchedFiles(disk))
    model, _ = live(medium, 1, 80)
    assert disk.refusals
    assert Trouble.DISK_FULL in model.lost
    assert not medium.status().degraded
    medium.close()
    again = GuardedMedium(settings, SystemFiles())
    assert lost(model, look(again)) == []
    again.close()


def test_the_quota_comes_back_with_the_space(home: Path) -> None:
    disk = FullDisk(400_000)
    settings = small_settings(home, quota_bytes=2_000_000)
    medium = GuardedMedium(settings, WatchedFiles(disk))
    live(medium, 1, 60)
    large = Put(bytes(400_000), b"large", b"", 3, 0, 9)
    assert any(isinstance(result, Refused) for result in medium.apply(((1, large),)))
    disk.capacity_bytes = 10_000_000
    medium.tidy()
    assert any(isinstance(result, Stored) for result in medium.apply(((1, large),)))
    medium.close()


def test_a_directory_that_cannot_be_made_leaves_memory(home: Path) -> None:
    (home / "file").write_bytes(b"in the way")
    medium = GuardedMedium(small_settings(home / "file" / "store"), SystemFiles())
    assert Report(0, Trouble.MEDIUM_FAILED) in medium.tidy()
    (stored,) = medium.apply(((1, Put(b"x", b"a", b"", 0, 0, 9)),))
    assert isinstance(stored, Stored)
    assert stored.entry.kind == Kind.BUNDLE
    assert medium.status().degraded


def put(number: int, *, size: int = 100, received: bool = False, priority: int = 1) -> Put:
    name = b"bundle %d" % number
    return Put(name.ljust(size), name, b"", priority, 0, 9, received=received, created=number)


def test_a_bundle_that_was_durable_before_the_failure_is_no_duplicate_to_its_peer(
    home: Path,
) -> None:
    calls: list[str] = []
    failing: set[str] = set()

    def observe(call: str, _path: str, _offset: int, _data: bytes) -> int:
        calls.append(call)
        return IOERR if call in failing and not failing.discard(call) else OK

    medium = GuardedMedium(small_settings(home), WatchedFiles(observe))
    (kept,) = medium.apply(((1, put(1)),))
    assert isinstance(kept, Stored)
    failing.add("read")
    twice = put(2, received=True)
    results = medium.apply(((2, twice), (3, twice), (4, Fetch(kept.entry.sequence))))
    assert [type(result) for result in results] == [Report, Stored, Duplicate, Fetched]
    assert results[0] == Report(0, Trouble.MEDIUM_RETRIED)
    assert [type(result) for result in medium.apply(((5, twice),))] == [Duplicate]
    medium.close()


class Troubled:
    """A medium that fails from one moment to another, as if a disk were pulled out and put back."""

    def __init__(self, home: Path) -> None:
        self.settings = small_settings(home, quota_bytes=2_000_000)
        self.failing = False
        self.medium = GuardedMedium(self.settings, WatchedFiles(self))
        self.results: list[Result] = []

    def __call__(self, *_call: object) -> int:
        return IOERR if self.failing else OK

    def do(self, *operations: Operation) -> list[Result]:
        numbered = tuple(enumerate(operations, start=1))
        self.results = self.medium.apply(numbered) + self.medium.tidy()
        return self.results

    def numbers(self) -> dict[bytes, int]:
        """Return the numbers of what is stored now, by identity."""
        return {e.identity: e.sequence for e in self.medium.load() if e.kind == Kind.BUNDLE}

    def told(self) -> list[Trouble]:
        return [result.trouble for result in self.results if isinstance(result, Report)]


@pytest.fixture
def troubled(home: Path) -> Iterator[Troubled]:
    made = Troubled(home)
    yield made
    made.medium.close()


def test_what_memory_held_is_back_on_the_disk_once_it_works(troubled: Troubled) -> None:
    troubled.do(put(1), put(2, size=9_000), put(3))
    before = troubled.numbers()
    troubled.failing = True
    troubled.do(put(4), put(5, size=9_000))
    assert Trouble.MEDIUM_FAILED in troubled.told()
    assert troubled.medium.status().degraded
    in_memory = troubled.numbers()
    troubled.do(Scrub(8), put(6))
    assert troubled.medium.status().degraded, "the disk still fails"
    troubled.do(Delete((before[b"bundle 1"],), Reason.DONE))
    troubled.failing = False
    results = troubled.do(Scrub(8))
    assert Report(0, Trouble.MEDIUM_RETURNED, 3) in results
    assert not troubled.medium.status().degraded
    after = troubled.numbers()
    assert set(after) == {b"bundle %d" % number for number in (2, 3, 4, 5, 6)}
    for name, number in (before | in_memory).items():
        assert after.get(name, number) == number, "numbers stay"
    found = {result.entry.identity for result in results if isinstance(result, Found)}
    assert found == {b"bundle 2", b"bundle 3"}
    # And it is the disk that has it: another life finds all, and nothing wrong.
    troubled.medium.close()
    troubled.medium = GuardedMedium(troubled.settings, SystemFiles())
    assert troubled.medium.tidy() == []
    finding = look(troubled.medium)
    assert finding.data == {
        b"bundle %d" % n: put(n, size=9_000 if n in (2, 5) else 100).data for n in (2, 3, 4, 5, 6)
    }
    assert troubled.medium.created == 6


def test_a_second_failure_and_a_second_return_are_as_good(troubled: Troubled) -> None:
    for number in range(1, 5):
        troubled.do(put(10 * number))
        troubled.failing = True
        troubled.do(put(10 * number + 1))
        troubled.failing = False
        troubled.do(Scrub(1))
        assert not troubled.medium.status().degraded
    assert len(troubled.numbers()) == 8
    assert sorted(troubled.numbers().values()) == list(troubled.numbers().values())


def test_what_came_twice_is_there_once(troubled: Troubled) -> None:
    troubled.do(put(1, received=True), put(2, received=True), put(3, received=True))
    on_disk = troubled.numbers()
    troubled.do(Delete((on_disk[b"bundle 3"],), Reason.DONE))
    troubled.failing = True
    troubled.do(put(4))
    # Memory does not know what the disk has: these are taken for new.
    troubled.do(put(1, received=True), put(2, received=True), put(3, received=True))
    in_memory = troubled.numbers()
    troubled.do(Delete((in_memory[b"bundle 2"],), Reason.DONE))
    troubled.failing = False
    results = troubled.do(Scrub(1))
    missing = {result.sequence for result in results if isinstance(result, Missing)}
    assert {on_disk[b"bundle 1"], on_disk[b"bundle 2"], in_memory[b"bundle 3"]} <= missing
    assert troubled.numbers() == {name: in_memory[name] for name in (b"bundle 1", b"bundle 4")}
    again = troubled.do(*(put(number, received=True) for number in (1, 2, 3)))
    assert [type(result) for result in again] == [Duplicate] * 3


def test_what_finds_no_room_on_the_disk_is_buried_by_name(troubled: Troubled) -> None:
    troubled.do(*(put(number, size=60_000, priority=0) for number in range(30)))
    troubled.failing = True
    troubled.do(put(100, size=300_000, priority=3), put(101, size=300_000, priority=0))
    low = troubled.numbers()[b"bundle 100"]
    troubled.failing = False
    results = troubled.do(Scrub(1))
    buried = [n for result in results if isinstance(result, Buried) for n in result.sequences]
    assert low in buried
    assert b"bundle 101" in troubled.numbers()
    assert troubled.medium.status().used_bytes <= 2_000_000
    assert troubled.medium.status().tombstones


def test_a_disk_that_was_not_there_at_start_is_used_when_it_comes(home: Path) -> None:
    (home / "file").write_bytes(b"in the way")
    settings = small_settings(home / "file" / "store")
    medium = GuardedMedium(settings, SystemFiles())
    medium.apply(((1, put(1)),))
    (home / "file").unlink()
    results = medium.apply(((2, Scrub(1)),))
    assert Report(0, Trouble.MEDIUM_RETURNED, 1) in results
    medium.close()
    again = GuardedMedium(settings, SystemFiles())
    assert look(again).data == {b"bundle 1": put(1).data}
    again.close()
