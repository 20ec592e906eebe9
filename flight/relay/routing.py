"""Which way a bundle goes: the path of contacts on which it arrives first (CCSDS 734.3).

A bundle may wait at any node, and arriving earlier there never hurts. So one earliest arrival a
node is enough, and Dijkstra's algorithm over arrival times finds the best route:

    ready at node  ->  contact open, and what was promised before sent  ->  last byte sent
                   ->  light time  ->  ready at the next node

What has been promised to a contact delays the bundles of its priority and below, none above: a
contact that is full of them is passed over, and the next one or another way is taken.
"""

from bisect import bisect_right
from dataclasses import dataclass
from heapq import heappop, heappush

from flight.instant import Instant
from flight.relay.bundle import Reason
from flight.relay.contacts import Contact, ContactPlan

PRIORITIES = 4
"""0 goes first."""

CONTACTS_TRIED = 64
"""Contacts between two nodes that may be found full before that way counts as having no room: it
bounds the work for one bundle, however long the plan."""


@dataclass(frozen=True, slots=True)
class Route:
    """The contacts that a bundle takes, in order, and when its last byte arrives."""

    contacts: tuple[Contact, ...]
    arrival_ms: int
    """DTN time; 0 where the clock is unknown."""

    @property
    def next_node(self) -> int:
        """The neighbour to send to."""
        return self.contacts[0].to_node


class Router:
    """Finds routes from one node, and remembers what it has promised to each contact."""

    def __init__(self, plan: ContactPlan, *, node: int) -> None:
        self.node = node
        self._plan = plan
        self._busy_until_ms: dict[Contact, list[int]] = {}

    @property
    def plan(self) -> ContactPlan:
        """The contact plan in force."""
        return self._plan

    def replace_plan(self, plan: ContactPlan) -> None:
        """Take a changed plan; all promises are void, and what waits needs a new route."""
        self._plan = plan
        self.forget_promises()

    def find_route(
        self,
        destination: int,
        *,
        size_bytes: int,
        priority: int,
        deadline_ms: int,
        now: Instant,
        exclude: frozenset[int] = frozenset(),
        first: frozenset[int] | None = None,
    ) -> Route | Reason:
        """Return the route of earliest arrival, or why there is none (CCSDS 734.3 section 2).

        ``deadline_ms`` is the DTN time at which the bundle expires. Nodes in ``exclude`` (the one
        that it came from) are not passed, and the next node is one of ``first`` where that is
        given. Where the clock is unknown, contacts count as open and the fewest hops win.
        """
        arrivals: dict[int, int] = {}
        steps: list[tuple[int, int, int, tuple[Contact, ...]]] = [(now.dtn_ms, 0, self.node, ())]
        late = False
        while steps:
            ready_ms, hops, node, contacts = heappop(steps)
            if node in arrivals:
                continue
            arrivals[node] = ready_ms
            if node == destination:
                return Route(contacts, ready_ms)
            for onward in self._plan.contacts_from(node):
                neighbour = onward[0].to_node
                if neighbour in arrivals or neighbour in exclude:
                    continue
                if not contacts and first is not None and neighbour not in first:
                    continue
                if not now.dtn_ms:
                    heappush(steps, (0, hops + 1, neighbour, (*contacts, onward[0])))
                    continue
                found = self._first_fit(onward, ready_ms, size_bytes, priority)
                if found is None or found[1] > deadline_ms:
                    late = True
                    continue
                contact, arrival_ms = found
                heappush(steps, (arrival_ms, hops + 1, neighbour, (*contacts, contact)))
        return Reason.NO_TIMELY_CONTACT if late else Reason.NO_KNOWN_ROUTE

    def promise(self, route: Route, *, size_bytes: int, priority: int, now: Instant) -> None:
        """Reserve room for the bundle in every contact of its route."""
        if not now.dtn_ms:
            return
        ready_ms = now.dtn_ms
        for contact in route.contacts:
            arrival_ms = self._arrival_ms(contact, ready_ms, size_bytes, priority)
            self.reserve(contact, size_bytes=size_bytes, priority=priority, ready_ms=ready_ms)
            if arrival_ms is None:
                return
            ready_ms = arrival_ms

    def reserve(self, contact: Contact, *, size_bytes: int, priority: int, ready_ms: int) -> None:
        """Let a contact be busy with some bytes, from when they are ready at the earliest."""
        busy = self._busy_until_ms.setdefault(contact, [contact.start_ms] * PRIORITIES)
        for level in range(priority, PRIORITIES):
            busy[level] = max(busy[level], ready_ms) + _sending_ms(contact, size_bytes)

    def forget_promises(self) -> None:
        """Take every contact as free again; what waits is to be promised anew."""
        self._busy_until_ms.clear()

    def _first_fit(
        self, contacts: tuple[Contact, ...], ready_ms: int, size_bytes: int, priority: int
    ) -> tuple[Contact, int] | None:
        """Return the first contact with room for the bundle, and when its last byte arrives."""
        start = bisect_right(contacts, ready_ms, key=_end_ms)
        for index in range(start, min(start + CONTACTS_TRIED, len(contacts))):
            arrival_ms = self._arrival_ms(contacts[index], ready_ms, size_bytes, priority)
            if arrival_ms is not None:
                return contacts[index], arrival_ms
        return None

    def _arrival_ms(
        self, contact: Contact, ready_ms: int, size_bytes: int, priority: int
    ) -> int | None:
        """Return when the last byte arrives over a contact, or None when it has no room."""
        if not contact.rate_bytes_s:
            return None
        busy = self._busy_until_ms.get(contact)
        start_ms = max(ready_ms, busy[priority] if busy else contact.start_ms)
        sent_ms = start_ms + _sending_ms(contact, size_bytes)
        if sent_ms > contact.end_ms:
            return None
        light = self._plan.one_way_ms(contact.from_node, contact.to_node, Instant(0, start_ms))
        return sent_ms + light


def _end_ms(contact: Contact) -> int:
    return contact.end_ms


def _sending_ms(contact: Contact, size_bytes: int) -> int:
    return -(-size_bytes * 1000 // contact.rate_bytes_s)
