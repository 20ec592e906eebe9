"""When which link exists: contacts and ranges, as values (CCSDS 734.2 section 2; ION's plan).

A contact says that one node can send to another from a start to an end, and how fast. A range
says how long light takes between two nodes. Times are DTN time in milliseconds.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from flight.instant import Instant

MAX_ENTRIES = 20_000
"""Most contacts, and most ranges, in one plan."""


class Contact(NamedTuple):
    """An interval in which one node can send to another."""

    from_node: int
    to_node: int
    start_ms: int
    end_ms: int
    rate_bytes_s: int
    confidence: float = 1.0
    """How likely it is, 0 to 1; carried for peers, not used here."""


class Range(NamedTuple):
    """How long light takes from one node to another in an interval."""

    from_node: int
    to_node: int
    start_ms: int
    end_ms: int
    one_way_ms: int


EntryT = TypeVar("EntryT", Contact, Range)

Pair = tuple[int, int]
"""(from node, to node)."""


@dataclass(frozen=True, slots=True)
class ContactPlan:
    """All contacts and ranges known, in order of their start."""

    contacts: tuple[Contact, ...] = ()
    ranges: tuple[Range, ...] = ()
    _contacts_of: dict[Pair, tuple[Contact, ...]] = field(init=False, compare=False, repr=False)
    _contacts_from: dict[int, tuple[tuple[Contact, ...], ...]] = field(
        init=False, compare=False, repr=False
    )
    _ranges_of: dict[Pair, tuple[Range, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Put the entries in order and check them.

        Raises:
            ValueError: an entry ends before it starts, or overlaps another of its nodes.
        """
        if any(contact.rate_bytes_s < 0 for contact in self.contacts):
            raise ValueError("a contact's rate is below 0")
        if not all(0 <= contact.confidence <= 1 for contact in self.contacts):
            raise ValueError("a contact's confidence is from 0 to 1")
        if any(entry.one_way_ms < 0 for entry in self.ranges):
            raise ValueError("a range's light time is below 0")
        object.__setattr__(self, "contacts", tuple(sorted(self.contacts, key=_start_ms)))
        object.__setattr__(self, "ranges", tuple(sorted(self.ranges, key=_start_ms)))
        by_pair = _by_pair(self.contacts)
        by_node: dict[int, tuple[tuple[Contact, ...], ...]] = {}
        for (from_node, _), contacts in by_pair.items():
            by_node[from_node] = (*by_node.get(from_node, ()), contacts)
        object.__setattr__(self, "_contacts_of", by_pair)
        object.__setattr__(self, "_contacts_from", by_node)
        object.__setattr__(self, "_ranges_of", _by_pair(self.ranges))

    def open_contacts(self, now: Instant) -> tuple[Contact, ...]:
        """Return the contacts that exist now; none when the clock is unknown."""
        open_now = (self.next_contact(*pair, now) for pair in self._contacts_of)
        return tuple(c for c in open_now if c is not None and c.start_ms <= now.dtn_ms)

    def next_contact(self, from_node: int, to_node: int, now: Instant) -> Contact | None:
        """Return the contact that exists now or, failing that, the next; None: no more.

        None as well when the clock is unknown.
        """
        if not now.dtn_ms:
            return None
        contacts = self.contacts_between(from_node, to_node)
        index = bisect_right(contacts, now.dtn_ms, key=_end_ms)
        return contacts[index] if index < len(contacts) else None

    def contacts_between(self, from_node: int, to_node: int) -> tuple[Contact, ...]:
        """Return the contacts of a pair of nodes, in order."""
        return self._contacts_of.get((from_node, to_node), ())

    def hops_to(self, node: int) -> dict[int, int]:
        """Return how many contacts lie between each node and this one at least, whenever they are.

        Nodes without a way to it are left out.
        """
        hops, reached = {node: 0}, [node]
        while reached:
            nearer = set(reached)
            reached = list(
                {one for one, other in self._contacts_of if other in nearer and one not in hops}
            )
            hops.update(dict.fromkeys(reached, hops[next(iter(nearer))] + 1))
        return hops

    def reached_from(self, node: int) -> frozenset[int]:
        """Return the nodes that contacts lead to from one, itself among them, whenever they are."""
        reached, latest = {node}, [node]
        while latest:
            onward = (pair[0].to_node for at in latest for pair in self.contacts_from(at))
            latest = list(set(onward) - reached)
            reached.update(latest)
        return frozenset(reached)

    def contacts_from(self, node: int) -> tuple[tuple[Contact, ...], ...]:
        """Return what a node can send on: the contacts to each neighbour, in order."""
        return self._contacts_from.get(node, ())

    def one_way_ms(self, from_node: int, to_node: int, now: Instant) -> int:
        """Return the light time between two nodes; the longest one where the time is unknown.

        As in ION, a range counts for both directions unless the other has its own. Without any
        range for now it is 0.
        """
        for pair in ((from_node, to_node), (to_node, from_node)):
            ranges = self._ranges_of.get(pair, ())
            if not now.dtn_ms and ranges:
                return max(entry.one_way_ms for entry in ranges)
            index = bisect_right(ranges, now.dtn_ms, key=_end_ms)
            if index < len(ranges) and ranges[index].start_ms <= now.dtn_ms:
                return ranges[index].one_way_ms
        return 0

    def changed(
        self, *, remove: Iterable[Contact] = (), add: Iterable[Contact] = ()
    ) -> "ContactPlan":
        """Return the plan with some contacts taken out and others put in.

        Raises:
            ValueError: the new contacts overlap others of their nodes.
        """
        gone = set(remove)
        kept = tuple(contact for contact in self.contacts if contact not in gone)
        return ContactPlan((*kept, *add), self.ranges)


def _by_pair(entries: tuple[EntryT, ...]) -> dict[Pair, tuple[EntryT, ...]]:
    """Return the entries of each pair of nodes, checked; they come in order of their start."""
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"a contact plan has at most {MAX_ENTRIES} contacts and ranges")
    by_pair: dict[Pair, list[EntryT]] = {}
    for entry in entries:
        if entry.end_ms <= entry.start_ms or entry.from_node < 0 or entry.to_node < 0:
            raise ValueError(f"ends before it starts, or has no such node: {entry}")
        pair = by_pair.setdefault((entry.from_node, entry.to_node), [])
        if pair and pair[-1].end_ms > entry.start_ms:
            raise ValueError(f"overlaps another of its nodes: {entry}")
        pair.append(entry)
    return {key: tuple(pair) for key, pair in by_pair.items()}


def _start_ms(entry: Contact | Range) -> int:
    return entry.start_ms


def _end_ms(entry: Contact | Range) -> int:
    return entry.end_ms
