"""Events, decisions and housekeeping as CSV: one row each, times in UTC and in DTN milliseconds."""

import csv
from collections.abc import Callable, Iterator
from typing import TextIO

from flight.product.part import ProductKind
from flight.product.status import Health
from ground.console import clean
from ground.library import Library
from ground.linkwords import link_readings
from ground.notices import LOSS_REASONS, loss_name
from ground.rows import Filter, Row
from ground.times import utc
from ground.words import finding_words, verdict_name

Cell = str | int
Table = Callable[[Library], Iterator[tuple[Cell, ...]]]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def events(library: Library) -> Iterator[tuple[Cell, ...]]:
    """Yield the head and a row for each event, in the order in which they happened."""
    yield (
        "first_seen_utc", "first_seen_dtn_ms", "received_utc", "node", "boot", "severity", "event",
        "count", "words",
    )  # fmt: skip
    kinds = frozenset((ProductKind.URGENT_EVENTS, ProductKind.EVENTS))
    found = []
    for row in library.rows(Filter(kinds=kinds)):
        record = library.record(row.header.id)
        if isinstance(record, tuple):
            found += [(row, report) for report in record]
    found.sort(key=lambda pair: (pair[1].first.dtn_ms, pair[1].first.mono_ns))
    for row, report in found:
        event = report.happening.event
        yield (
            utc(report.first.dtn_ms),
            report.first.dtn_ms,
            utc(row.first_received_ms),
            row.header.id.node,
            row.header.id.boot,
            event.severity.name.lower(),
            event.name.lower(),
            report.count,
            report.happening.words(),
        )


def decisions(library: Library) -> Iterator[tuple[Cell, ...]]:
    """Yield the head and a row for each decision, in the order of the journal."""
    yield (
        "node", "step", "decided_utc", "decided_dtn_ms", "received_utc", "sensor", "frame_number",
        "taken_utc", "task", "verdict", "keep_evidence", "keep_frame",
        "maximum_error_counts", "room_bytes", "findings", "model_sha256", "chained_digest",
        "product",
    )  # fmt: skip
    logbook = library.logbook
    for node, entries in sorted(logbook.entries.items()):
        for number, entry in sorted(entries.items()):
            step, decision = entry.step, entry.decision
            header = logbook.headers[(node, number)]
            row = library.row(header.id)
            yield (
                node,
                number,
                utc(step.now.dtn_ms),
                step.now.dtn_ms,
                utc(row.first_received_ms) if row else "-",
                step.sensor,
                step.frame_number,
                utc(step.taken.dtn_ms),
                step.task,
                verdict_name(decision.verdict),
                int(decision.keep_evidence),
                int(decision.keep_frame),
                decision.maximum_error,
                step.room_bytes,
                "; ".join(finding_words(finding) for finding in decision.findings),
                step.model_digest.hex(),
                entry.digest.hex(),
                str(header.id),
            )


def health(library: Library) -> Iterator[tuple[Cell, ...]]:
    """Yield the head and a row for each measured value; the unit ends its name."""
    yield ("at_utc", "at_dtn_ms", "received_utc", "node", "boot", "name", "value")
    readings: list[tuple[Health, Row]] = []
    for row in library.rows(Filter(kinds=frozenset((ProductKind.HEALTH,)))):
        record = library.record(row.header.id)
        if isinstance(record, Health):
            readings.append((record, row))
    readings.sort(key=lambda pair: (pair[0].now.dtn_ms, pair[0].now.mono_ns))
    for record, row in readings:
        for name, value in zip(record.names, record.values, strict=False):
            if value != -1:  # Not measured on that machine.
                node, boot = row.header.id.node, row.header.id.boot
                at, received = record.now.dtn_ms, utc(row.first_received_ms)
                yield (utc(at), at, received, node, boot, name, value)


def links(library: Library) -> Iterator[tuple[Cell, ...]]:
    """Yield the head and a row for each figure of each link record, a node's and its links'."""
    yield ("at_utc", "at_dtn_ms", "received_utc", "node", "boot", "peer", "name", "value")
    for node, readings in sorted(link_readings(library).items()):
        for reading in readings:
            at, received = reading.state.now.dtn_ms, utc(reading.row.first_received_ms)
            start = (utc(at), at, received, node, reading.row.header.id.boot)
            for name, value in reading.state.named().items():
                yield (*start, "", name, value)
            for link in reading.state.named_links():
                for name, value in link.items():
                    yield (*start, link["peer_node"], name, value)


def losses(library: Library) -> Iterator[tuple[Cell, ...]]:
    """Yield the head and a row for each bundle that a node gave up and named in a tombstone."""
    yield (
        "told_utc", "told_dtn_ms", "by", "lost", "bundle", "priority", "bytes", "why", "made_utc",
    )  # fmt: skip
    for loss in library.losses():
        yield (
            utc(loss.told_ms),
            loss.told_ms,
            loss.reporter,
            loss_name(loss),
            loss.bundle,
            loss.priority,
            loss.length,
            LOSS_REASONS[loss.reason],
            utc(loss.created_ms),
        )


TABLES: dict[str, Table] = {
    "events": events,
    "decisions": decisions,
    "health": health,
    "links": links,
    "losses": losses,
}


def write_csv(table: Table, library: Library, out: TextIO) -> int:
    """Write a table as CSV (RFC 4180) and return how many rows it has below its head."""
    writer = csv.writer(out)
    count = -1
    for row in table(library):
        writer.writerow([_harmless(cell) for cell in row])
        count += 1
    return count


def _harmless(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula: text may come from the link."""
    if isinstance(cell, int):
        return cell
    text = clean(cell, 4000)
    return f"'{text}" if text.startswith(_FORMULA) and text != "-" else text
