"""From the parts of a product to what it says: a record, or an array with its gaps marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flight.product.codecs import Decoded, Encoded
from flight.product.codecs import decode as decode_array
from flight.product.errors import WireError
from flight.product.events import EventReport, decode_events
from flight.product.journal import JournalEntry, decode_entry
from flight.product.linkstate import LinkRecord
from flight.product.part import CODEC_BYTES, Header, Part, ProductKind, join_bytes
from flight.product.status import Boot, Health, Reply

MAX_PRODUCT_BYTES = 256 << 20
"""Data of one product's parts that is put together at once; a larger product is refused."""

MOST_SEARCHED = 512
"""Products of more parts are not searched for the broken one; they are refused whole."""

Record: TypeAlias = Boot | JournalEntry | tuple[EventReport, ...] | Health | Reply | LinkRecord

_RECORDS: dict[ProductKind, Callable[[bytes], Record]] = {
    ProductKind.BOOT: Boot.decode,
    ProductKind.DECISION: decode_entry,
    ProductKind.URGENT_EVENTS: decode_events,
    ProductKind.EVENTS: decode_events,
    ProductKind.HEALTH: Health.decode,
    ProductKind.REPLY: Reply.decode,
    ProductKind.LINK: LinkRecord.decode,
}


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What one product says. Exactly one of record and array is there."""

    header: Header
    record: Record | None = None
    array: Decoded | None = None
    broken: tuple[str, ...] = ()
    """What was wrong with parts that arrived and could not be used."""


def decode_product(header: Header, parts: Sequence[Part]) -> Content:
    """Return what a product's parts say; parts of an array may be missing.

    Raises:
        WireError: a record is incomplete or broken, or no part of an array can be used.
    """
    if sum(len(part.data) for part in parts) > MAX_PRODUCT_BYTES:
        raise WireError(f"product {header.id} has more than {MAX_PRODUCT_BYTES} bytes")
    reader = _RECORDS.get(header.kind)
    if reader is None:
        return _decode_array(header, parts)
    if header.codec != CODEC_BYTES:
        raise WireError(f"product {header.id}: a {header.kind.name} is not an array")
    if len(parts) != header.count:
        raise WireError(f"product {header.id}: {len(parts)} of {header.count} parts are here")
    return Content(header, record=reader(join_bytes(parts)))


def _decode_array(header: Header, parts: Sequence[Part]) -> Content:
    encoded = [Encoded(part.geometry, part.data) for part in parts]
    try:
        return Content(header, array=_decode(header, encoded))
    except WireError:
        if not 2 <= len(parts) <= MOST_SEARCHED:
            raise
    # One bad part must not cost the others: find it by decoding each beside a sound one.
    sound: list[Encoded] = []
    broken: list[str] = []
    for part, code in zip(parts, encoded, strict=True):
        fault = _fault(header, [*sound[:1], code])
        if fault:
            broken.append(f"part {part.index}: {fault}")
        else:
            sound.append(code)
    return Content(header, array=_decode(header, sound), broken=tuple(broken))


def _decode(header: Header, encoded: Sequence[Encoded]) -> Decoded:
    return decode_array(header.codec, header.codec_version, encoded)


def _fault(header: Header, encoded: Sequence[Encoded]) -> str:
    try:
        _decode(header, encoded)
    except WireError as error:
        return str(error)
    return ""
