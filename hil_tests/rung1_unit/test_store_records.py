"""Rows, ledger and tombstones as bytes."""

import pytest

from flight.relay.store.records import (
    DamagedError,
    Ledger,
    crc_of,
    pack_row,
    pack_tombstone,
    read_row,
    read_tombstone,
)
from flight.relay.store.values import Entry, Extent, Kind, Reason

ENTRY = Entry(7, Kind.BUNDLE, True, 2, b"identity", b"label", 4, 99, -5)
LEDGER = Ledger(commit=3, sequence=7, others=5, total=1 << 63, created=11, boots=2)


def test_the_checksum_has_the_published_check_value() -> None:
    assert crc_of(b"123456789") == 0xE3069283


def test_a_row_comes_back_with_its_ledger() -> None:
    record, weight = pack_row(ENTRY, b"data", 0, LEDGER)
    row = read_row(record)
    assert (row.entry, row.ledger, row.data, row.weight) == (ENTRY, LEDGER, b"data", weight)


def test_a_blob_s_row_holds_its_place_and_checksum_instead_of_its_bytes() -> None:
    entry = ENTRY._replace(extent=Extent(1, 4096, 4))
    row = read_row(pack_row(entry, b"", crc_of(b"data"), LEDGER)[0])
    assert (row.entry, row.data, row.data_crc) == (entry, b"", crc_of(b"data"))


def test_what_follows_a_row_does_not_matter() -> None:
    record, _ = pack_row(ENTRY, b"data", 0, LEDGER)
    assert read_row(record + b"rest of a page").entry == ENTRY


def test_every_single_flipped_bit_in_a_row_is_noticed() -> None:
    record, _ = pack_row(ENTRY, b"data", 0, LEDGER)
    for bit in range(8 * len(record)):
        damaged = bytearray(record)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            read_row(bytes(damaged))


@pytest.mark.parametrize("length", [0, 3, 4, 50, 100])
def test_a_row_cut_short_is_noticed(length: int) -> None:
    record, _ = pack_row(ENTRY, b"data", 0, LEDGER)
    with pytest.raises(DamagedError):
        read_row(record[:length])


def test_a_tombstone_names_what_was_given_up_and_why() -> None:
    reason, buried = read_tombstone(pack_tombstone(Reason.EVICTED, (ENTRY, ENTRY)))
    assert reason is Reason.EVICTED
    assert [(one.identity, one.priority, one.length) for one in buried] == [(b"identity", 2, 4)] * 2
