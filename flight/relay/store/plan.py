"""One transaction, worked out before anything is written.

The catalogue is changed while planning; if the transaction then fails, the medium loads itself
anew, so that the catalogue always says what is on the medium.
"""

from dataclasses import dataclass, field

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import BUNDLE, Catalogue
from flight.relay.store.records import TOMBSTONE_ITEMS, pack_tombstone
from flight.relay.store.values import (
    UNSOLICITED,
    Buried,
    Delete,
    Deleted,
    Duplicate,
    Entry,
    Kind,
    Put,
    Reason,
    Refused,
    Result,
    Stored,
    stub_of,
)


@dataclass(slots=True)
class Plan:
    """What one transaction brings, and what goes with it."""

    catalogue: Catalogue
    settings: StoreSettings
    sequence: int
    """The last one given out."""
    created: int
    inserts: dict[int, tuple[Entry, bytes]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    """Numbers that leave nothing."""
    seen: set[int] = field(default_factory=set)
    """Numbers that leave their identity."""
    untold: set[int] = field(default_factory=set)
    """Numbers given out by a try that failed after it was durable: nobody knows of them yet."""
    results: list[Result] = field(default_factory=list)
    """Of what was put and deleted, in order."""
    evicted: int = 0
    uncounted: int = 0

    def put(self, ticket: int, put: Put) -> None:
        """Plan for one bundle to be kept, and for others to go if there is no room."""
        data, identity, label, priority, expires_dtn_ms, left_ms, received, created, clears = put
        catalogue = self.catalogue
        known = catalogue.identities.get(identity)
        if known is not None:
            # Our own come twice only when a transaction is repeated that had gone well after all.
            is_stored = not received or known in self.untold
            self.untold.discard(known)
            entry = catalogue.entries[known]
            self.results.append(Stored(ticket, entry) if is_stored else Duplicate(ticket))
            return
        length = len(data)
        victims = catalogue.victims(length, priority=priority, received=received)
        if victims is None:
            self.results.append(Refused(ticket))
            return
        if victims:
            self.results += self.bury(victims, Reason.EVICTED)
            self.evicted += len(victims)
        for number in clears:
            self._drop(number)
        self.sequence = sequence = self.sequence + 1
        entry = Entry(
            sequence,
            BUNDLE,
            received,
            priority,
            identity,
            label,
            length,
            expires_dtn_ms,
            left_ms,
        )
        self.inserts[sequence] = (entry, data)
        catalogue.add(entry)
        self.created = max(self.created, created)
        self.results.append(Stored(ticket, entry))

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
        self._insert(entry, data)
        return buried

    def delete(self, ticket: int, delete: Delete) -> None:
        """Plan for entries to go; those that have gone already are passed over."""
        if delete.reason == Reason.DONE:
            for sequence in delete.sequences:
                self._drop(sequence)
        else:
            found = (self.catalogue.entries.get(sequence) for sequence in delete.sequences)
            present = [e for e in found if e is not None and e.kind == Kind.BUNDLE]
            self.results += self.bury(present, delete.reason)
        self.results.append(Deleted(ticket))

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

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.inserts or self.gone or self.seen)

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
        if entry.kind == Kind.BUNDLE and entry.received and keep_identity:
            self._keep_identity(entry)
            return
        self.catalogue.remove(entry)
        self._erase(sequence)

    def _keep_identity(self, entry: Entry) -> None:
        stub = stub_of(entry)
        self.catalogue.replace(stub)
        if entry.sequence in self.inserts:
            self.inserts[entry.sequence] = (stub, b"")
        else:
            self.seen.add(entry.sequence)
        if self.catalogue.count(Kind.SEEN) > self.settings.seen_limit:
            oldest = self.catalogue.oldest(Kind.SEEN)
            self.catalogue.remove(oldest)
            self._erase(oldest.sequence)

    def _erase(self, sequence: int) -> None:
        self.seen.discard(sequence)
        if self.inserts.pop(sequence, None) is None:
            self.gone.add(sequence)
