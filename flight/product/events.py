"""The event table: what can happen aboard, as rows with a number, a severity and a template.

Code says ``Event.BUNDLE_LOST(bundles=3, why="evicted")``; the link carries numbers; the ground
renders the words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from string import Formatter
from typing import TypeAlias

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.records import Fields, Schema, pack_record, read_record

Value: TypeAlias = int | str

MAX_TEXT = 200
"""Longest text value in an event, in characters; more is cut."""
MAX_EVENTS_A_RECORD = 256


class Severity(IntEnum):
    """How much an event matters (cf. the four F Prime and CCSDS practice share)."""

    DIAGNOSTIC = 0
    ACTIVITY = 1
    WARNING = 2
    FATAL = 3


class Event(Enum):
    """One row each: number on the wire (add, never renumber), severity, template."""

    UNKNOWN = (0, Severity.WARNING, "event {number}, which this software does not know")
    BOOTED = (1, Severity.ACTIVITY, "boot {boot}, software {version}")
    STOPPED = (2, Severity.ACTIVITY, "stopped on request after {steps} steps")
    STEP_FAILED = (3, Severity.FATAL, "the loop met an error of ours: {what}")
    CLOCK_UNKNOWN = (4, Severity.WARNING, "the system clock is not set; bundles carry their age")
    REAL_TIME_REFUSED = (5, Severity.WARNING, "no real-time priority: {what}")
    FRAME_REFUSED = (10, Severity.WARNING, "{sensor}: {what}")
    FRAME_SAMPLES_INVALID = (11, Severity.WARNING, "{sensor} frame {frame}: {count} bad samples")
    FRAME_DROPPED = (12, Severity.WARNING, "{sensor}: {count} frames came too fast for the board")
    FRAME_LOST = (13, Severity.WARNING, "{sensor} frame {frame}: pixels lost at a restart")
    SENSOR_FAILED = (14, Severity.WARNING, "{sensor}: {what}")
    SENSOR_DONE = (15, Severity.ACTIVITY, "{sensor}: no more frames after {frames}")
    COMPANION_MISSING = (16, Severity.WARNING, "{sensor} frame {frame} goes without {companion}")
    COMPANION_UNUSABLE = (
        17,
        Severity.WARNING,
        "{sensor} frame {frame}: {companion} does not fit it and is left out",
    )
    MODEL_LOADED = (20, Severity.ACTIVITY, "{model}: digest and known answers agree")
    MODEL_REFUSED = (21, Severity.WARNING, "{model} refused: {what}")
    WORKER_REPLACED = (22, Severity.WARNING, "{lane} worker replaced: {what}")
    NO_ANSWER = (23, Severity.WARNING, "{sensor} frame {frame}: no answer ({reason})")
    PRODUCT_LOST = (24, Severity.WARNING, "product {product} ({kind}) could not be packed")
    BUNDLE_LOST = (30, Severity.WARNING, "{bundles} bundles given up: {why}")
    STORE_FAILED = (31, Severity.WARNING, "store: {what}")
    STORE_RECOVERED = (32, Severity.WARNING, "store: {what}")
    BUNDLE_EXPIRED = (33, Severity.WARNING, "{bundles} bundles outlived their lifetime")
    BUNDLE_REFUSED = (34, Severity.WARNING, "bundle refused: {what}")
    CONTACT_OPENED = (40, Severity.ACTIVITY, "contact with node {node} opened")
    CONTACT_CLOSED = (41, Severity.ACTIVITY, "contact with node {node} closed")
    SESSION_FAILED = (42, Severity.DIAGNOSTIC, "LTP session with node {node} failed: {what}")
    DATAGRAM_REFUSED = (43, Severity.DIAGNOSTIC, "datagram refused: {what}")
    PORT_FAILED = (44, Severity.WARNING, "port to node {node}: {what}")
    COMMAND_DONE = (50, Severity.ACTIVITY, "command {number} done: {what}")
    COMMAND_REFUSED = (51, Severity.WARNING, "command {number} refused: {what}")
    JOURNAL_RECOVERED = (60, Severity.WARNING, "journal: {what}")
    ARCHIVE_EVICTED = (61, Severity.ACTIVITY, "{frames} kept frames evicted, oldest first")

    def __init__(self, number: int, severity: Severity, template: str) -> None:
        self.number = number
        self.severity = severity
        self.template = template

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in the template, in order."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.template) if name)

    def __call__(self, **values: Value) -> "Happening":
        """Return this event with its values; their names are the template's."""
        if values.keys() != set(self.fields):
            raise TypeError(f"{self.name} takes {self.fields}, not {tuple(values)}")
        return Happening(self, tuple(_bounded(values[name]) for name in self.fields))


_BY_NUMBER = {event.number: event for event in Event}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with its values, in the template's order."""

    event: Event
    values: tuple[Value, ...]

    def words(self) -> str:
        """Return the template filled in, for people."""
        return self.event.template.format(**dict(zip(self.event.fields, self.values, strict=True)))


@dataclass(frozen=True, slots=True)
class EventReport:
    """One happening, when it first happened, and how many times in a row."""

    happening: Happening
    first: Instant
    count: int = 1


def encode_events(reports: Iterable[EventReport]) -> bytes:
    """Return an EVENTS record."""
    rows: list[object] = [
        [r.happening.event.number, *r.first, r.count, list(r.happening.values)] for r in reports
    ]
    return pack_record(Schema.EVENTS, 1, [rows])


def decode_events(data: bytes) -> tuple[EventReport, ...]:
    """Return the reports in an EVENTS record; a newer board's events become UNKNOWN.

    Raises:
        WireError: the record breaks the schema, or an event has the wrong values.
    """
    rows = read_record(data, Schema.EVENTS, 1, 1).array("events", most=MAX_EVENTS_A_RECORD)
    return tuple(_read_report(rows.array("event", most=5)) for _ in range(rows.left()))


def _read_report(row: Fields) -> EventReport:
    number = row.integer("event number")
    first, count = row.instant("first"), row.integer("count", 1)
    return EventReport(read_happening(number, row.array("values", most=8)), first, count)


def read_happening(number: int, items: Fields) -> Happening:
    """Return an event by its number and its values; one that is not known becomes UNKNOWN.

    Raises:
        WireError: the values are not those of the event.
    """
    event = _BY_NUMBER.get(number)
    if event is None:
        return Event.UNKNOWN(number=number)
    if items.left() != len(event.fields):
        raise WireError(f"event {number} takes {len(event.fields)} values, got {items.left()}")
    return Happening(event, items.scalars())


def _bounded(value: Value) -> Value:
    return value[:MAX_TEXT] if isinstance(value, str) else value
