"""Prove that whole frames are, bit for bit, what the sensor gave: by the journal's SHA-256.

A frame that was sent with a bounded error, for want of room on the link, claims no such thing.
"""

from dataclasses import dataclass

from flight.autonomy.downlink import allowed_error
from flight.product.errors import WireError
from flight.product.journal import JournalEntry, stamp
from flight.product.part import ProductId, ProductKind
from ground.library import Library
from ground.rows import Row
from ground.words import ranges


@dataclass(frozen=True, slots=True)
class FrameCheck:
    """What is known of one whole frame."""

    product: ProductId
    sensor: str
    frame_number: int
    identical: bool
    what: str = ""
    """Why it is not, or why that cannot be said yet."""


def verify_frames(library: Library) -> tuple[FrameCheck, ...]:
    """Check every whole lossless frame, complete or not, against its journal entry."""
    checks = []
    for row in library.rows():
        entry = library.entry_of(row.header)
        if row.header.kind is not ProductKind.FRAME:
            continue
        if entry is not None and allowed_error(entry, row.header.id):
            continue
        fault = _fault(library, row, entry)
        header = row.header
        checks.append(FrameCheck(header.id, header.sensor, header.frame_number, not fault, fault))
    return tuple(checks)


def _fault(library: Library, row: Row, entry: JournalEntry | None) -> str:
    if row.missing:
        return f"parts {ranges(row.missing)} have not arrived"
    if entry is None:
        return "its journal entry has not arrived"
    try:
        array = library.read(row.header.id).array
    except WireError as error:
        return str(error)
    if array is None or not array.complete:
        return "it has gaps"
    same = stamp(array.samples) == entry.step.frame
    return "" if same else "its SHA-256 is not the one that the board wrote down"
