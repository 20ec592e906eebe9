"""Contact windows as a chart: on the terminal, and as a page that opens without a network."""

from collections.abc import Sequence
from dataclasses import dataclass

from ground.console import clean, table
from ground.report.markup import Child, Html, tag
from ground.report.style import STYLE
from ground.sky.plan import Direction
from ground.sky.settings import SkySettings
from ground.times import data_size, duration, utc

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_WIDTH, _LANE, _LEFT, _RIGHT = 1100, 34, 230, 16
_TICKS = 8
_SUMMARY_HEAD = ("link", "windows", "open", "longest gap", "light time", "rate", "carries")
_WINDOWS_HEAD = ("link", "from (UTC)", "to (UTC)", "for")


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What is drawn."""

    settings: SkySettings
    directions: tuple[Direction, ...]
    start_ms: int
    end_ms: int

    def name(self, direction: Direction) -> str:
        """Return who sends to whom."""
        names = {node.node: clean(node.name) or f"node {node.node}" for node in self.settings.nodes}
        return f"{names[direction.from_node]} → {names[direction.to_node]}"


def text_chart(drawing: Drawing, width: int = 72) -> str:
    """Return a line a direction, each cell filled by how much of it a window covers."""
    names = [drawing.name(direction) for direction in drawing.directions]
    left = max(map(len, names), default=0)
    lines = [
        f"{name:<{left}}  {_bar(drawing, direction, width)}"
        for name, direction in zip(names, drawing.directions, strict=True)
    ]
    first, last = utc(drawing.start_ms)[:16], utc(drawing.end_ms)[:16]
    lines.append(f"{'':<{left}}  {first}{last:>{width - len(first)}}")
    return "\n".join(lines)


def summary_table(drawing: Drawing) -> str:
    """Return what the windows come to, a line a direction."""
    return table(_SUMMARY_HEAD, _summary(drawing), right=" rrrrrr")


def contact_lines(drawing: Drawing) -> str:
    """Return every window as a line."""
    return table(_WINDOWS_HEAD, _windows(drawing), right="   r")


def html_page(drawing: Drawing) -> str:
    """Return the chart and the windows as one page."""
    title = clean(drawing.settings.title)
    words = (
        f"From {utc(drawing.start_ms)} to {utc(drawing.end_ms)}. A window counts in the sender's"
        " time; light time is included."
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    body = tag(
        "body",
        tag("header", tag("div", tag("h1", title), tag("p", words))),
        tag(
            "main",
            tag("h2", "Windows"),
            tag("div", _chart(drawing), class_="box-card"),
            tag("h2", "What they come to"),
            tag("div", _table(_SUMMARY_HEAD, _summary(drawing)), class_="box-card"),
            tag("h2", "Every window"),
            tag("div", _table(_WINDOWS_HEAD, _windows(drawing)), class_="box-card"),
            tag("footer", "Made by `ground contacts`. Orbits round the Moon are two-body orbits."),
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _summary(drawing: Drawing) -> list[tuple[str, ...]]:
    whole_ms = drawing.end_ms - drawing.start_ms
    rows: list[tuple[str, ...]] = []
    for d in drawing.directions:
        lights = [light_ms for _, light_ms in d.ranges] or [0]
        rows.append(
            (
                drawing.name(d),
                str(len(d.windows)),
                f"{100 * d.open_ms / whole_ms:.1f} %",
                duration(d.longest_gap_ms) if d.longest_gap_ms else "-",
                f"{min(lights)} to {max(lights)} ms" if d.ranges else "-",
                f"{data_size(d.rate_bytes_s)}/s",
                data_size(d.rate_bytes_s * d.open_ms // 1000),
            )
        )
    return rows


def _windows(drawing: Drawing) -> list[tuple[str, ...]]:
    return [
        (drawing.name(d), utc(w.start_ms), utc(w.end_ms), duration(w.end_ms - w.start_ms))
        for d in drawing.directions
        for w in d.windows
    ]


def _bar(drawing: Drawing, direction: Direction, width: int) -> str:
    cell_ms = (drawing.end_ms - drawing.start_ms) / width
    cells = []
    for index in range(width):
        low = drawing.start_ms + index * cell_ms
        covered = sum(
            max(0.0, min(w.end_ms, low + cell_ms) - max(w.start_ms, low)) for w in direction.windows
        )
        cells.append(_EIGHTHS[round(8 * covered / cell_ms)])
    return "".join(cells)


def _chart(drawing: Drawing) -> Html:
    base = len(drawing.directions) * _LANE + 8
    span_ms = drawing.end_ms - drawing.start_ms
    scale = (_WIDTH - _LEFT - _RIGHT) / span_ms
    pieces: list[Child] = []
    for index, direction in enumerate(drawing.directions):
        top = 8 + index * _LANE
        pieces += [
            tag("text", drawing.name(direction), class_="name", x=_LEFT - 10, y=top + 12),
            tag("rect", class_="lane", x=_LEFT, y=top, width=span_ms * scale, height=24, rx=4),
        ]
        pieces += [
            tag(
                "rect",
                tag("title", f"{utc(w.start_ms)} to {utc(w.end_ms)}"),
                class_=f"p{3 - index % 4}",
                x=_LEFT + (w.start_ms - drawing.start_ms) * scale,
                y=top,
                width=(w.end_ms - w.start_ms) * scale,
                height=24,
            )
            for w in direction.windows
        ]
    for tick in range(_TICKS + 1):
        at = _LEFT + (_WIDTH - _LEFT - _RIGHT) * tick / _TICKS
        when = utc(drawing.start_ms + span_ms * tick // _TICKS)
        pieces += [
            tag("line", class_="grid", x1=at, x2=at, y1=8, y2=base),
            tag("text", when[5:16].replace("T", " "), class_="tick middle", x=at, y=base + 14),
        ]
    box = f"0 0 {_WIDTH} {base + 22}"
    return tag("svg", *pieces, viewBox=box, class_="chart wide", role="img")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return tag(
        "table",
        tag("thead", tag("tr", *(tag("th", name) for name in head))),
        tag("tbody", *(tag("tr", *(tag("td", cell, class_="t") for cell in row)) for row in rows)),
    )
