"""What goes into the store and what comes out: operations, results, and the two protocols.

A *put* bundle is ours once its ``Stored`` result is taken: the commit is on the medium by then.
Results come in the order of their operations; what the store does of itself (eviction, loss,
degradation) comes with ticket 0, ahead of the result that caused it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeAlias

UNSOLICITED = 0
"""The ticket of a result that answers no operation."""


class Kind(IntEnum):
    """What an entry is. Numbers are on the medium: add, never renumber."""

    __hash__ = int.__hash__  # in C, where an enum's own is in Python

    BUNDLE = 1
    SEEN = 2
    """The identity of a received bundle that has gone; it makes a second arrival a duplicate."""
    TOMBSTONE = 3
    """Names bundles that were given up; itself to be sent."""


class Reason(IntEnum):
    """Why bundles left the store. Numbers are on the medium and the link: add, never renumber."""

    DONE = 0
    """Delivered here or at the next node: no tombstone."""
    EXPIRED = 1
    EVICTED = 2
    CORRUPT = 3
    HOP_LIMIT = 4
    DROPPED = 5
    """By an operator."""
    REFUSED = 6
    """The bundle's own bytes or its security did not stand a check."""


class Entry(NamedTuple):
    """What the store knows of one entry without reading its bytes."""

    sequence: int
    """Counts every entry ever made, without a gap."""
    kind: Kind
    received: bool = False
    """From a peer, not made here."""
    priority: int = 0
    identity: bytes = b""
    """Opaque to the store; empty for tombstones."""
    label: bytes = b""
    """Opaque to the store: what its owner wants to know before it reads the bytes."""
    length: int = 0
    """Bytes of data."""
    expires_dtn_ms: int = 0
    """0: unknown, then left_ms counts."""
    left_ms: int = 0
    """Lifetime left when it was put."""


def stub_of(entry: Entry) -> Entry:
    """Return what stays of a received bundle that has gone: its identity."""
    return Entry(entry.sequence, Kind.SEEN, True, entry.priority, entry.identity)


class Put(NamedTuple):
    """Keep one bundle; answered by Stored, Duplicate or Refused."""

    data: bytes
    identity: bytes
    label: bytes
    priority: int
    expires_dtn_ms: int
    left_ms: int
    received: bool = False
    """True: a second arrival of the same identity is a Duplicate, also after the bundle left."""
    created: int = 0
    """The creation sequence number of a bundle made here; the highest survives in the ledger."""
    clears: tuple[int, ...] = ()
    """Tombstones that this bundle carries away."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Let entries go; leaves a tombstone unless the reason is DONE. Answered by Deleted."""

    sequences: tuple[int, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read one bundle's bytes; answered by Fetched or Missing."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Scrub:
    """Check the next ``count`` entries, in order and round again; answered by Scrubbed.

    While the store is in memory only, look whether its medium works again.
    """

    count: int


Operation: TypeAlias = Put | Delete | Fetch | Scrub


class Stored(NamedTuple):
    """The bundle is on the medium."""

    ticket: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The identity is known: the first copy is on the medium, or has been passed on."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No room that this bundle may take; nothing changed."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """The entries are gone from the medium."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """One bundle's bytes, checked."""

    ticket: int
    sequence: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """The bytes cannot be had: the entry has gone, or its medium has failed for now."""

    ticket: int
    sequence: int


class Found(NamedTuple):
    """An entry that was out of reach is at hand again: its medium works."""

    ticket: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How many entries were checked; damage came before this, as Buried and Report."""

    ticket: int
    checked: int


@dataclass(frozen=True, slots=True)
class Buried:
    """Bundles left the store without being passed on."""

    ticket: int
    sequences: tuple[int, ...]
    reason: Reason
    tombstone: Entry | None
    """None: the tombstone limit is reached, and the loss is only counted."""


class Trouble(IntEnum):
    """What the store reports of its medium. Numbers are on the link: add, never renumber."""

    ROWS_DAMAGED = 1
    """Entries failed their CRC; count: how many."""
    ROWS_MISSING = 2
    """The last commit knows more entries than the log holds; count: how many."""
    COMMITS_LOST = 3
    """The log has a gap, or is older than the high-water mark; count: how many commits."""
    FILES_QUARANTINED = 4
    """Files are of another format than this software reads; count: how many."""
    HIGH_WATER_DAMAGED = 5
    """count: slots that failed their CRC, or 2 where the file is missing."""
    DISK_FULL = 6
    """The file system is full: the store lives in the files that it has."""
    MEDIUM_FAILED = 7
    """The medium cannot be written: the store works in memory from here on."""
    MEDIUM_RETURNED = 11
    """The medium works again, and what was kept in memory is on it; count: entries brought."""
    MEDIUM_RETRIED = 8
    """A write failed once and went well after the files were opened again."""
    UNFINISHED = 10
    """The last commit was cut off before it was acknowledged; count: its entries taken back."""
    LEDGER_MISMATCH = 9
    """The log holds more entries than its last commit knows; count: entries there."""
    MENDED = 12
    """Damage that cost nothing was made good from a second copy; count: commits."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing the operators must know about the medium."""

    ticket: int
    trouble: Trouble
    count: int = 0


Result: TypeAlias = (
    Stored | Duplicate | Refused | Deleted | Fetched | Missing | Found | Scrubbed | Buried | Report
)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The store's state in plain numbers, for telemetry."""

    bundles: int
    used_bytes: int
    received_bytes: int
    tombstones: int
    seen: int
    commits: int
    evicted: int
    uncounted: int
    """Bundles given up beyond the tombstone limit."""
    degraded: bool
    """True: in memory only, until the medium works again; a restart forgets."""


class Medium(Protocol):
    """Where entries live; called by one thread at a time."""

    def load(self) -> tuple[Entry, ...]:
        """Return every bundle and tombstone, oldest first."""

    def apply(self, operations: "tuple[tuple[int, Operation], ...]") -> list[Result]:
        """Do (ticket, operation) pairs in one transaction; return once they are durable."""

    def tidy(self) -> list[Result]:
        """Do what can wait until results are told: room for what comes."""

    def status(self) -> StoreStatus:
        """Return the counters."""

    @property
    def boots(self) -> int:
        """How often this store was opened; differs between any two lives of a node."""

    @property
    def created(self) -> int:
        """The highest creation sequence number that a Put brought."""

    def close(self) -> None:
        """Let the medium go."""


class Store(Protocol):
    """A medium with a queue in front; the control thread never waits for it."""

    @property
    def boots(self) -> int:
        """How often this store was opened."""

    @property
    def created(self) -> int:
        """The highest creation sequence number found at open."""

    def load(self) -> tuple[Entry, ...]:
        """Return the bundles and tombstones found at open, oldest first; call it once."""

    def submit(self, operation: Operation) -> int | None:
        """Queue one operation and return its ticket, or None when the queue is full."""

    def fileno(self) -> int:
        """Return a descriptor that is readable while results wait."""

    def take_done(self) -> tuple[Result, ...]:
        """Return, and forget, the results so far, in order."""

    def status(self) -> StoreStatus:
        """Return the counters; those of a commit may follow soon after its results."""

    def close(self) -> None:
        """Finish what is queued and let the medium go."""
