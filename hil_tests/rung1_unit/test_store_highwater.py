"""The mark outside the database."""

from pathlib import Path

from flight.relay.store.files import SystemFiles
from flight.relay.store.highwater import SLOT_BYTES, HighWater
from flight.relay.store.records import Ledger


def test_a_new_mark_is_sound_and_empty(tmp_path: Path) -> None:
    mark = HighWater(SystemFiles(), tmp_path / "mark")
    mark.begin()
    assert mark.read() == (Ledger(), 0)
    mark.close()


def test_the_later_of_two_slots_counts(tmp_path: Path) -> None:
    mark = HighWater(SystemFiles(), tmp_path / "mark")
    mark.begin()
    for commit in range(1, 6):
        mark.write(Ledger(commit, commit * 10))
    assert mark.read() == (Ledger(5, 50), 0)
    mark.close()


def test_a_flipped_bit_costs_one_slot_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    mark = HighWater(SystemFiles(), path)
    mark.write_both(Ledger(4, 40))
    mark.write(Ledger(5, 50))
    for at in (0, 20, SLOT_BYTES - 1):
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[SLOT_BYTES + at] ^= 4
        path.write_bytes(damaged)
        assert mark.read() == (Ledger(4, 40), 1)
        path.write_bytes(content)
    mark.close()


def test_a_mark_that_outlived_its_database_is_kept(tmp_path: Path) -> None:
    mark = HighWater(SystemFiles(), tmp_path / "mark")
    mark.write_both(Ledger(9, 90))
    mark.begin()
    assert mark.read() == (Ledger(9, 90), 0)
    mark.close()
