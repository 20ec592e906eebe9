"""The node's side of the store: what it asked for and why, and the bytes it has at hand."""

from collections import deque
from typing import NamedTuple, TypeAlias

from flight.instant import Instant
from flight.relay.bundle import Bundle, BundleId, remaining_ms
from flight.relay.bundle.forward import MAX_LIFETIME_MS
from flight.relay.node.labels import Label, encode_label, identity_of, label_from
from flight.relay.node.names import placed
from flight.relay.settings import NodeSettings
from flight.relay.store import Store
from flight.relay.store.values import Delete, Fetch, Fetched, Missing, Put, Reason, Result, Scrub


class Wish(NamedTuple):
    """Why a bundle was put: what to do once it is durable."""

    bundle: Bundle
    data: bytes
    since: Instant
    ticket: int = 0
    """Of the node's caller, for bundles that it sent; 0: nobody waits for it."""
    block: int = 0
    """The received block that it came in; 0: made here."""
    came_from: int | None = None
    """Node number of the neighbour that sent the block."""
    is_counted: bool = True
    """Whether its sequence number comes from the node's own count."""


class Asked(NamedTuple):
    """A wish that is on its way to the store, and what was worked out for it."""

    wish: Wish
    bundle_id: BundleId
    label: Label


Kept: TypeAlias = bytes | Bundle
"""A bundle at hand: as its bytes, or read already."""


class Keeper:
    """Submits operations and remembers the wish behind each; holds a bounded cache of bytes."""

    def __init__(self, store: Store, settings: NodeSettings) -> None:
        """Use a store; nothing else may take its results."""
        self.store = store
        self._settings = settings
        self._cache_bytes = settings.cache_bytes
        self._fetch_limit = settings.fetch_limit
        self._cache: dict[int, Kept] = {}
        self._cached = 0
        self._asked: dict[int, Asked] = {}
        self._fetching: set[int] = set()
        self._owed: deque[Delete] = deque()
        self._finished: list[int] = []

    def put(self, wish: Wish, *, priority: int, now: Instant, clears: tuple[int, ...] = ()) -> bool:
        """Ask for a bundle to be kept; False: too much is waiting already."""
        bundle = wish.bundle
        primary = bundle.primary
        lifetime_ms = min(primary.lifetime_ms, MAX_LIFETIME_MS)
        is_ours = not wish.block
        destination = placed(self._settings, primary.destination)
        label = label_from(bundle, destination=destination, came_from=wish.came_from)
        asked = Asked(wish, bundle.id, label)
        ticket = self.store.submit(
            Put(
                data=wish.data,
                identity=identity_of(asked.bundle_id),
                label=encode_label(asked.label),
                priority=priority,
                expires_dtn_ms=primary.created_ms + lifetime_ms if primary.created_ms else 0,
                left_ms=remaining_ms(bundle, resident_ms=0, now=now),
                received=not is_ours,
                created=primary.sequence if is_ours and wish.is_counted else 0,
                clears=clears,
            )
        )
        if ticket is None:
            return False
        self._asked[ticket] = asked
        return True

    def delete(self, sequences: tuple[int, ...], reason: Reason) -> None:
        """Let bundles go at the next flush, or as soon as the store's queue has room."""
        for sequence in sequences:
            self._forget(sequence)
        if reason == Reason.DONE:
            self._finished += sequences
        else:
            self._owed.append(Delete(sequences, reason))

    @property
    def is_owing(self) -> bool:
        """Whether bundles have gone of which the store is told at the next flush."""
        return bool(self._finished)

    def scrub(self, count: int) -> None:
        """Let the store check some entries, unless it is busy."""
        self.store.submit(Scrub(count))

    def get(self, sequence: int) -> Kept | None:
        """Return a bundle if it is at hand, read or unread; otherwise ask for it."""
        kept = self._cache.get(sequence)
        if kept is None:
            self.want(sequence)
        return kept

    def want(self, sequence: int) -> None:
        """Ask for a bundle's bytes, unless they are here, on their way, or too many are."""
        if sequence in self._cache or sequence in self._fetching:
            return
        if len(self._fetching) < self._fetch_limit and self.store.submit(Fetch(sequence)):
            self._fetching.add(sequence)

    def let_go(self, sequence: int) -> None:
        """Drop the bytes at hand; the store still has them."""
        self._forget(sequence)

    def take_asked(self, ticket: int) -> Asked | None:
        """Return, and forget, the wish behind a put."""
        return self._asked.pop(ticket, None)

    def take_done(self) -> tuple[Result, ...]:
        """Return the store's results so far; bytes that were asked for are at hand by then."""
        results = self.store.take_done()
        for result in results:
            if isinstance(result, Fetched):
                self._fetching.discard(result.sequence)
                self.hold(result.sequence, result.data, asked=True)
            elif isinstance(result, Missing):
                self._fetching.discard(result.sequence)
        return results

    def hold(self, sequence: int, kept: Kept, *, asked: bool = False) -> None:
        """Keep a bundle at hand if there is room; what was asked for always finds room."""
        if asked or self._cached + _size(kept) <= self._cache_bytes:
            self._forget(sequence)
            self._cache[sequence] = kept
            self._cached += _size(kept)

    def flush(self) -> None:
        """Send off what is to be deleted: one operation for all that has gone meanwhile."""
        if self._finished:
            self._owed.append(Delete(tuple(self._finished), Reason.DONE))
            self._finished.clear()
        self._pay()

    def _forget(self, sequence: int) -> None:
        kept = self._cache.pop(sequence, None)
        if kept is not None:
            self._cached -= _size(kept)

    def _pay(self) -> None:
        while self._owed and self.store.submit(self._owed[0]) is not None:
            self._owed.popleft()


def _size(kept: Kept) -> int:
    return len(kept) if isinstance(kept, bytes) else len(kept.payload)
