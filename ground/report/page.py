"""The page: what the run was, what came of it, what can be believed, in that order."""

from collections.abc import Iterator
from pathlib import Path

from flight.product.journal import JournalEntry
from flight.product.values import SensorKind
from ground.archive import Archive, Progress
from ground.library import Library
from ground.replay import Outcome, replay
from ground.report.cards import frame_card
from ground.report.charts import arrivals_chart
from ground.report.links import links_section
from ground.report.markup import Child, Html, join, tag
from ground.report.style import STYLE
from ground.report.tables import (
    Run,
    boots_table,
    decisions_table,
    events_table,
    losses_list,
    losses_table,
    products_table,
    section,
)
from ground.times import data_size, duration, utc
from ground.verify import verify_frames

MOST_CARDS = 120
"""Frames with a card; further ones stand in the table of decisions only."""
_CAMERA_WORDS = (
    "Orange is hazard, the darker the surer; blue is deep shadow, purple is what a range image"
    " forbids beside them, the green ring is the chosen site with its clear radius. Coarse pictures"
    " are thumbnails: whole frames come at priority 3."
)
_CUBE_WORDS = (
    "Brightness where the cube is here, the class of each pixel, and the strangest spectra."
)
_SAMPLE_WORDS = (
    "The open canister before its lid closed, and what its mechanisms' sensors gave until it was"
    " shut. A canister is called sealed only where model, gaps and force agree."
)
_XRAY_WORDS = (
    "Counts over energy on a logarithmic scale, with the elements found; orange names are"
    " suspected contamination. Oxides are the model's word, elements are counted lines."
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""No script runs and nothing is fetched, whatever a reader's browser would allow."""


def write_report(archive: Archive, path: Path, *, title: str, progress: Progress) -> None:
    """Write the report of an archive, whole or not at all."""
    library = Library(archive)
    run = Run(archive, library, replay(library), verify_frames(library), library.rows(), title)
    text = _page(run, progress)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _page(run: Run, progress: Progress) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", run.title),
        tag("style", Html(STYLE)),
    )
    body = tag(
        "body",
        _header(run),
        tag(
            "main",
            _tiles(run),
            _verdict(run),
            _arrivals(run),
            *_sensors(run, progress),
            decisions_table(run),
            events_table(run),
            boots_table(run),
            links_section(run.library),
            products_table(run),
            losses_table(run),
            losses_list(run),
            tag(
                "footer", "Made by `ground report`. This file needs no network and runs no script."
            ),
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(run: Run) -> Html:
    taken = [row.header.taken.dtn_ms for row in run.rows if row.header.taken.dtn_ms]
    received = [row.last_received_ms for row in run.rows if row.last_received_ms]
    words = "Nothing has arrived yet."
    if taken and received:
        words = (
            f"Made from {utc(min(taken))} to {utc(max(taken))},"
            f" received until {utc(max(received))}."
        )
    return tag("header", tag("div", tag("h1", run.title), tag("p", words)))


def _tiles(run: Run) -> Html:
    decisions = [e for entries in run.library.logbook.entries.values() for e in entries.values()]
    received = sum(row.data_bytes for row in run.rows)
    taken = sum(_frame_bytes(entry) for entry in decisions)
    complete = sum(row.complete for row in run.rows)
    missing = sum(len(row.missing) for row in run.rows)
    tiles = [
        (str(len(decisions)), "frames decided"),
        (f"{complete} of {len(run.rows)}", "products complete"),
        (str(missing), "parts missing"),
        (data_size(taken), "taken by the sensors"),
        (data_size(received), "received"),
        (f"{taken / received:.1f} x" if received else "-", "smaller than what was taken"),
    ]
    return tag(
        "div",
        *(tag("div", tag("b", value), tag("span", name), class_="tile") for value, name in tiles),
        class_="tiles",
    )


def _frame_bytes(entry: JournalEntry) -> int:
    size = entry.step.sample_bytes
    for length in entry.step.frame.shape:
        size *= length
    return size


def _verdict(run: Run) -> Html:
    total = sum(check.steps for check in run.replay.checks)
    whole = sum(check.identical for check in run.frames)
    frames = f"{whole} of {len(run.frames)} whole frames have the SHA-256 the board wrote down."
    if not total:
        return tag("p", "No decision has arrived, so none could be repeated.", class_="word bad")
    if run.replay.identical:
        words = f"All {total} decisions were repeated on the ground and agree, bit for bit."
        return tag("p", words, tag("small", frames), class_="word good")
    first = run.replay.first_divergence
    counts = {outcome: run.replay.count(outcome) for outcome in Outcome}
    words = (
        f"{counts[Outcome.AGREES]} of {total} decisions were repeated and agree;"
        f" {counts[Outcome.DIVERGES]} diverge, {counts[Outcome.MISSING]} are missing,"
        f" {counts[Outcome.UNCHECKED]} cannot be repeated yet."
    )
    said: list[Child] = [words]
    if first is not None:
        said.append(
            tag(
                "small",
                f"First divergence: node {first.node} step {first.step}, {first.what}:"
                f" the board has {first.board}, the ground {first.ground}.",
            )
        )
    said.append(tag("small", frames))
    return tag("p", *said, class_="word bad")


def _arrivals(run: Run) -> Html:
    arrivals = [(at, priority) for at, priority, _ in run.archive.catalogue.arrivals() if at]
    if not arrivals:
        return join([])
    span = duration(arrivals[-1][0] - arrivals[0][0])
    return section(
        "Order of arrival",
        f"Each stroke is one part as it came in, over {span}; gaps are where no contact was. In"
        " each contact the lower priorities wait for the higher ones.",
        tag("div", arrivals_chart(arrivals), class_="box-card"),
    )


def _sensors(run: Run, progress: Progress) -> Iterator[Html]:
    logbook = run.library.logbook
    steps = [
        (logbook.headers[(node, number)], entry)
        for node, entries in sorted(logbook.entries.items())
        for number, entry in sorted(entries.items())
    ]
    done = 0
    for kind, title, words in _SENSORS:
        found = [(header, entry) for header, entry in steps if entry.step.kind is kind]
        if not found:
            continue
        cards = []
        for header, entry in found[:MOST_CARDS]:
            cards.append(frame_card(run.library, header, entry))
            done += 1
            progress(done, len(steps))
        more = len(found) - MOST_CARDS
        note = [tag("p", f"and {more} more frames, in the table below")] * (more > 0)
        wide = "" if kind is SensorKind.CAMERA else " wide"
        switch = [_SWITCH] if kind is SensorKind.CAMERA else []
        yield section(title, words, *switch, tag("div", *cards, class_=f"cards{wide}"), *note)


_SWITCH = tag(
    "label",
    tag("input", type="checkbox", id="overlay", checked="checked"),
    "show what was found",
    class_="toggle",
)

_SENSORS = (
    (SensorKind.CAMERA, "Camera", _CAMERA_WORDS),
    (SensorKind.CUBE, "Spectrometer", _CUBE_WORDS),
    (SensorKind.XRAY, "X-ray", _XRAY_WORDS),
    (SensorKind.SAMPLE, "Sample", _SAMPLE_WORDS),
)
