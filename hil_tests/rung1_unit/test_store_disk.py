"""The durable medium: what survives, what is told, what is written again."""

from pathlib import Path

import pytest

from flight.relay.store.disk import BusyError, DiskMedium
from flight.relay.store.files import SystemFiles
from flight.relay.store.records import MAGIC, PAGE_BYTES
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
    return DiskMedium(small_settings(path), SystemFiles())


def do(medium: DiskMedium, *operations: Operation) -> list[Result]:
    return medium.apply(tuple(enumerate(operations, start=1))) + medium.tidy()


def put(name: str, *, size: int = 1_000, received: bool = False, created: int = 0) -> Put:
    return Put(name.encode() * size, name.encode(), b"l", 1, 0, 9, received, created)


def reports_of(medium: DiskMedium) -> dict[Trouble, int]:
    return {r.trouble: r.count for r in medium.tidy() if isinstance(r, Report)}


def flip(path: Path, what: bytes, *, shift: int = 0, last: bool = False) -> None:
    """Flip one bit of the first or last place where a file has some bytes."""
    content = bytearray(path.read_bytes())
    at = content.rindex(what) if last else content.index(what)
    content[at + shift] ^= 1
    path.write_bytes(content)


def log_with(directory: Path, what: bytes) -> Path:
    (path,) = (path for path in directory.glob("*.log") if what in path.read_bytes())
    return path


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
    assert reports_of(again) == {}
    assert (again.boots, again.created) == (boots + 1, 5)
    assert do(again, put("r", received=True)) == [Duplicate(1)]
    large = next(entry for entry in entries if entry.length == 9_000)
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


def test_damaged_data_are_buried_and_their_peer_may_send_them_again(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    (stored,) = do(medium, put("r", size=9_000, received=True))
    assert isinstance(stored, Stored)
    flip(log_with(tmp_path, b"r" * 9_000), b"r" * 9_000, shift=100)
    report, buried, missing = do(medium, Fetch(stored.entry.sequence))
    assert report == Report(0, Trouble.ROWS_DAMAGED, 1)
    assert isinstance(buried, Buried)
    assert buried.reason is Reason.CORRUPT
    assert isinstance(missing, Missing)
    assert list((tmp_path / "quarantine").iterdir())
    assert isinstance(do(medium, put("r", size=9_000, received=True))[0], Stored)
    medium.close()


def test_the_scrub_goes_round_and_finds_damage_that_nobody_read(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, *(put(name, size=5_000) for name in "abcd"))
    flip(log_with(tmp_path, b"c" * 5_000), b"c" * 5_000, shift=17)
    results = [result for _ in range(3) for result in do(medium, Scrub(2))]
    assert sum(isinstance(result, Buried) for result in results) == 1
    assert [r.checked for r in results if isinstance(r, Scrubbed)] == [2, 2, 2]
    medium.close()


@pytest.mark.parametrize("last", [False, True])
def test_a_head_that_rots_is_written_again_from_its_copy(tmp_path: Path, last: bool) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("kept", received=True), put("gone", received=True), put("other"))
    log = log_with(tmp_path, b"kept" * 1_000)
    do(medium, Delete((2,), Reason.DONE))
    flip(log, b"gonel", last=last)
    results = do(medium, Scrub(10))
    assert [type(result) for result in results] == [Report, Scrubbed]
    assert results[0] == Report(0, Trouble.MENDED, 1)
    assert do(medium, Scrub(10)) == [Scrubbed(1, 3)]
    medium.close()
    # Were the other copy to rot as well, nothing would be missed.
    flip(log, b"gonel")
    again = open_disk(tmp_path)
    assert set(reports_of(again)) <= {Trouble.COMMITS_LOST}
    assert [entry.identity for entry in again.load()] == [b"kept", b"other"]
    assert do(again, put("gone", received=True)) == [Duplicate(1)]
    again.close()


@pytest.mark.parametrize("last", [False, True])
def test_a_flipped_bit_in_a_head_costs_nothing_and_is_told_once(tmp_path: Path, last: bool) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a"), put("b"))
    do(medium, Delete((1,), Reason.DONE))
    do(medium, put("c"))
    medium.close()
    flip(log_with(tmp_path, b"b" * 1_000), b"bl", last=last)
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.MENDED: 1}
    assert [entry.identity for entry in again.load()] == [b"b", b"c"]
    again.close()
    third = open_disk(tmp_path)
    assert reports_of(third) == {}
    assert [entry.identity for entry in third.load()] == [b"b", b"c"]
    third.close()


def test_a_commit_whose_heads_are_both_lost_is_missed_once_and_the_rest_is_there(
    tmp_path: Path,
) -> None:
    medium = open_disk(tmp_path)
    for name in "abc":
        do(medium, put(name))
    medium.close()
    log = log_with(tmp_path, b"b" * 1_000)
    flip(log, b"bl")
    flip(log, b"bl")
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.COMMITS_LOST: 1, Trouble.ROWS_MISSING: 1}
    assert [entry.identity for entry in again.load()] == [b"a", b"c"]
    assert list((tmp_path / "quarantine").iterdir())
    again.close()
    third = open_disk(tmp_path)
    assert reports_of(third) == {}
    third.close()


def test_a_torn_last_commit_is_unfinished_unless_the_mark_knows_it(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a"))
    mark = (tmp_path / "highwater").read_bytes()
    do(medium, put("b"), put("c"))
    medium.close()
    flip(log_with(tmp_path, b"b" * 1_000), b"b" * 1_000, shift=9)
    known = (tmp_path / "highwater").read_bytes()
    logs = {path: path.read_bytes() for path in tmp_path.glob("*.log")}
    (tmp_path / "highwater").write_bytes(mark)
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.UNFINISHED: 2}
    assert [entry.identity for entry in again.load()] == [b"a"]
    again.close()
    for path, content in logs.items():
        path.write_bytes(content)
    (tmp_path / "highwater").write_bytes(known)
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.ROWS_DAMAGED: 1}
    entries = again.load()
    assert [entry.identity for entry in entries] == [b"a", b"c", b""]
    assert entries[-1].kind is Kind.TOMBSTONE
    again.close()


@pytest.mark.parametrize(
    ("first", "last", "torn"),
    [(100, 33_000, 1_000), (40_000, 100, 15_000)],
    ids=["in the file before", "in a file of its own"],
)
def test_what_was_taken_back_once_stays_so(
    tmp_path: Path, first: int, last: int, torn: int
) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a", size=first))
    do(medium, put("b", size=last))
    mark = (tmp_path / "highwater").read_bytes()
    do(medium, put("t", size=torn), put("more"))
    medium.close()
    flip(log_with(tmp_path, b"t" * torn), b"t" * torn)
    (tmp_path / "highwater").write_bytes(mark)
    # What comes now goes to another file than what was torn, which is not written over.
    medium = open_disk(tmp_path)
    assert reports_of(medium) == {Trouble.UNFINISHED: 2}
    assert log_with(tmp_path, b"t" * (torn - 1))
    do(medium, put("c"))
    medium.close()
    for _ in range(3):
        medium = open_disk(tmp_path)
        assert reports_of(medium) == {}
        assert [entry.identity for entry in medium.load()] == [b"a", b"b", b"c"]
        medium.close()


def test_a_lost_log_is_told_by_the_mark(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("a"))
    do(medium, put("b"))
    commits = medium.status().commits
    medium.close()
    for path in tmp_path.glob("*.log"):
        path.unlink()
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.COMMITS_LOST: commits}
    (stored,) = do(again, put("c"))
    assert isinstance(stored, Stored)
    assert stored.entry.sequence == 3, "numbers are never given out twice"
    again.close()


def test_files_of_another_layout_are_set_aside_and_told(tmp_path: Path) -> None:
    open_disk(tmp_path).close()
    (newest,) = (path for path in tmp_path.glob("*.log") if path.read_bytes()[:4] == MAGIC)
    newest.write_bytes(newest.read_bytes().replace(MAGIC, b"fsL2"))
    (tmp_path / "bundles.db").write_bytes(b"SQLite format 3")
    again = open_disk(tmp_path)
    assert reports_of(again)[Trouble.FILES_QUARANTINED] == 2
    names = {path.name.partition(".")[2] for path in (tmp_path / "quarantine").iterdir()}
    assert names == {newest.name, "bundles.db"}
    again.close()


def test_what_lives_moves_on_and_the_log_keeps_its_size(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("old", received=True), put("seen", received=True))
    do(medium, Delete((2,), Reason.DONE))
    sizes = set()
    for number in range(200):
        (stored,) = do(medium, put(f"{number}", size=3_000))
        assert isinstance(stored, Stored)
        do(medium, Delete((stored.entry.sequence,), Reason.DONE))
        assert medium.tidy() == []
        sizes.add(sum(path.stat().st_size for path in tmp_path.glob("*.log")))
    assert max(sizes) <= 6 * (1 << 16)
    assert isinstance(do(medium, Fetch(1))[0], Fetched)
    medium.close()
    again = open_disk(tmp_path)
    assert reports_of(again) == {}
    assert [entry.identity for entry in again.load()] == [b"old"]
    assert do(again, put("seen", received=True)) == [Duplicate(1)]
    again.close()


def test_a_bundle_larger_than_a_file_gets_one_of_its_own_for_its_life(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    (stored,) = do(medium, put("x", size=200_000))
    assert isinstance(stored, Stored)
    medium.close()
    medium = open_disk(tmp_path)
    number = stored.entry.sequence
    assert do(medium, Fetch(number)) == [Fetched(1, number, b"x" * 200_000)]
    do(medium, Delete((number,), Reason.DONE))
    for name in range(60):
        (other,) = do(medium, put(f"{name}", size=3_000))
        assert isinstance(other, Stored)
        do(medium, Delete((other.entry.sequence,), Reason.DONE))
        medium.tidy()
    assert {path.stat().st_size for path in tmp_path.glob("*.log")} == {1 << 16}
    medium.close()


def test_a_bundle_that_holds_a_log_is_not_taken_for_one(tmp_path: Path) -> None:
    medium = open_disk(tmp_path)
    do(medium, put("inner"))
    log = log_with(tmp_path, b"inner" * 1_000).read_bytes()[: 8 * PAGE_BYTES]
    do(medium, Put(log, b"outer", b"", 1, 0, 9), put("after"))
    medium.close()
    flip(log_with(tmp_path, b"after" * 1_000), b"outer")
    again = open_disk(tmp_path)
    assert reports_of(again) == {Trouble.MENDED: 1}
    assert [entry.identity for entry in again.load()] == [b"inner", b"outer", b"after"]
    again.close()
