"""What the store does when its medium fails, failure by failure."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flight.relay.store.files import SystemFiles
from flight.relay.store.guard import GuardedMedium
from flight.relay.store.schema import connect
from flight.relay.store.values import Kind, Medium, Put, Refused, Report, Stored, Trouble
from hil_tests.faults import FailAt, FullDisk, WatchedFiles
from hil_tests.vfs import FULL, IOERR, OK, READONLY, UnwatchableError, WatchedVfs
from hil_tests.workload import Model, Workload, fast_directory, look, lost, small_settings

CALLS = 220
"""File calls in the life below; failing later ones changes nothing."""


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_directory()) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def vfs() -> WatchedVfs:
    try:
        return WatchedVfs()
    except UnwatchableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def quiet(vfs: WatchedVfs) -> Iterator[None]:
    yield
    vfs.observer = lambda _call, _path, _offset, _data: OK


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
    vfs: WatchedVfs, home: Path, code: int, lasting: bool
) -> None:
    for number in range(1, CALLS, 13):
        directory = home / str(number)
        fail = vfs.observer = FailAt(number, code, lasting=lasting)
        medium = GuardedMedium(small_settings(directory), WatchedFiles(fail), vfs.connect)
        model, durable = live(medium, 3, 12)
        degraded = medium.status().degraded
        medium.close()
        vfs.observer = lambda _call, _path, _offset, _data: OK
        assert degraded <= lasting, "one failure is got over"
        assert (Trouble.MEDIUM_FAILED in model.lost) == degraded
        again = GuardedMedium(small_settings(directory), SystemFiles(), connect)
        finding = look(again)
        again.close()
        assert lost(durable, finding) == []
        assert all(finding.data.get(name, data) == data for name, data in model.known.items())


@pytest.mark.parametrize("capacity", [400_000, 500_000, 700_000])
def test_a_full_disk_evicts_and_goes_on(vfs: WatchedVfs, home: Path, capacity: int) -> None:
    disk = vfs.observer = FullDisk(capacity)
    settings = small_settings(home, quota_bytes=2_000_000)
    medium = GuardedMedium(settings, WatchedFiles(disk), vfs.connect)
    model, _ = live(medium, 1, 80)
    assert disk.refusals
    assert Trouble.DISK_FULL in model.lost
    assert not medium.status().degraded
    medium.close()
    again = GuardedMedium(settings, SystemFiles(), connect)
    assert lost(model, look(again)) == []
    again.close()


def test_the_quota_comes_back_with_the_space(vfs: WatchedVfs, home: Path) -> None:
    disk = vfs.observer = FullDisk(400_000)
    settings = small_settings(home, quota_bytes=2_000_000)
    medium = GuardedMedium(settings, WatchedFiles(disk), vfs.connect)
    live(medium, 1, 60)
    large = Put(bytes(400_000), b"large", b"", 3, 0, 9)
    assert any(isinstance(result, Refused) for result in medium.apply(((1, large),)))
    disk.capacity_bytes = 10_000_000
    medium.tidy()
    assert any(isinstance(result, Stored) for result in medium.apply(((1, large),)))
    medium.close()


def test_a_directory_that_cannot_be_made_leaves_memory(home: Path) -> None:
    (home / "file").write_bytes(b"in the way")
    medium = GuardedMedium(small_settings(home / "file" / "store"), SystemFiles(), connect)
    assert Report(0, Trouble.MEDIUM_FAILED) in medium.tidy()
    (stored,) = medium.apply(((1, Put(b"x", b"a", b"", 0, 0, 9)),))
    assert isinstance(stored, Stored)
    assert stored.entry.kind == Kind.BUNDLE
    assert medium.status().degraded
