"""Packs the rows of one commit; the last one carries the ledger that vouches for all others."""

from dataclasses import dataclass, field

from flight.relay.store.records import WEIGHT_MODULUS, Ledger, pack_row
from flight.relay.store.values import Entry


@dataclass(slots=True)
class Packer:
    """Keeps the sums while rows come and go."""

    weights: dict[int, int]
    """Of every entry, by number; changed in place."""
    total: int
    """Their sum, modulo WEIGHT_MODULUS."""
    ledger: Ledger
    """The last row's: of the commit before until ``finish``, of this one after it."""
    created: int
    updates: list[tuple[bytes, int]] = field(default_factory=list)
    """(row, number)."""
    _inserts: list[tuple[int, bytes]] = field(default_factory=list)
    _last: tuple[Entry, bytes, int] | None = None

    def __post_init__(self) -> None:
        """Open the next commit's ledger."""
        old = self.ledger
        self.ledger = Ledger(old.commit + 1, old.sequence, 0, 0, self.created, old.boots)

    def forget(self, sequence: int) -> None:
        """Take a row out of the sums."""
        self.total -= self.weights.pop(sequence, 0)

    def update(self, entry: Entry) -> None:
        """Put a row without data in place of the one with its number."""
        self.forget(entry.sequence)
        self.updates.append((self._row(entry, b"", 0), entry.sequence))

    def insert(self, entry: Entry, data: bytes, data_crc: int) -> None:
        """Add a row."""
        if self._last is not None:
            self._inserts.append((self._last[0].sequence, self._row(*self._last)))
        self._last = entry, data, data_crc

    def finish(self) -> list[tuple[int, bytes]]:
        """Return the (number, row) pairs to be inserted; the last has the ledger."""
        if self._last is not None:
            entry = self._last[0]
            self.total %= WEIGHT_MODULUS
            commit, boots = self.ledger.commit, self.ledger.boots
            self.ledger = Ledger(
                commit, entry.sequence, len(self.weights), self.total, self.created, boots
            )
            self._inserts.append((entry.sequence, self._row(*self._last)))
            self.total %= WEIGHT_MODULUS
        return self._inserts

    def _row(self, entry: Entry, data: bytes, data_crc: int) -> bytes:
        row, weight = pack_row(entry, data, data_crc, self.ledger)
        self.weights[entry.sequence] = weight
        self.total += weight
        return row
