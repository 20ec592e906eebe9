"""The durable medium: what is asked of sqlite, what survives, what is told."""

import sqlite3
from pathlib import Path

import pytest

from flight.relay.store.disk import DiskMedium
from flight.relay.store.files import SystemFiles
from flight.relay.store.schema import BusyError, DurabilityError, connect, prepare
from flight.relay.store.values import (
    Buried,
    Delete,
    Duplicate,
    Fetch,
    Fetched,
    Kind,
    Missing,
    Operation,
    Put,
    Reason,
    Report,
    Result,
    Scrub,
    Scrubbed,
    Stored,
    Trouble,
)
from hil_tests.workload import small_settings


def open_disk(path: Path) -> DiskMedium:
    return DiskMedium(small_settings(path), SystemFiles(), connect)


def do(medium: DiskMedium, *operations: Operation) -> list[Result]:
    return medium.apply(tuple(enumerate(operations, start=1)))


def put(name: str, *, size: int = 1_000, received: bool = False, created: int = 0) -> Put:
    return Put(name.encode() * size, name.encode(), b"l", 1, 0, 9, received, created)


def test_sqlite_waits_for_the_medium_and_says_so(tmp_path: Path) -> None:
    connection = connect(tmp_path / "db")
    prepare(connection, max_bytes=1 << 20)
    answers = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "locking_mode", "max_page_count")
    ]
    connection.close()
    assert answers == ["wal", 2, "exclusive", 256]


def test_a_database_that_cannot_have_a_log_is_refused() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(DurabilityError):
        prepare(connection, max_bytes=1 << 20)
    connection.close()


def test_a_second_owner_is_turned_away(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    with pytest.raises(BusyError):
        open_disk(tmp_path)
    assert isinstance(do(medium, put("a"))[0], Stored)
    medium.close()


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a", created=5), put("b", size=9_000), put("r", received=True))
    do(medium, Delete((4,), Reason.DONE))
    entries, boots = medium.load(), medium.boots
    medium.close()
    again = open_disk(tmp_path)
    assert again.load() == entries
    assert again.reports == []
    assert (again.boots, again.created) == (boots + 1, 5)
    assert do(again, put("r", received=True)) == [Duplicate(1)]
    large = next(entry for entry in entries if entry.length == 9_000)
    assert large.extent is not None
    assert do(again, Fetch(large.sequence)) == [Fetched(1, large.sequence, b"b" * 9_000)]
    again.close()


def test_numbers_are_never_given_out_twice(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        medium = open_disk(tmp_path)
        (stored,) = do(medium, put("a"))
        assert isinstance(stored, Stored)
        numbers.append(stored.entry.sequence)
        do(medium, Delete((stored.entry.sequence,), Reason.DONE))
        medium.close()
    assert len(set(numbers)) == 3
    assert numbers == sorted(numbers)


def test_a_damaged_blob_is_buried_and_its_peer_may_send_it_again(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    (stored,) = do(medium, put("r", size=9_000, received=True))
    assert isinstance(stored, Stored)
    (segment,) = tmp_path.glob("*.segment")
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    report, buried, missing = do(medium, Fetch(stored.entry.sequence))
    assert report == Report(0, Trouble.ROWS_DAMAGED, 1)
    assert isinstance(buried, Buried)
    assert buried.reason is Reason.CORRUPT
    assert isinstance(missing, Missing)
    assert isinstance(do(medium, put("r", size=9_000, received=True))[0], Stored)
    medium.close()


def test_the_scrub_goes_round_and_finds_damage_that_nobody_read(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, *(put(name, size=5_000) for name in "abcd"))
    (segment,) = tmp_path.glob("*.segment")
    content = bytearray(segment.read_bytes())
    content[8_192 * 2 + 17] ^= 128
    segment.write_bytes(content)
    results = [result for _ in range(3) for result in do(medium, Scrub(2))]
    assert sum(isinstance(result, Buried) for result in results) == 1
    assert [r.checked for r in results if isinstance(r, Scrubbed)] == [2, 2, 2]
    medium.close()


def test_a_lost_log_is_told_by_the_mark(tmp_path: Path) -> None:
    medium = open_disk(tmp_path / "live")
    medium.tidy()
    do(medium, put("a"))
    do(medium, put("b"))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("bundles.db", "bundles.db-wal", "highwater"):
        (copy / name).write_bytes((tmp_path / "live" / name).read_bytes())
    medium.close()
    (copy / "bundles.db-wal").write_bytes(b"")
    again = open_disk(copy)
    assert Trouble.DATABASE_QUARANTINED in {report.trouble for report in again.reports}
    assert list((copy / "quarantine").iterdir())
    assert isinstance(do(again, put("c"))[0], Stored)
    again.close()


def test_commits_behind_a_flipped_bit_in_the_log_are_found_again(tmp_path: Path) -> None:
    medium = open_disk(tmp_path / "live")
    for name in "abc":
        do(medium, put(name))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("bundles.db", "bundles.db-wal", "highwater"):
        (copy / name).write_bytes((tmp_path / "live" / name).read_bytes())
    medium.close()
    log = bytearray((copy / "bundles.db-wal").read_bytes())
    at = log.index(b"a" * 500)
    log[at + 100] ^= 1
    (copy / "bundles.db-wal").write_bytes(log)
    again = open_disk(copy)
    assert Trouble.COMMITS_LOST in {report.trouble for report in again.reports}
    found = {entry.identity for entry in again.load() if entry.kind == Kind.BUNDLE}
    assert found >= {b"b", b"c"}
    again.close()


def test_a_file_that_is_no_database_is_quarantined(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a"))
    medium.close()
    database = tmp_path / "bundles.db"
    content = bytearray(database.read_bytes())
    content[3] ^= 1
    database.write_bytes(content)
    again = open_disk(tmp_path)
    assert again.reports == [Report(0, Trouble.DATABASE_QUARANTINED, 1)]
    assert [entry.identity for entry in again.load()] == [b"a"]
    again.close()
