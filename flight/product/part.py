"""Products and their parts: what one bundle carries.

A product is one thing worth sending: a decision, a map, a frame. It travels as parts that
decode alone, so a lost bundle costs its own part and nothing else. Codec 0 is BYTES: the parts
are slices of one record, geometry (offset, total length).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.records import Schema, pack_record, read_record

CODEC_BYTES = 0
MAX_PART_BYTES = 60_000
"""Most data in one part, so that a bundle fits one LTP block of 64 kB."""
MAX_PARTS = 1 << 14
DIGEST_PREFIX_BYTES = 8


class ProductKind(IntEnum):
    """What a product is (its APID). Numbers are on the wire: add, never renumber.

    The tens are the default priority: 1-15 priority 0, 16-31 priority 1, and so on.
    """

    BOOT = 1
    DECISION = 2
    URGENT_EVENTS = 3
    REPLY = 4
    HAZARD_MAP = 16
    CLASS_MAP = 17
    EVENTS = 18
    HEALTH = 19
    THUMBNAIL = 20
    OUTPUTS = 32
    """One raw output tensor of a model: what replay needs."""
    REGION = 33
    SPECTRA = 34
    XRAY_SPECTRUM = 35
    LINK = 40
    """How a node's links stand."""
    TELEMETRY = 36
    """(channels, times): what a mechanism's sensors gave while a sample was taken."""
    FRAME = 48
    RANGE = 49
    """The whole range image that a frame was decided with."""

    @property
    def priority(self) -> int:
        """Return 0 (first) to 3."""
        return int(self) >> 4


@dataclass(frozen=True, slots=True, order=True)
class ProductId:
    """Names a product for good: who made it, in which boot, and a count within it."""

    node: int
    boot: int
    number: int

    def __str__(self) -> str:
        return f"{self.node}.{self.boot}.{self.number}"


@dataclass(frozen=True, slots=True)
class Header:
    """What every part of a product repeats."""

    id: ProductId
    kind: ProductKind
    sensor: str
    frame_number: int
    taken: Instant
    model_digest: bytes
    """First DIGEST_PREFIX_BYTES of the model's SHA-256; empty where no model took part."""
    config_digest: bytes
    """First DIGEST_PREFIX_BYTES of the configuration's SHA-256."""
    codec: int
    codec_version: int
    count: int
    """How many parts the product has."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: the header, which of the parts it is, where it lies, and its bytes."""

    header: Header
    index: int
    geometry: tuple[int, ...]
    data: bytes

    def encode(self) -> bytes:
        """Return the part's record."""
        h = self.header
        fields: list[object] = [
            [h.id.node, h.id.boot, h.id.number],
            int(h.kind),
            h.sensor,
            h.frame_number,
            *h.taken,
            h.model_digest,
            h.config_digest,
            h.codec,
            h.codec_version,
            h.count,
            self.index,
            list(self.geometry),
            crc32(self.data),
            self.data,
        ]
        return pack_record(Schema.PART, 1, fields)


def decode_part(record: bytes) -> Part:
    """Return the part in a PART record.

    Raises:
        WireError: the record breaks the schema, or the data do not match their CRC.
    """
    fields = read_record(record, Schema.PART, 1, 15)
    id_fields = fields.array("product id", most=3)
    header = Header(
        id=ProductId(*(id_fields.integer("product id") for _ in range(3))),
        kind=fields.enum(ProductKind, "product kind"),
        sensor=fields.text("sensor", most=64),
        frame_number=fields.integer("frame number"),
        taken=fields.instant("taken"),
        model_digest=fields.binary("model digest"),
        config_digest=fields.binary("configuration digest"),
        codec=fields.integer("codec", 0, 255),
        codec_version=fields.integer("codec version", 0, 255),
        count=fields.integer("part count", 1, MAX_PARTS),
    )
    index = fields.integer("part index", 0, header.count - 1)
    geometry = fields.integers("geometry", -(2**31), 2**31, most=32)
    crc, data = fields.integer("crc"), fields.binary("data")
    if crc32(data) != crc:
        raise WireError(f"product {header.id} part {index}: data do not match their CRC-32")
    return Part(header, index, geometry, data)


def cut_bytes(record: bytes) -> tuple[tuple[tuple[int, int], bytes], ...]:
    """Return (geometry, data) of each BYTES part of a record; an empty record is one part."""
    total = len(record)
    return tuple(
        ((start, total), record[start : start + MAX_PART_BYTES])
        for start in range(0, max(total, 1), MAX_PART_BYTES)
    )


def join_bytes(parts: Iterable[Part]) -> bytes:
    """Return the record whose BYTES parts these are, in any order.

    Raises:
        WireError: a part is missing, lies elsewhere than its geometry says, or overlaps.
    """
    joined = b""
    for part in sorted(parts, key=lambda part: part.index):
        if len(part.geometry) != 2 or part.geometry[0] != len(joined):
            raise WireError(f"product {part.header.id}: part {part.index} does not follow")
        joined += part.data
        total = part.geometry[1]
        complete = part.index == part.header.count - 1
        if len(joined) > total or (complete and len(joined) != total):
            raise WireError(f"product {part.header.id}: {len(joined)} bytes of {total}")
    return joined
