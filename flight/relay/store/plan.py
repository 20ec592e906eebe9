"""One transaction, worked out before anything is written.

The catalogue is changed while planning; if the transaction then fails, the medium loads itself
anew, so that the catalogue always says what is on the medium.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import Catalogue
from flight.relay.store.records import TOMBSTONE_ITEMS, pack_tombstone
from flight.relay.store.values import (
    UNSOLICITED,
    Buried,
    Delete,
    Deleted,
    Duplicate,
    Entry,
    Extent,
    Kind,
    Put,
    Reason,
    Refused,
    Result,
    Stored,
)


@dataclass(slots=True)
class Plan:
    """The rows that one transaction writes, takes away and puts in place of others."""

    catalogue: Catalogue
    settings: StoreSettings
    allocate: Callable[[int], Extent | None]
    """Returns a place for a blob, or None: it goes into its row."""
    sequence: int
    """The last one given out."""
    created: int
    inserts: dict[int, tuple[Entry, bytes]] = field(default_factory=dict)
    updates: dict[int, Entry] = field(default_factory=dict)
    deletes: set[int] = field(default_factory=set)
    freed: list[Extent] = field(default_factory=list)
    evicted: int = 0
    uncounted: int = 0

    def put(self, ticket: int, put: Put) -> list[Result]:
        """Plan for one bundle to be kept, and for others to go if there is no room."""
        known = self.catalogue.identities.get(put.identity)
        if known is not None:
            # Our own come twice only when a transaction is repeated that had gone well after all.
            entry = self.catalogue.entries[known]
            return [Duplicate(ticket) if put.received else Stored(ticket, entry)]
        victims = self.catalogue.victims(
            len(put.data), priority=put.priority, received=put.received
        )
        if victims is None:
            return [Refused(ticket)]
        results: list[Result] = list(self.bury(victims, Reason.EVICTED)) if victims else []
        self.evicted += len(victims)
        for sequence in put.clears:
            self._drop(sequence)
        length = len(put.data)
        entry = Entry(
            self._next(),
            Kind.BUNDLE,
            put.received,
            put.priority,
            put.identity,
            put.label,
            length,
            put.expires_dtn_ms,
            put.left_ms,
            self.allocate(length) if length >= self.settings.blob_bytes else None,
        )
        self._insert(entry, put.data)
        self.created = max(self.created, put.created)
        results.append(Stored(ticket, entry))
        return results

    def adopt(self, entry: Entry, data: bytes) -> list[Buried]:
        """Plan for an entry from elsewhere to be kept under its number, or to be buried."""
        if entry.kind == Kind.BUNDLE:
            victims = self.catalogue.victims(
                len(data), priority=entry.priority, received=entry.received
            )
            if victims is None:
                tombstone = self._tombstone(Reason.EVICTED, (entry,))
                self.evicted += 1
                return [Buried(UNSOLICITED, (entry.sequence,), Reason.EVICTED, tombstone)]
            self.evicted += len(victims)
            buried = self.bury(victims, Reason.EVICTED) if victims else []
        else:
            buried = []
        is_blob = len(data) >= self.settings.blob_bytes
        self._insert(entry._replace(extent=self.allocate(len(data)) if is_blob else None), data)
        return buried

    def delete(self, ticket: int, delete: Delete) -> list[Result]:
        """Plan for entries to go; those that have gone already are passed over."""
        results: list[Result] = []
        if delete.reason == Reason.DONE:
            for sequence in delete.sequences:
                self._drop(sequence)
        else:
            found = (self.catalogue.entries.get(sequence) for sequence in delete.sequences)
            present = [e for e in found if e is not None and e.kind == Kind.BUNDLE]
            results.extend(self.bury(present, delete.reason))
        results.append(Deleted(ticket))
        return results

    def bury(self, entries: list[Entry], reason: Reason) -> list[Buried]:
        """Plan for bundles to go, and for tombstones that name them."""
        results = []
        for at in range(0, len(entries), TOMBSTONE_ITEMS):
            group = tuple(entries[at : at + TOMBSTONE_ITEMS])
            for entry in group:
                # A damaged bundle's identity is forgotten: its peer may still have a sound copy.
                self._drop(entry.sequence, keep_identity=reason != Reason.CORRUPT)
            tombstone = self._tombstone(reason, group)
            numbers = tuple(entry.sequence for entry in group)
            results.append(Buried(UNSOLICITED, numbers, reason, tombstone))
        return results

    def forget(self, entries: list[Entry]) -> None:
        """Plan for entries to go without a trace."""
        for entry in entries:
            self._drop(entry.sequence, keep_identity=False)

    def finish(self) -> bool:
        """Make sure that the last row carries the ledger; False: there is nothing to write."""
        if not (self.inserts or self.updates or self.deletes):
            return False
        for sequence in self.catalogue.numbers(Kind.LEDGER):
            if sequence not in self.inserts:
                self._drop(sequence)
        if not self.inserts:
            self.stamp()
        return True

    def stamp(self) -> None:
        """Plan a row that brings nothing but the ledger."""
        self._insert(Entry(self._next(), Kind.LEDGER), b"")

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    def _insert(self, entry: Entry, data: bytes) -> None:
        self.inserts[entry.sequence] = (entry, data)
        self.catalogue.add(entry)

    def _tombstone(self, reason: Reason, group: tuple[Entry, ...]) -> Entry | None:
        if self.catalogue.count(Kind.TOMBSTONE) >= self.settings.tombstone_limit:
            self.uncounted += len(group)
            return None
        data = pack_tombstone(reason, group)
        entry = Entry(self._next(), Kind.TOMBSTONE, length=len(data))
        self._insert(entry, data)
        return entry

    def _drop(self, sequence: int, *, keep_identity: bool = True) -> None:
        entry = self.catalogue.entries.get(sequence)
        if entry is None:
            return
        if entry.extent is not None:
            self.freed.append(entry.extent)
        if entry.kind == Kind.BUNDLE and entry.received and keep_identity:
            self._keep_identity(entry)
            return
        self.catalogue.remove(entry)
        self._erase(sequence)

    def _keep_identity(self, entry: Entry) -> None:
        stub = Entry(entry.sequence, Kind.SEEN, True, entry.priority, entry.identity)
        self.catalogue.replace(stub)
        if entry.sequence in self.inserts:
            self.inserts[entry.sequence] = (stub, b"")
        else:
            self.updates[entry.sequence] = stub
        if self.catalogue.count(Kind.SEEN) > self.settings.seen_limit:
            oldest = self.catalogue.oldest(Kind.SEEN)
            self.catalogue.remove(oldest)
            self._erase(oldest.sequence)

    def _erase(self, sequence: int) -> None:
        self.updates.pop(sequence, None)
        if self.inserts.pop(sequence, None) is None:
            self.deletes.add(sequence)
