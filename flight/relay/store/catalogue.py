"""What is in the store, by number, by identity and by class; and who has to go when it is full."""

from collections.abc import Iterator
from heapq import merge

from flight.relay.settings import StoreSettings
from flight.relay.store.values import Entry, Kind

ENTRY_BYTES = 256
"""What an entry counts besides its data: twice its line in a head, its share of a page."""

PRIORITIES = 4

BUNDLE, SEEN = Kind.BUNDLE, Kind.SEEN


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
        sequence, kind, received, priority, identity, _, length, _, _ = entry
        self.entries[sequence] = entry
        if identity:
            self.identities[identity] = sequence
        if kind == BUNDLE:
            self._classes[received, priority][sequence] = None
        else:
            self._others[kind][sequence] = None
        if kind != SEEN:
            self.used_bytes += length + ENTRY_BYTES
            if received:
                self.received_bytes += length + ENTRY_BYTES

    def remove(self, entry: Entry) -> None:
        """Forget an entry, its identity too."""
        sequence, kind, received, priority, identity, _, length, _, _ = entry
        del self.entries[sequence]
        self.identities.pop(identity, None)
        if kind == BUNDLE:
            del self._classes[received, priority][sequence]
        else:
            del self._others[kind][sequence]
        if kind != SEEN:
            self.used_bytes -= length + ENTRY_BYTES
            if received:
                self.received_bytes -= length + ENTRY_BYTES

    def replace(self, entry: Entry) -> None:
        """Put another entry of the same number and identity in place: a bundle's stub."""
        self.remove(self.entries[entry.sequence])
        self.add(entry)

    def count(self, kind: Kind) -> int:
        """Return how many entries of a kind there are."""
        if kind == Kind.BUNDLE:
            return sum(len(members) for members in self._classes.values())
        return len(self._others[kind])

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
        if received:
            over = max(over, self.received_bytes + cost - self._settings.received_quota_bytes)
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


def _cost(entry: Entry) -> int:
    return entry.length + ENTRY_BYTES
