"""Packs the rows of one commit, each with the ledger that vouches for the rows before it."""

from dataclasses import dataclass, field, replace

from flight.relay.store.records import WEIGHT_MODULUS, Ledger, pack_row
from flight.relay.store.values import Entry


@dataclass(slots=True)
class Packer:
    """Packs rows one after the other, each with the ledger as it stands before it."""

    weights: dict[int, int]
    """Of every entry, by number; changed in place."""
    total: int
    """Their sum, modulo WEIGHT_MODULUS."""
    ledger: Ledger
    """The last row's."""
    created: int
    inserts: list[tuple[int, bytes]] = field(default_factory=list)
    """(number, row), in the order of their ledgers."""

    def __post_init__(self) -> None:
        """Open the next commit's ledger."""
        self.ledger = replace(self.ledger, commit=self.ledger.commit + 1, created=self.created)

    def forget(self, sequence: int) -> None:
        """Take a row out of the sums."""
        self.total = (self.total - self.weights.pop(sequence, 0)) % WEIGHT_MODULUS

    def add(self, entry: Entry, data: bytes, data_crc: int) -> None:
        """Pack one row to be inserted."""
        self.inserts.append((entry.sequence, self.row(entry, data, data_crc)))

    def row(self, entry: Entry, data: bytes, data_crc: int) -> bytes:
        """Return one row's bytes and count it in."""
        old = self.ledger
        self.ledger = Ledger(
            old.commit, entry.sequence, len(self.weights), self.total, self.created, old.boots
        )
        record, weight = pack_row(entry, data, data_crc, self.ledger)
        self.weights[entry.sequence] = weight
        self.total = (self.total + weight) % WEIGHT_MODULUS
        return record
