"""Prove that whole frames are, bit for bit, what the sensor gave: by the journal's SHA-256."""

from dataclasses import dataclass

from flight.product.errors import WireError
from flight.product.journal import stamp
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
    """Check every whole frame, complete or not, against its journal entry."""
    rows = [row for row in library.rows() if row.header.kind is ProductKind.FRAME]
    checks = []
    for row in rows:
        fault = _fault(library, row)
        header = row.header
        checks.append(FrameCheck(header.id, header.sensor, header.frame_number, not fault, fault))
    return tuple(checks)


def _fault(library: Library, row: Row) -> str:
    if row.missing:
        return f"parts {ranges(row.missing)} have not arrived"
    entry = library.entry_of(row.header)
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
