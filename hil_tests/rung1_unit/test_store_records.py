"""Commits, heads and tombstones as bytes."""

import pytest

from flight.relay.store.records import (
    PAGE_BYTES,
    Commit,
    Head,
    Ledger,
    commit_bytes,
    crc_of,
    head_bytes,
    length_of_head,
    pack_commit,
    pack_head,
    pack_tombstone,
    read_commit,
    read_head,
    read_tombstone,
)
from flight.relay.store.values import Entry, Kind, Reason

ENTRY = Entry(7, Kind.BUNDLE, True, 2, b"identity", b"label", 4, 2**64 - 1, -99)
COMMIT = Commit(
    Ledger(commit=3, sequence=1 << 62, created=11, boots=2),
    after=2,
    oldest=1 << 61,
    living=5,
    entries=[ENTRY, Entry(8, Kind.SEEN, True, 1, b"other")],
    checks=[crc_of(b"data"), 0],
    gone=(1, 2),
    seen=(3,),
    scars=(),
)


def head_of(commit: Commit) -> bytes:
    return pack_head(pack_commit(commit), generation=1 << 62, offset=8 * PAGE_BYTES, data_bytes=4)


def test_the_checksum_has_the_published_check_value() -> None:
    assert crc_of(b"123456789") == 0xE3069283


def test_a_commit_comes_back_with_its_place_and_everything_it_says() -> None:
    raw = head_of(COMMIT)
    head = read_head(b"before" + raw + b"behind", 6)
    assert head == Head(1 << 62, 8 * PAGE_BYTES, 4, raw)
    assert read_commit(head) == COMMIT
    assert head_bytes(pack_commit(COMMIT)) == length_of_head(raw) == len(raw)
    assert head.data_at == 8 * PAGE_BYTES + len(raw)
    assert head.end == 9 * PAGE_BYTES


def test_a_commit_takes_whole_pages() -> None:
    assert [commit_bytes(100, n) for n in (0, 3896, 3897)] == [4096, 4096, 8192]


def test_every_single_flipped_bit_in_a_head_is_noticed() -> None:
    raw = head_of(COMMIT)
    for bit in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        assert read_head(bytes(damaged), 0) is None


@pytest.mark.parametrize("length", [0, 3, 4, 20, 50, 100])
def test_a_head_cut_short_is_noticed(length: int) -> None:
    assert read_head(head_of(COMMIT)[:length], 0) is None


def test_a_head_of_another_generation_is_none() -> None:
    assert read_head(head_of(COMMIT), 0, generation=1) is None


def test_a_tombstone_names_what_was_given_up_and_why() -> None:
    reason, buried = read_tombstone(pack_tombstone(Reason.EVICTED, (ENTRY, ENTRY)))
    assert reason is Reason.EVICTED
    assert [(one.identity, one.priority, one.length) for one in buried] == [(b"identity", 2, 4)] * 2
