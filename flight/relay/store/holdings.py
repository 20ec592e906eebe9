"""Where each entry lies in the log, and how it gets there: commits, moves, the mark."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from flight.relay.store.catalogue import Catalogue
from flight.relay.store.highwater import HighWater
from flight.relay.store.log import Log, Place
from flight.relay.store.records import (
    Commit,
    DamagedError,
    Ledger,
    crc_of,
    pack_commit,
    read_commit,
)
from flight.relay.store.recovery import Found, find_head
from flight.relay.store.values import Entry


class Holdings:
    """The entries of a catalogue, on the medium."""

    def __init__(
        self, catalogue: Catalogue, log: Log, high_water: HighWater, found: Found, mark: Ledger
    ) -> None:
        """Take over what was found. Nothing is written yet."""
        self._catalogue = catalogue
        self._log = log
        self._high_water = high_water
        self._scars = found.scars
        self._after = self._marked = found.ledger.commit
        self._places: dict[int, Place] = {}
        for entry, place in found.entries.values():
            catalogue.add(entry)
            self._places[entry.sequence] = place
        log.begin(found.used, found.at, newest=found.newest)
        self.ledger = Ledger(
            commit=max(found.ledger.commit, mark.commit),
            sequence=max(next(reversed(found.entries), 0), found.ledger.sequence, mark.sequence),
            created=max(found.ledger.created, mark.created),
            boots=max(found.ledger.boots, mark.boots) + 1,
        )

    def write(
        self,
        entries: Sequence[Entry],
        data: Sequence[bytes],
        *,
        gone: Iterable[int] = (),
        seen: Iterable[int] = (),
        sequence: int = 0,
        created: int = 0,
    ) -> None:
        """Bring one commit onto the medium.

        The catalogue is as it will be after it.

        Raises:
            OSError: the medium fails; whether the commit is on it is unknown.
        """
        old = self.ledger
        ledger = Ledger(
            old.commit + 1, max(old.sequence, sequence), max(old.created, created), old.boots
        )
        checks = [crc_of(one) if one else 0 for one in data]
        lists = (list(gone), list(seen), self._scars)
        count = len(self._catalogue.entries)
        commit = Commit(ledger, self._after, self._log.oldest, count, entries, checks, *lists)
        generation, page, at = self._log.append(pack_commit(commit), data, sum(map(len, data)))
        for entry, one, check in zip(entries, data, checks, strict=True):
            self._places[entry.sequence] = generation, page, at, check
            at += len(one)
        for number in lists[0]:
            self._places.pop(number, None)
        self.ledger, self._after = ledger, ledger.commit

    def mark(self) -> None:
        """Have the mark say how far the log goes, if it does not."""
        if self._marked != self._after:
            self._high_water.write(self.ledger)
            self._marked = self._after

    def read(self, entry: Entry) -> bytes:
        """Return an entry's data, checked.

        Raises:
            DamagedError: they are not as they were written.
        """
        generation, _, offset, check = self._places[entry.sequence]
        data = self._log.read(generation, entry.length, offset)
        if len(data) != entry.length or crc_of(data) != check:
            raise DamagedError(f"entry {entry.sequence}: CRC")
        return data

    def path(self, entry: Entry) -> Path:
        """Return the file that an entry is in."""
        return self._log.path(self._places[entry.sequence][0])

    def clean(self) -> list[Entry]:
        """Move what lives in the oldest file to the newest, so that the file is free.

        Returns the entries that cannot be moved, as they are damaged: once they are given up,
        the next call frees the file.
        """
        generation = self._log.oldest
        damaged = self._move(
            [number for number, place in self._places.items() if place[0] == generation]
        )
        if not damaged:
            self._log.retire()
        return damaged

    def mend(self, numbers: Iterable[int]) -> int:
        """Look at the heads that name these entries; write commits with a damaged one again.

        Returns how many.
        """
        places = {self._places[number][:2] for number in numbers if number in self._places}
        worn = [place for place in sorted(places) if self._log.is_worn(*place)]
        for generation, page in worn:
            head = find_head(self._log.content(generation), page, generation)
            if head is not None and head.offset == page:
                commit = read_commit(head)
                self._scars.append(commit.ledger.commit)
                self.write_again(commit, generation, page)
            else:
                self._move([n for n, p in self._places.items() if p[:2] == (generation, page)])
        return len(worn)

    def write_again(self, commit: Commit, generation: int, page: int) -> None:
        """Write what is left of a commit's entries once more, and what it said has gone."""
        numbers = [entry.sequence for entry in commit.entries]
        here = [
            n for n in numbers if n in self._places and self._places[n][:2] == (generation, page)
        ]
        self._move(here, gone=commit.gone, seen=commit.seen)

    def _move(
        self, numbers: Iterable[int], *, gone: Sequence[int] = (), seen: Sequence[int] = ()
    ) -> list[Entry]:
        """Write entries once more; return those that are damaged, and stay where they are."""
        damaged = []
        entries: list[Entry] = []
        data: list[bytes] = []
        size = 0
        for number in numbers:
            entry = self._catalogue.entries[number]
            try:
                one = self.read(entry) if entry.length else b""
            except DamagedError:
                damaged.append(entry)
                continue
            size += _LINE_BYTES + len(one)
            if size > self._log.portion_bytes and entries:
                self.write(entries, data)
                entries, data, size = [], [], _LINE_BYTES + len(one)
            entries.append(entry)
            data.append(one)
        if entries or gone or seen:
            self.write(entries, data, gone=gone, seen=seen)
        return damaged


_LINE_BYTES = 128
"""About what an entry takes in a head, both copies together."""
