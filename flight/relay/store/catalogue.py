"""What is in the store, by number, by identity and by class; and who has to go when it is full."""

from collections.abc import Iterator
from heapq import merge

from flight.relay.settings import StoreSettings
from flight.relay.store.values import Entry, Kind

ENTRY_BYTES = 256
"""What an entry counts besides its data: a row's header, its share of a page, our memory."""

PRIORITIES = 4


class Catalogue:
    """Entries in the order of their numbers, and the sums that the quota needs."""

    def __init__(self, settings: StoreSettings) -> None:
        """Begin empty."""
        self._settings = settings
        self.quota_bytes = settings.quota_bytes
        self.entries: dict[int, Entry] = {}
        self.identities: dict[bytes, int] = {}
        """Numbers of bundles, and of received ones that have gone, by identity."""
        self.used_bytes = 0
        self.received_bytes = 0
        self._classes: dict[tuple[bool, int], dict[int, None]] = {
            (received, priority): {} for received in (False, True) for priority in range(PRIORITIES)
        }
        self._others: dict[Kind, dict[int, None]] = {kind: {} for kind in Kind}

    def add(self, entry: Entry) -> None:
        """Take in an entry of a higher number than all before."""
        self.entries[entry.sequence] = entry
        if entry.identity:
            self.identities[entry.identity] = entry.sequence
        self._file(entry)

    def remove(self, entry: Entry) -> None:
        """Forget an entry, its identity too."""
        del self.entries[entry.sequence]
        self.identities.pop(entry.identity, None)
        self._unfile(entry)

    def replace(self, entry: Entry) -> None:
        """Put another entry of the same number and identity in place: a bundle's stub."""
        self._unfile(self.entries[entry.sequence])
        self.entries[entry.sequence] = entry
        self._file(entry)

    def count(self, kind: Kind) -> int:
        """Return how many entries of a kind there are."""
        if kind == Kind.BUNDLE:
            return sum(len(members) for members in self._classes.values())
        return len(self._others[kind])

    def numbers(self, kind: Kind) -> tuple[int, ...]:
        """Return the numbers of all entries of a kind that is not BUNDLE, oldest first."""
        return tuple(self._others[kind])

    def oldest(self, kind: Kind) -> Entry:
        """Return the oldest entry of a kind that is not BUNDLE."""
        return self.entries[next(iter(self._others[kind]))]

    def victims(self, length: int, *, priority: int, received: bool) -> list[Entry] | None:
        """Return who must go to make room for a bundle of ``length``, or None: it may not enter.

        The lowest class goes first, its oldest first. A bundle of ours displaces all of lower
        priority and the older ones of its own. A received one displaces only received ones of
        lower priority: for the rest its peer keeps it, since it is not accepted.
        """
        cost = length + ENTRY_BYTES
        over = self.used_bytes + cost - self.quota_bytes
        crowd = len(self.entries) + 1 - self._settings.max_entries
        over_received = self.received_bytes + cost - self._settings.received_quota_bytes
        if received:
            over = max(over, over_received)
        if over <= 0 and crowd <= 0:
            return []
        chosen: list[Entry] = []
        candidates = self._by_worth(priority, received=received)
        while over > 0 or crowd > 0:
            victim = next(candidates, None)
            if victim is None:
                return None
            chosen.append(victim)
            over -= _cost(victim)
            crowd -= 1
        return chosen

    def _by_worth(self, priority: int, *, received: bool) -> Iterator[Entry]:
        lowest = priority + 1 if received else priority
        origins = (True,) if received else (False, True)
        for level in range(PRIORITIES - 1, lowest - 1, -1):
            members = merge(*(self._classes[origin, level] for origin in origins))
            yield from (self.entries[number] for number in members)

    def _file(self, entry: Entry) -> None:
        if entry.kind == Kind.BUNDLE:
            self._classes[entry.received, entry.priority][entry.sequence] = None
        else:
            self._others[entry.kind][entry.sequence] = None
        self._count(entry, 1)

    def _unfile(self, entry: Entry) -> None:
        if entry.kind == Kind.BUNDLE:
            del self._classes[entry.received, entry.priority][entry.sequence]
        else:
            del self._others[entry.kind][entry.sequence]
        self._count(entry, -1)

    def _count(self, entry: Entry, sign: int) -> None:
        if entry.kind in {Kind.BUNDLE, Kind.TOMBSTONE}:
            self.used_bytes += sign * _cost(entry)
            if entry.received:
                self.received_bytes += sign * _cost(entry)


def _cost(entry: Entry) -> int:
    return entry.length + ENTRY_BYTES
