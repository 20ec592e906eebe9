"""Which link a bundle waits for.

Where one link alone leads to a destination there is nothing to choose, and nothing is counted.
Where several do, each bundle is given the link on which it arrives first (CCSDS 734.3), and its
bytes are promised to the contacts of its route: the bundles after it find them that much fuller.
All is decided anew when a contact opens, closes or changes, in order of priority and age.

Nodes do not know each other's promises, so two could send a bundle to and fro, and whoever meets
it again takes it for a duplicate. Hence a bundle never goes back to the neighbour that it came
from, and one from elsewhere is only given to neighbours that are fewer contacts from its
destination than this node is: each such hop is a step down, and steps down make no circle.
"""

from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.node.queues import NOWHERE, UNDECIDED, Held, Queues, Way
from flight.relay.node.span import Span
from flight.relay.routing import Route, Router

DECISIONS_AT_ONCE = 64
"""Bundles given a link in one turn, so that a new plan stops nothing; the next turn goes on."""

OVERHEAD_SHARE = 32
LEAST_OVERHEAD_BYTES = 100
"""Reckoned for the layers below the bundle: one byte in so many, and no less than this."""

_ANY_TIME_MS = 1 << 62


@dataclass(slots=True)
class Chooser:
    """Gives bundles their links; what is waiting is in the queues."""

    queues: Queues
    spans: list[Span]
    router: Router
    is_behind: bool = False
    """Bundles wait for a decision that the next turn makes."""
    _routes: dict[int, tuple[int | None, int]] = field(default_factory=dict)
    _has_choice: dict[int, bool] = field(default_factory=dict)
    _nearer: dict[int, frozenset[int]] = field(default_factory=dict)
    _reached: frozenset[int] | None = None

    def leads_to(self, node: int) -> bool:
        """Whether contacts of the plan lead to a node, now or at any time."""
        if self._reached is None:
            self._reached = self.router.plan.reached_from(self.router.node)
        return node in self._reached

    def forget(self, now: Instant) -> None:
        """Decide anew: the plan, a contact or the time has changed."""
        self._routes.clear()
        self._has_choice.clear()
        self._nearer.clear()
        self._reached = None
        self.router.forget_promises()
        self.queues.undecide()
        for span in self.spans:
            self._reserve(span, now)

    def tidy(self) -> None:
        """Forget destinations for which nothing waits."""
        nodes = {way.node for way in self.queues.ways()}
        for known in (self._routes, self._has_choice, self._nearer):
            for node in known.keys() - nodes:
                del known[node]

    def decide(self, now: Instant) -> None:
        """Give links to bundles that have none, the most urgent first."""
        self.is_behind = False
        if not self._counts_volume(now):
            return
        undecided = tuple(way for way in self.queues.ways() if way.link == UNDECIDED)
        for _ in range(DECISIONS_AT_ONCE):
            held = self.queues.first(undecided)
            if held is None:
                return
            self.queues.assign(held, self._choose(held, now))
        self.is_behind = any(span.is_open for span in self.spans)

    def ways_over(self, link: int, now: Instant) -> tuple[Way, ...]:
        """Return the ways of the bundles that wait for a link."""
        ways = self.queues.ways()
        if self._counts_volume(now):
            return tuple(way for way in ways if way.link == link)
        return tuple(way for way in ways if self._link_to(way.node, now) == link)

    def _counts_volume(self, now: Instant) -> bool:
        """Whether a destination for which bundles wait can be reached over several links."""
        if len(self.spans) < 2 or not now.dtn_ms:
            return False
        return any(self._is_choice(way.node, now) for way in self.queues.ways())

    def _is_choice(self, node: int, now: Instant) -> bool:
        found = self._has_choice.get(node)
        if found is None:
            peers = {span.settings.peer_node for span in self.spans}
            routes = (self._find(node, now, first=frozenset({peer})) for peer in peers)
            found = self._has_choice[node] = sum(route is not None for route in routes) > 1
        return found

    def _choose(self, held: Held, now: Instant) -> int:
        """Return the link on which a bundle arrives first, and promise its room."""
        entry, node = held.entry, held.label.destination.node
        came_from = held.label.came_from
        exclude = frozenset(() if came_from is None else (came_from,))
        first = None if came_from is None else self._peers_nearer_to(node)
        left_ms = entry.left_ms - (now.mono_ns - held.since.mono_ns) // 1_000_000
        size_bytes = _on_the_line(entry.length)
        found = self.router.find_route(
            node,
            size_bytes=size_bytes,
            priority=entry.priority,
            deadline_ms=entry.expires_dtn_ms or now.dtn_ms + left_ms,
            now=now,
            exclude=exclude,
            first=first,
        )
        if isinstance(found, Route):
            self.router.promise(found, size_bytes=size_bytes, priority=entry.priority, now=now)
            route: Route | None = found
        else:
            # All is full, or too late by the plan: it goes last on the way that is open to it.
            route = self._find(node, now, exclude=exclude)
        link = None if route is None else self._link_of(route)
        return NOWHERE if link is None else link

    def _peers_nearer_to(self, node: int) -> frozenset[int]:
        found = self._nearer.get(node)
        if found is None:
            hops = self.router.plan.hops_to(node)
            ours = hops.get(self.router.node, 0)
            peers = (span.settings.peer_node for span in self.spans)
            found = frozenset(peer for peer in peers if hops.get(peer, ours) < ours)
            self._nearer[node] = found
        return found

    def _link_to(self, node: int, now: Instant) -> int | None:
        """Return the link on the way to a node; None: the plan has no way."""
        link, valid_ms = self._routes.get(node, (None, -1))
        if valid_ms < now.dtn_ms or node not in self._routes:
            route = self._find(node, now)
            link, valid_ms = None, _ANY_TIME_MS
            if route is not None:
                link = self._link_of(route)
                ends_ms = min(contact.end_ms for contact in route.contacts)
                valid_ms = ends_ms - 1 if now.dtn_ms else 0
            self._routes[node] = (link, valid_ms)
        return link

    def _find(
        self,
        node: int,
        now: Instant,
        *,
        exclude: frozenset[int] = frozenset(),
        first: frozenset[int] | None = None,
    ) -> Route | None:
        """Return the route of earliest arrival for a bundle without size and hurry."""
        route = self.router.find_route(
            node,
            size_bytes=0,
            priority=0,
            deadline_ms=_ANY_TIME_MS,
            now=now,
            exclude=exclude,
            first=first,
        )
        return route if isinstance(route, Route) and route.contacts else None

    def _link_of(self, route: Route) -> int | None:
        peers = [span.settings.peer_node for span in self.spans]
        return peers.index(route.next_node) if route.next_node in peers else None

    def _reserve(self, span: Span, now: Instant) -> None:
        """Count what is under way on a link as promised to its contact."""
        contact = self.router.plan.next_contact(self.router.node, span.settings.peer_node, now)
        if contact is None or not contact.rate_bytes_s or len(self.spans) < 2:
            return
        for numbers in span.blocks.values():
            for entry in (self.queues.held[n].entry for n in numbers if n in self.queues.held):
                self.router.reserve(
                    contact,
                    size_bytes=_on_the_line(entry.length),
                    priority=entry.priority,
                    ready_ms=now.dtn_ms,
                )


def _on_the_line(length: int) -> int:
    return length + max(length // OVERHEAD_SHARE, LEAST_OVERHEAD_BYTES)
