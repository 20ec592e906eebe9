"""Syncing in a thread of its own."""

import threading
from pathlib import Path

import pytest

from flight.relay.store.files import SystemFiles
from flight.relay.store.syncer import Syncer


class Failing(SystemFiles):
    """Fails the syncs of one descriptor."""

    def __init__(self) -> None:
        self.bad = -1
        self.synced: list[int] = []

    def sync(self, descriptor: int) -> None:
        if descriptor == self.bad:
            raise OSError(5, "Input/output error")
        self.synced.append(descriptor)
        super().sync(descriptor)


def test_what_was_begun_is_on_the_medium_when_finish_returns(tmp_path: Path) -> None:
    files = Failing()
    descriptors = [files.open(tmp_path / name) for name in ("a", "b")]
    syncer = Syncer(files)
    syncer.start(descriptors)
    syncer.finish()
    assert files.synced == descriptors
    syncer.close()


def test_a_failed_sync_is_raised_by_its_own_finish_and_by_no_other(tmp_path: Path) -> None:
    files = Failing()
    descriptor = files.bad = files.open(tmp_path / "a")
    syncer = Syncer(files)
    syncer.start([descriptor])
    with pytest.raises(OSError, match="Input/output error"):
        syncer.finish()
    files.bad = -1
    syncer.start([descriptor])
    syncer.finish()
    syncer.close()


def test_without_work_there_is_no_thread_and_nothing_to_wait_for() -> None:
    before = threading.active_count()
    syncer = Syncer(SystemFiles())
    syncer.finish()
    assert threading.active_count() == before
    syncer.close()
