"""The log's files: made, filled, given up, used again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flight.relay.store.files import SystemFiles
from flight.relay.store.log import Log
from flight.relay.store.records import PAGE_BYTES, read_head
from hil_tests.faults import FULL, OK, WatchedFiles

SIZE = 1 << 16


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(SystemFiles(), tmp_path, SIZE)
    made.begin({}, 0, newest=0)
    made.make(SIZE)
    made.make(SIZE)
    yield made
    made.close()


def fill(log: Log) -> int:
    """Put one commit into a file of its own and return its generation."""
    return log.append(b"body", (bytes(SIZE - PAGE_BYTES),), SIZE - PAGE_BYTES)[0]


def test_a_file_is_written_whole_before_it_is_used(log: Log, tmp_path: Path) -> None:
    assert [path.read_bytes() for path in tmp_path.glob("*.log")] == [bytes(SIZE)] * 2
    assert (log.spare, log.generations, log.filled_bytes) == (2, 0, 0)


def test_commits_follow_one_another_in_whole_pages(log: Log) -> None:
    first = log.append(b"body", (b"data", b"more"), 8)
    second = log.append(b"next", (), 0)
    assert (first[1], second[1]) == (0, PAGE_BYTES)
    assert log.read(first[0], 8, first[2]) == b"datamore"
    content = log.content(first[0])
    assert read_head(content, 0, generation=first[0]) is not None
    assert read_head(content, PAGE_BYTES) == read_head(content, PAGE_BYTES, generation=second[0])


def test_a_generation_is_one_more_than_the_last(log: Log) -> None:
    assert fill(log) + 1 == fill(log)
    assert (log.spare, log.generations, log.filled_bytes) == (0, 2, SIZE)


def test_a_file_given_up_is_used_again_only_after_the_next_commit(log: Log, tmp_path: Path) -> None:
    oldest, newest = fill(log), fill(log)
    log.make(SIZE)
    path = log.path(oldest)
    log.retire()
    assert (log.oldest, log.spare) == (newest, 2)
    third = fill(log)
    assert log.path(third) != path
    assert log.path(fill(log)) == path
    assert len(list(tmp_path.glob("*.log"))) == 3


def test_a_commit_larger_than_a_file_gets_one_that_goes_with_it(log: Log, tmp_path: Path) -> None:
    large = log.append(b"body", (bytes(3 * SIZE),), 3 * SIZE)[0]
    assert log.path(large).stat().st_size > 3 * SIZE
    fill(log)
    log.retire()
    fill(log)
    assert {path.stat().st_size for path in tmp_path.glob("*.log")} == {SIZE}


def test_what_is_not_in_use_is_free_and_another_size_goes(tmp_path: Path) -> None:
    for name, size in (("0.log", SIZE), ("1.log", SIZE // 2), ("2.log", SIZE)):
        (tmp_path / name).write_bytes(bytes(size))
    log = Log(SystemFiles(), tmp_path, SIZE)
    kept = next(file for file in log.present if file.path.name == "2.log")
    log.begin({7: kept}, PAGE_BYTES, newest=9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.log", "2.log"]
    assert (log.spare, log.generations) == (1, 1)
    assert log.append(b"body", (), 0)[:2] == (7, PAGE_BYTES)
    assert fill(log) == 10, "8 and 9 may have been begun"
    log.close()


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    full = WatchedFiles(lambda call, *_rest: FULL if call == "write" else OK)
    log = Log(full, tmp_path, SIZE)
    log.begin({}, 0, newest=0)
    with pytest.raises(OSError, match="No space"):
        log.make(SIZE)
    assert list(tmp_path.iterdir()) == []
    assert log.spare == 0
    log.close()


@pytest.mark.parametrize("copy", [0, 1])
def test_a_flipped_bit_in_either_head_is_seen(log: Log, copy: int) -> None:
    generation, page, _ = log.append(b"body" * 9, (b"data",), 4)
    assert not log.is_worn(generation, page)
    path = log.path(generation)
    content = bytearray(path.read_bytes())
    content[content.index(b"body") if copy == 0 else content.rindex(b"body")] ^= 8
    path.write_bytes(content)
    assert log.is_worn(generation, page)
