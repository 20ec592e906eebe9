"""Charts as SVG, coloured by the page's style sheet so that they follow light and dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ground.report.markup import Html, join, tag
from ground.times import duration

Values = NDArray[np.float64]

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 36
NAME_WIDTH, NAME_HEIGHT = 18, 11
"""A label's place, in pixels of the chart."""
MOST_POINTS = 1400
"""Curves with more points are drawn by the highest and lowest of each step."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How values become pixels along one side."""

    low: float
    high: float
    from_px: float
    to_px: float

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        span = (self.high - self.low) or 1.0
        return self.from_px + (value - self.low) / span * (self.to_px - self.from_px)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values inside the axis, at most about ``most``."""
        span = (self.high - self.low) or 1.0
        raw = span / most
        power = 10.0 ** np.floor(np.log10(raw))
        step = float(next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999))
        first = float(np.ceil(self.low / step)) * step
        return [first + i * step for i in range(int((self.high - first) / step + 1.001))]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One curve and its name."""

    x: Values
    y: Values
    name: str


@dataclass(frozen=True, slots=True)
class Label:
    """A word over a place of the curve."""

    x: float
    y: float
    text: str
    strong: bool = False


def curve_chart(
    lines: Sequence[Line],
    *,
    x_name: str,
    y_name: str,
    labels: Sequence[Label] = (),
    logarithmic: bool = False,
    x_end: float | None = None,
) -> Html:
    """Return curves over a common axis, with a legend where there are several."""
    lines = [_shown(line, x_end) for line in lines]
    all_x = np.concatenate([line.x for line in lines])
    all_y = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    if not all_x.size or not all_y.size:
        return tag("p", "nothing to draw", class_="quiet")
    low, high = float(all_y.min()), float(all_y.max())
    if logarithmic:
        low, high = 0.6, max(high, 10.0) * 4
        to_axis = _logarithm
    else:
        margin = (high - low) * 0.06 or 1.0
        low, high = low - margin, high + margin
        to_axis = _same
    x = Axis(float(all_x.min()), float(all_x.max()), LEFT, WIDTH - RIGHT)
    y = Axis(to_axis(low), to_axis(high), HEIGHT - BOTTOM, TOP)
    curves = [
        tag("path", class_=f"line l{index % 8}", d=_path(line, x, y, logarithmic=logarithmic))
        for index, line in enumerate(lines)
    ]
    picture = _frame(
        [
            *_grid(x, y, x_name, y_name, logarithmic=logarithmic),
            *curves,
            *_names(labels, x, y, to_axis),
        ]
    )
    if len(lines) < 2:
        return picture
    keys = [
        tag("span", tag("i", "", class_=f"key k{index % 8}"), line.name)
        for index, line in enumerate(lines)
    ]
    return join([picture, tag("p", *keys, class_="legend")])


def arrivals_chart(arrivals: Sequence[tuple[int, int]]) -> Html:
    """Return when parts of each priority came: ``(reception time in ms, priority)`` in order."""
    first = min(at for at, _ in arrivals)
    last = max(at for at, _ in arrivals)
    width, lane, left = 1100, 34, 150
    x = Axis(0, max(last - first, 1), left, width - 16)
    names = ("0  decisions, faults", "1  summaries", "2  evidence", "3  full frames")
    pieces: list[Html] = []
    for priority, name in enumerate(names):
        y = 8 + priority * lane
        pieces += [
            tag(
                "rect",
                class_="lane",
                x=left - 4,
                y=y,
                width=width - left - 8,
                height=lane - 8,
                rx=5,
            ),
            tag("text", name, class_="name", x=left - 14, y=y + lane / 2),
        ]
    # Parts that fall on the same pixel would only be drawn over each other.
    places = sorted({(priority, round(x.place(at - first))) for at, priority in arrivals})
    pieces += [
        tag(
            "rect",
            class_=f"part p{priority}",
            x=at - 1,
            y=11 + priority * lane,
            width=2.4,
            height=lane - 14,
            rx=1,
        )
        for priority, at in places
    ]
    base = 8 + 4 * lane
    for tick in x.ticks(7):
        place = x.place(tick)
        pieces += [
            tag("line", class_="grid", x1=place, x2=place, y1=8, y2=base),
            tag("text", f"+{duration(round(tick))}", class_="tick middle", x=place, y=base + 14),
        ]
    return tag("svg", *pieces, viewBox=f"0 0 {width} {base + 22}", class_="chart wide", role="img")


def _names(
    labels: Sequence[Label], x: Axis, y: Axis, to_axis: Callable[[float], float]
) -> list[Html]:
    """Return labels over their places, lifted where one would touch the one before."""
    names = []
    last = (-1e9, 0.0)
    for label in sorted(labels, key=lambda label: label.x):
        if not x.low <= label.x <= x.high:
            continue
        at, height = x.place(label.x), y.place(to_axis(label.y)) - 6
        if at - last[0] < NAME_WIDTH and abs(height - last[1]) < NAME_HEIGHT:
            height = last[1] - NAME_HEIGHT
        last = (at, height)
        style = "mark strong" if label.strong else "mark"
        names.append(tag("text", label.text, x=at, y=height, class_=style))
    return names


def _frame(pieces: Sequence[Html]) -> Html:
    return tag("svg", *pieces, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="chart", role="img")


def _grid(x: Axis, y: Axis, x_name: str, y_name: str, *, logarithmic: bool) -> list[Html]:
    pieces = []
    for tick in x.ticks():
        at = x.place(tick)
        pieces += [
            tag("line", class_="grid", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM),
            tag("text", f"{tick:g}", class_="tick middle", x=at, y=HEIGHT - BOTTOM + 13),
        ]
    ticks = [float(d) for d in range(8) if y.low <= d <= y.high] if logarithmic else y.ticks(5)
    for tick in ticks:
        at = y.place(tick)
        said = f"{10**tick:,.0f}" if logarithmic else f"{tick:g}"
        pieces += [
            tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at),
            tag("text", said, class_="tick end", x=LEFT - 6, y=at + 3),
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    pieces += [
        tag("text", x_name, class_="tick middle", x=middle, y=HEIGHT - 4),
        tag(
            "text",
            y_name,
            class_="tick middle",
            transform=f"translate(11 {HEIGHT / 2 - 12}) rotate(-90)",
        ),
    ]
    return pieces


def _shown(line: Line, x_end: float | None) -> Line:
    order = np.argsort(line.x, kind="stable")
    x, y = line.x[order], line.y[order]
    if x_end is not None:
        x, y = x[x <= x_end], y[x <= x_end]
    if len(x) > MOST_POINTS:
        step = -(-len(x) // (MOST_POINTS // 2))
        whole = len(x) // step * step
        blocks = y[:whole].reshape(-1, step)
        y = np.stack([blocks.max(axis=1), blocks.min(axis=1)], axis=1).reshape(-1)
        x = np.repeat(x[:whole:step], 2)
    return Line(x, y, line.name)


def _path(line: Line, x: Axis, y: Axis, *, logarithmic: bool) -> str:
    steps: list[str] = []
    pen = "M"
    for at, value in zip(line.x, line.y, strict=True):
        if not np.isfinite(value):
            pen = "M"
            continue
        height = y.place(_logarithm(float(value)) if logarithmic else float(value))
        steps.append(f"{pen}{x.place(float(at)):.1f} {height:.1f}")
        pen = "L"
    return "".join(steps)


def _logarithm(value: float) -> float:
    return float(np.log10(max(value, 0.6)))


def _same(value: float) -> float:
    return value
