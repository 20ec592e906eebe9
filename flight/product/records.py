"""Records: msgpack arrays ``[schema, version, field, ...]``, read strictly and within limits.

A record is what a bundle carries and what a journal holds. Unknown schemas and versions are
errors of the sender's; enums only grow. Fields are integers, byte strings, text and arrays of
these; there are no maps, so a record has one encoding.
"""

from enum import IntEnum
from typing import TypeVar, cast

import msgpack

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.values import Decision, Finding, Kind, Verdict

MAX_RECORD_BYTES = 256 << 10
"""Small on purpose: msgpack spends up to 71 bytes of memory on one byte of empty arrays."""
_MAX_ITEMS = 1 << 14

EnumT = TypeVar("EnumT", bound=IntEnum)


class Schema(IntEnum):
    """What a record is. Numbers are on the wire: add, never renumber."""

    BOOT = 1
    EVENTS = 3
    HEALTH = 4
    JOURNAL = 5
    COMMAND = 6
    REPLY = 7
    FRAME = 8
    LINK = 9
    PART = 16


def pack_record(schema: Schema, version: int, fields: list[object]) -> bytes:
    """Return one record's bytes."""
    return cast("bytes", msgpack.packb([int(schema), version, *fields], use_bin_type=True))


def read_record(data: bytes, schema: Schema, version: int, length: int) -> "Fields":
    """Return the fields of a record that must be of this schema, version and field count.

    Raises:
        WireError: the bytes are not one msgpack array of that kind, or exceed a limit.
    """
    fields = Fields(_unpack(data))
    found = (fields.integer("schema"), fields.integer("version"))
    if found != (schema, version):
        raise WireError(f"record {found[0]} version {found[1]}, expected {schema} {version}")
    if fields.left() != length:
        raise WireError(f"{schema.name} record has {fields.left()} fields, expected {length}")
    return fields


def peek_schema(data: bytes) -> Schema:
    """Return what kind of record the bytes claim to be.

    Raises:
        WireError: not a record, or of a schema this software does not know.
    """
    return Fields(_unpack(data)).enum(Schema, "schema")


def _unpack(data: bytes) -> object:
    if len(data) > MAX_RECORD_BYTES:
        raise WireError(f"record of {len(data)} bytes exceeds {MAX_RECORD_BYTES}")
    try:
        tree: object = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=min(_MAX_ITEMS, len(data)),
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise WireError(f"not a record: {error}") from error
    return tree


class Fields:
    """Reads an array's items one after the other, each with its type and range checked."""

    __slots__ = ("_items", "_next")

    def __init__(self, tree: object) -> None:
        if not isinstance(tree, list):
            raise WireError("expected an array")
        self._items: list[object] = tree
        self._next = 0

    def left(self) -> int:
        """Return how many items are still unread."""
        return len(self._items) - self._next

    def _take(self, name: str) -> object:
        if self._next >= len(self._items):
            raise WireError(f"{name} is missing")
        self._next += 1
        return self._items[self._next - 1]

    def integer(self, name: str, low: int = 0, high: int = 2**63 - 1) -> int:
        """Return the next item, an integer within low and high."""
        item = self._take(name)
        if not isinstance(item, int) or isinstance(item, bool) or not low <= item <= high:
            raise WireError(f"{name} is not an integer within {low} and {high}")
        return item

    def enum(self, kind: type[EnumT], name: str) -> EnumT:
        """Return the next item as a member of an enum."""
        number = self.integer(name)
        try:
            return kind(number)
        except ValueError as error:
            raise WireError(f"{name} {number} is not known") from error

    def boolean(self, name: str) -> bool:
        """Return the next item, true or false."""
        item = self._take(name)
        if not isinstance(item, bool):
            raise WireError(f"{name} is not true or false")
        return item

    def binary(self, name: str, *, size: int | None = None) -> bytes:
        """Return the next item, a byte string, of exactly ``size`` bytes if given."""
        item = self._take(name)
        if not isinstance(item, bytes) or (size is not None and len(item) != size):
            raise WireError(f"{name} is not a byte string of {size or 'any'} bytes")
        return item

    def text(self, name: str, *, most: int = 255) -> str:
        """Return the next item, text of at most ``most`` characters."""
        item = self._take(name)
        if not isinstance(item, str) or len(item) > most:
            raise WireError(f"{name} is not text of at most {most} characters")
        return item

    def array(self, name: str, *, most: int = _MAX_ITEMS) -> "Fields":
        """Return a reader of the next item, an array of at most ``most`` items."""
        fields = Fields(self._take(name))
        if fields.left() > most:
            raise WireError(f"{name} has more than {most} items")
        return fields

    def integers(
        self, name: str, low: int = 0, high: int = 2**63 - 1, most: int = 4096
    ) -> tuple[int, ...]:
        """Return the next item, an array of integers within low and high."""
        fields = self.array(name, most=most)
        return tuple(fields.integer(name, low, high) for _ in range(fields.left()))

    def scalars(self) -> tuple[int | str, ...]:
        """Return all items left, each an integer or a short text."""
        values: list[int | str] = []
        while self.left():
            item = self._take("value")
            if isinstance(item, bool) or not isinstance(item, int | str) or len(str(item)) > 255:
                raise WireError("a value is neither an integer nor a short text")
            values.append(item)
        return tuple(values)

    def instant(self, name: str) -> Instant:
        """Return the next two items as an instant."""
        return Instant(self.integer(name), self.integer(name))


# ---------------------------------------------------------------------------- the decision


def decision_fields(decision: Decision) -> list[object]:
    """Return a decision as a record's fields."""
    return [
        decision.frame_number,
        int(decision.verdict),
        decision.keep_evidence,
        decision.keep_frame,
        finding_fields(decision.findings),
        decision.maximum_error,
    ]


def read_decision(fields: Fields) -> Decision:
    """Return the decision whose six fields come next.

    Raises:
        WireError: a field is missing or out of range.
    """
    return Decision(
        frame_number=fields.integer("frame number"),
        verdict=fields.enum(Verdict, "verdict"),
        keep_evidence=fields.boolean("keep evidence"),
        keep_frame=fields.boolean("keep frame"),
        findings=read_findings(fields.array("findings", most=4096)),
        maximum_error=fields.integer("maximum error", 0, 1 << 16),
    )


def finding_fields(findings: tuple[Finding, ...]) -> list[list[int]]:
    """Return findings as one field of a record."""
    return [[int(f.kind), f.row, f.column, f.extent, f.score, f.label] for f in findings]


def read_findings(items: Fields) -> tuple[Finding, ...]:
    """Return the findings that ``finding_fields`` wrote.

    Raises:
        WireError: an item is none.
    """
    low = -(2**63)
    findings = []
    for _ in range(items.left()):
        item = items.array("finding", most=6)
        findings.append(
            Finding(
                kind=item.enum(Kind, "finding kind"),
                row=item.integer("row", low),
                column=item.integer("column", low),
                extent=item.integer("extent", low),
                score=item.integer("score", low),
                label=item.integer("label", low),
            )
        )
    return tuple(findings)
