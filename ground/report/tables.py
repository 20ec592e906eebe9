"""The report's tables: decisions, events, boots, products, and what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

from flight.product.journal import JournalEntry
from flight.product.part import Header, ProductKind
from ground.archive import Archive
from ground.library import Library
from ground.notices import LOSS_REASONS, loss_name
from ground.replay import Check, Outcome, Replay
from ground.report.markup import Child, Html, join, tag
from ground.rows import Filter, Row
from ground.times import data_size, utc
from ground.verify import FrameCheck
from ground.words import (
    FRAMELESS,
    decision_words,
    event_cells,
    finding_words,
    kind_name,
    ranges,
)

_PROSE = frozenset(("decision", "findings", "event", "models", "missing"))
"""Columns whose cells may be broken into lines."""
MOST_ROWS = 2000
"""Rows in one table; `ground ls` and `ground export` have all."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Everything that the page is made of."""

    archive: Archive
    library: Library
    replay: Replay
    frames: tuple[FrameCheck, ...]
    rows: tuple[Row, ...]
    title: str


def decisions_table(run: Run) -> Html:
    """Return every decision with what became of it in replay."""
    checks = {
        (check.node, step): check
        for check in run.replay.checks
        for step in range(check.step, min(check.last_step, check.step + MOST_ROWS) + 1)
    }
    logbook, rows = run.library.logbook, []
    for node, entries in sorted(logbook.entries.items()):
        for number, entry in sorted(entries.items()):
            header = logbook.headers[(node, number)]
            rows.append(_decision_row(run, header, entry, checks.get((node, number))))
    head = ("step", "decided (UTC)", "received (UTC)", "frame", "decision", "findings", "replay",
            "chained digest")  # fmt: skip
    return _table_section("Decisions", "In the order in which the board made them.", head, rows)


def _decision_row(
    run: Run, header: Header, entry: JournalEntry, check: Check | None
) -> Sequence[Child]:
    step, decision = entry.step, entry.decision
    row = run.library.row(header.id)
    outcome = check.outcome if check else Outcome.UNCHECKED
    badge = "badge" if outcome is Outcome.AGREES else "badge warning"
    findings = [finding_words(finding) for finding in decision.findings[:4]]
    return (
        f"{header.id.node}: {step.number}",
        utc(step.now.dtn_ms),
        utc(row.first_received_ms) if row else "-",
        f"{step.sensor} {step.frame_number}",
        decision_words(decision),
        join(findings, "; "),
        tag("span", outcome.value, class_=badge, title=check.what if check else ""),
        tag("code", entry.digest.hex()[:16]),
    )


def events_table(run: Run) -> Html:
    """Return every event, oldest first."""
    kinds = frozenset((ProductKind.URGENT_EVENTS, ProductKind.EVENTS))
    reports = []
    for row in run.library.rows(Filter(kinds=kinds)):
        record = run.library.record(row.header.id)
        if isinstance(record, tuple):
            reports += [(row, report) for report in record]
    reports.sort(key=lambda pair: (pair[1].first.dtn_ms, pair[1].first.mono_ns))
    rows: list[Sequence[Child]] = []
    for row, report in reports:
        at, severity, words, times = event_cells(report)
        badge = tag("span", severity, class_=f"badge {severity}")
        rows.append((at, utc(row.first_received_ms), badge, words, times))
    head = ("first seen (UTC)", "received (UTC)", "severity", "event", "")
    return _table_section("Events", "What the board said of itself, oldest first.", head, rows)


def boots_table(run: Run) -> Html:
    """Return what ran in each boot."""
    rows: list[Sequence[Child]] = []
    for (node, number), boot in sorted(run.library.logbook.boots.items()):
        models = [
            join([f"{model.name} {model.version} ", tag("code", model.digest.hex()[:16])])
            for model in boot.models
        ]
        rows.append(
            (
                f"{node}: {number}",
                utc(boot.now.dtn_ms),
                boot.software,
                tag("code", boot.config_digest.hex()[:16]),
                join(models, ", "),
            )
        )
    head = ("boot", "at (UTC)", "software", "settings", "models")
    return _table_section("Boots", "What ran, by its SHA-256.", head, rows)


def products_table(run: Run) -> Html:
    """Return every product in order of arrival, folded away."""
    rows: list[Sequence[Child]] = []
    for row in sorted(run.rows, key=lambda row: row.first_arrival):
        header = row.header
        frame = "" if header.kind in FRAMELESS else f" {header.frame_number}"
        rows.append(
            (
                str(header.id),
                tag("span", tag("i", "", class_=f"key p{row.priority}"), f" {row.priority}"),
                kind_name(header.kind),
                f"{header.sensor}{frame}",
                utc(header.taken.dtn_ms),
                utc(row.first_received_ms),
                f"{header.count - len(row.missing)} of {header.count}",
                data_size(row.data_bytes),
                ranges(row.missing),
            )
        )
    head = ("product", "priority", "kind", "of", "taken (UTC)", "received (UTC)", "parts", "size",
            "missing")  # fmt: skip
    words = "All that arrived, in order of arrival."
    return _table_section("Products", words, head, rows, folded=True)


def losses_table(run: Run) -> Html:
    """Return what was given up on the way, as the nodes named it."""
    rows: list[Sequence[Child]] = [
        (
            utc(loss.told_ms),
            loss.reporter,
            loss_name(loss),
            str(loss.priority),
            data_size(loss.length),
            LOSS_REASONS[loss.reason],
            utc(loss.created_ms),
        )
        for loss in run.archive.catalogue.notices.losses()
    ]
    head = ("told (UTC)", "by", "lost", "priority", "size", "why", "made (UTC)")
    words = "What nodes gave up, and said so in a tombstone. All else that is missing may yet come."
    return _table_section("Named losses", words, head, rows)


def losses_list(run: Run) -> Html:
    """Return everything that is not as it should be."""
    catalogue = run.archive.catalogue
    tally = catalogue.tally()
    lines = [f"{tally.repeated} parts came more than once and are stored once."]
    lines += [f"Refused {bundle}: {reason}" for bundle, reason in catalogue.refusals()[:50]]
    lines += [f"{d.file}: {d.length} bytes at {d.offset} are damaged" for d in catalogue.damages()]
    lines += [f"Product {t.product}: {t.reason}" for t in run.library.logbook.troubles]
    lines += [f"Whole frame {c.sensor} {c.frame_number}: {c.what}" for c in run.frames if c.what]
    lines += [
        f"Node {c.node} steps {c.step} to {c.last_step}: {c.what}"
        for c in run.replay.checks
        if c.outcome is Outcome.MISSING
    ]
    return section(
        "What is not as it should be",
        "",
        tag("div", tag("ul", *(tag("li", line) for line in lines)), class_="box-card"),
    )


def section(title: str, words: str, *children: Child) -> Html:
    """Return a part of the page under its title."""
    said = [tag("p", words)] if words else []
    return tag("section", tag("h2", title), *said, *children)


def _table_section(
    title: str,
    words: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Child]],
    *,
    folded: bool = False,
) -> Html:
    if not rows:
        return join([])
    cells = [
        tag(
            "tr",
            *(
                tag("td", cell, class_="c" if name in _PROSE else "t")
                for name, cell in zip(head, row, strict=True)
            ),
        )
        for row in rows[:MOST_ROWS]
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", *(tag("th", name) for name in head))),
        tag("tbody", *cells),
    )
    more = len(rows) - MOST_ROWS
    note = [tag("p", f"and {more} more", class_="quiet")] * (more > 0)
    inner = join([table, *note])
    if folded:
        inner = tag("details", tag("summary", f"show {len(rows)} rows"), inner)
    return section(title, words, tag("div", inner, class_="box-card"))
