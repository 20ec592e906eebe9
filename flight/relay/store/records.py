"""One entry as the bytes of one row, the ledger inside it, and what a tombstone holds.

The last row of each commit carries the ledger: how many entries there are besides, the sum of
their weights, the commit's number. So the last row of all vouches for the others, at no further
page written. A row's CRC-32C covers every byte before the CRC, and, for blobs, the CRC of
the bytes in the segment file. A row names itself (magic, sequence number, lengths), so that it
can be found in a damaged file without sqlite's help.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import google_crc32c

from flight.relay.store.values import Entry, Extent, Kind, Reason

MAGIC = b"fsR1"
"""Begins every row; the digit is the layout's version."""

_HEADER = struct.Struct(">4sQBBBHHIQqIQIQIQQI")
_IN_ROW = 0xFFFFFFFF
WEIGHT_MODULUS = 1 << 64

_TOMB_HEAD = struct.Struct(">BH")
_TOMB_ITEM = struct.Struct(">HBI")

TOMBSTONE_ITEMS = 200
"""Bundles named in one tombstone at most, so that it fits a bundle of a few kilobytes."""


class DamagedError(Exception):
    """The bytes on the medium are not those that were written."""


class Ledger(NamedTuple):
    """What the database ought to hold; a copy lives in the high-water file."""

    commit: int = 0
    """Counts commits since the store was made."""
    sequence: int = 0
    """The last entry's."""
    others: int = 0
    """Entries besides the last."""
    total: int = 0
    """Sum of their weights, modulo WEIGHT_MODULUS."""
    created: int = 0
    """The highest creation sequence number so far."""
    boots: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row, read and checked."""

    entry: Entry
    ledger: Ledger
    data: bytes
    """Empty where the entry has an extent."""
    data_crc: int
    weight: int
    """What it adds to the ledger's total: number and CRC side by side."""


@dataclass(frozen=True, slots=True)
class Buried:
    """One bundle that a tombstone names."""

    identity: bytes
    priority: int
    length: int


def crc_of(data: bytes) -> int:
    """Return the CRC-32C of data. Check value for "123456789": 0xE3069283."""
    return int(google_crc32c.value(data))


def pack_row(entry: Entry, data: bytes, data_crc: int, ledger: Ledger) -> tuple[bytes, int]:
    """Return the row's bytes and its weight.

    ``data`` is empty for an entry with an extent, and ``data_crc`` 0 for one without. Of the
    ledger, the sequence is not written: the row's own number says it.
    """
    sequence, kind, received, priority, identity, label, length, expires, left, extent = entry
    segment, offset = (_IN_ROW, 0) if extent is None else (extent.segment, extent.offset)
    header = _HEADER.pack(
        MAGIC,
        sequence,
        kind,
        received,
        priority,
        len(identity),
        len(label),
        length,
        expires,
        left,
        segment,
        offset,
        data_crc,
        ledger.commit,
        ledger.others,
        ledger.total,
        ledger.created,
        ledger.boots,
    )
    body = b"".join((header, identity, label, data))
    crc = google_crc32c.value(body)
    return body + crc.to_bytes(4, "big"), sequence << 32 | crc


def read_row(record: bytes) -> Row:
    """Return the row that begins ``record``, checked; what follows it is not looked at.

    Raises:
        DamagedError: the bytes are not a row as it was written.
    """
    if len(record) < _HEADER.size or record[:4] != MAGIC:
        raise DamagedError("not a record")
    _, sequence, kind, received, priority, identity_bytes, label_bytes, length, *rest = (
        _HEADER.unpack_from(record)
    )
    expires, left, segment, offset, data_crc, commit, count, total, created, boots = rest
    label_at = _HEADER.size + identity_bytes
    data_at = label_at + label_bytes
    end = data_at + (length if segment == _IN_ROW else 0)
    body = record[:end]
    crc = int(google_crc32c.value(body))
    if record[end : end + 4] != crc.to_bytes(4, "big"):
        raise DamagedError(f"entry {sequence}: CRC")
    entry = Entry(
        sequence=sequence,
        kind=Kind(kind),
        received=bool(received),
        priority=priority,
        identity=body[_HEADER.size : label_at],
        label=body[label_at:data_at],
        length=length,
        expires_dtn_ms=expires,
        left_ms=left,
        extent=None if segment == _IN_ROW else Extent(segment, offset, length),
    )
    ledger = Ledger(commit, sequence, count, total, created, boots)
    return Row(entry, ledger, body[data_at:], data_crc, sequence << 32 | crc)


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
