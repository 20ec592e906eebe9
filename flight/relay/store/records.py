"""What commits and tombstones say, as bytes, and the checks that they carry.

A commit is one stretch of the log, in whole pages:

    head | data of each new entry, one after the other | the head once more | zeros

The head names every entry, with the CRC-32C of its data, and every number that has gone; its own
CRC-32C covers it all. It is there twice, so that no single flipped bit costs more than the one
bundle whose data it is in. A head names its place too (generation of the file, offset in it), so
that neither what an earlier use of the file has left nor a bundle that holds a log is taken for a
commit.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import google_crc32c

from flight.relay.store.values import Entry, Kind, Reason

PAGE_BYTES = 4096
"""Commits begin at multiples of it: what is acknowledged is never written over in part."""

MAGIC = b"fsL1"
"""Begins every head; the digit is the layout's version."""

_PREFIX = struct.Struct(">4sIQQQ")
_FIXED = struct.Struct(">7Q4I")
_LINE = struct.Struct(">QBBBHHIQqI")
_NUMBER_BYTES = 8
_CRC_BYTES = 4

_TOMB_HEAD = struct.Struct(">BH")
_TOMB_ITEM = struct.Struct(">HBI")

TOMBSTONE_ITEMS = 200
"""Bundles named in one tombstone at most, so that it fits a bundle of a few kilobytes."""


class DamagedError(Exception):
    """The bytes on the medium are not those that were written."""


class Ledger(NamedTuple):
    """How far the store has come; a copy lives in the high-water file."""

    commit: int = 0
    """Counts commits since the store was made."""
    sequence: int = 0
    """The last entry's."""
    created: int = 0
    """The highest creation sequence number so far."""
    boots: int = 0


class Commit(NamedTuple):
    """What one commit changes, and what it vouches for."""

    ledger: Ledger
    after: int
    """The number of the commit before."""
    oldest: int
    """The oldest generation that the log needs."""
    living: int
    """Entries that there are, after it."""
    entries: Sequence[Entry]
    """New ones, and old ones that moved here."""
    checks: Sequence[int]
    """CRC-32C of each one's data."""
    gone: Sequence[int]
    """Numbers that left nothing."""
    seen: Sequence[int]
    """Numbers that left their identity."""
    scars: Sequence[int]
    """Commits of the log that are known to be worn, or to follow upon missing ones."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it was read: where it belongs, and what it says, still packed."""

    generation: int
    offset: int
    """Where its commit begins."""
    data_bytes: int
    raw: bytes

    @property
    def data_at(self) -> int:
        """Where the first entry's data begin."""
        return self.offset + len(self.raw)

    @property
    def end(self) -> int:
        """Where the next commit begins."""
        return self.offset + commit_bytes(len(self.raw), self.data_bytes)


@dataclass(frozen=True, slots=True)
class Buried:
    """One bundle that a tombstone names."""

    identity: bytes
    priority: int
    length: int


def crc_of(data: bytes) -> int:
    """Return the CRC-32C of data. Check value for "123456789": 0xE3069283."""
    return int(google_crc32c.value(data))


def pack_commit(commit: Commit) -> bytes:
    """Return what a head says, without its place."""
    ledger, after, oldest, living, entries, checks, gone, seen, scars = commit
    fixed = (*ledger, after, oldest, living, len(entries), len(gone), len(seen), len(scars))
    parts = [_FIXED.pack(*fixed), struct.pack(f">{sum(fixed[-3:])}Q", *gone, *seen, *scars)]
    pack = _LINE.pack
    for entry, check in zip(entries, checks, strict=True):
        number, kind, received, priority, identity, label, length, expires_ms, left_ms = entry
        line = pack(
            number,
            kind,
            received,
            priority,
            len(identity),
            len(label),
            length,
            expires_ms,
            left_ms,
            check,
        )
        parts += (line, identity, label)
    return b"".join(parts)


def pack_head(body: bytes, *, generation: int, offset: int, data_bytes: int) -> bytes:
    """Return the head that says ``body`` at a place in the log."""
    head = _PREFIX.pack(MAGIC, len(body), generation, offset, data_bytes) + body
    return head + crc_of(head).to_bytes(_CRC_BYTES, "big")


def head_bytes(body: bytes) -> int:
    """Return the length of the head that pack_head makes."""
    return _PREFIX.size + len(body) + _CRC_BYTES


def commit_bytes(head: int, data: int) -> int:
    """Return the length of a commit, in whole pages, from its head's and its data's."""
    return -(-(2 * head + data) // PAGE_BYTES) * PAGE_BYTES


def length_of_head(begin: bytes) -> int:
    """Return how long a head says it is, from its first bytes, unchecked."""
    if len(begin) < _PREFIX.size:
        return 0
    return int(_PREFIX.unpack_from(begin)[1]) + _PREFIX.size + _CRC_BYTES


def read_head(content: bytes, at: int, *, generation: int | None = None) -> Head | None:
    """Return the head at a place in a file, or None: there is none, or not of the generation."""
    if content[at : at + 4] != MAGIC or at + _PREFIX.size > len(content):
        return None
    _, length, written, offset, data_bytes = _PREFIX.unpack_from(content, at)
    if generation is not None and written != generation:
        return None
    end = at + _PREFIX.size + length
    crc = crc_of(content[at:end])
    if content[end : end + _CRC_BYTES] != crc.to_bytes(_CRC_BYTES, "big"):
        return None
    return Head(written, offset, data_bytes, content[at : end + _CRC_BYTES])


def read_commit(head: Head) -> Commit:
    """Return what a head says; its CRC has vouched for the bytes."""
    raw, at = head.raw, _PREFIX.size
    *ledger, after, oldest, living, count, gone, seen, scars = _FIXED.unpack_from(raw, at)
    at += _FIXED.size
    numbers = struct.unpack_from(f">{gone + seen + scars}Q", raw, at)
    at += _NUMBER_BYTES * len(numbers)
    entries, checks = [], []
    for _ in range(count):
        line = _LINE.unpack_from(raw, at)
        number, kind, received, priority, identity_bytes, label_bytes, *rest, check = line
        label_at = at + _LINE.size + identity_bytes
        identity, label = raw[at + _LINE.size : label_at], raw[label_at : label_at + label_bytes]
        at = label_at + label_bytes
        entries.append(Entry(number, Kind(kind), bool(received), priority, identity, label, *rest))
        checks.append(check)
    lists = numbers[:gone], numbers[gone : gone + seen], numbers[gone + seen :]
    return Commit(Ledger(*ledger), after, oldest, living, entries, checks, *lists)


def pack_tombstone(reason: Reason, buried: tuple[Entry, ...]) -> bytes:
    """Return what a tombstone's data says of at most TOMBSTONE_ITEMS bundles."""
    parts = [_TOMB_HEAD.pack(reason, len(buried))]
    for entry in buried:
        parts.append(_TOMB_ITEM.pack(len(entry.identity), entry.priority, entry.length))
        parts.append(entry.identity)
    return b"".join(parts)


def read_tombstone(data: bytes) -> tuple[Reason, tuple[Buried, ...]]:
    """Return why bundles were given up, and which. The store's CRC has vouched for the bytes."""
    reason, count = _TOMB_HEAD.unpack_from(data)
    at = _TOMB_HEAD.size
    buried = []
    for _ in range(count):
        length, priority, size = _TOMB_ITEM.unpack_from(data, at)
        at += _TOMB_ITEM.size
        buried.append(Buried(data[at : at + length], priority, size))
        at += length
    return Reason(reason), tuple(buried)
