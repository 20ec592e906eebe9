"""One look for every picture: paper, ink, a palette for all eyes, a legend that never covers data.

Colours are Okabe and Ito's (2008) and Tol's "muted" set, which stay apart for colour-blind eyes
and in grey print.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ground.pictures.values import Words

PAPER = "#ffffff"
INK = "#1c2430"
QUIET = "#68727f"
RULE = "#d5dae1"

HAZARD = "#d55e00"
SHADOW = "#0072b2"
FORBIDDEN = "#cc79a7"
SITE = "#00e0a4"
ABSENT = "#e4e7ec"
ABSENT_LINE = "#aab2bd"

PHASES = ("#c9ced6", "#cc6677", "#882255", "#999933", "#88ccee", "#44aa99")
"""By Phase number: unsure, low-Ca pyroxene, high-Ca pyroxene, olivine, plagioclase, other."""
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#1c2430")
"""Of curves, in order of importance."""

DPI = 160
WIDTH_IN = 7.2
_TITLE_IN = 0.78
_LEGEND_ROW_IN = 0.2
_LEFT_IN, _RIGHT_IN = 0.72, 0.3
_LABEL_IN = 0.5
"""Below a panel: its tick labels and its axis label."""


def new_sheet(
    words: Words, *, panels: int = 1, aspect: float, legend_rows: int = 2
) -> tuple[Figure, list[Axes]]:
    """Return a figure with its title set and panels of height over width ``aspect`` below it."""
    gap = 0.6
    inner = WIDTH_IN - _LEFT_IN - _RIGHT_IN - gap * (panels - 1)
    panel_width = inner / panels
    panel_height = panel_width * aspect
    below = _LABEL_IN + _LEGEND_ROW_IN * legend_rows + 0.12
    height = _TITLE_IN + panel_height + below
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    left = _LEFT_IN / WIDTH_IN
    figure.text(
        left,
        1 - 0.3 / height,
        words.title,
        fontsize=13,
        fontweight="bold",
        color=INK,
        va="center",
        parse_math=False,
    )
    figure.text(
        left,
        1 - 0.54 / height,
        words.subtitle,
        fontsize=8,
        color=QUIET,
        va="center",
        parse_math=False,
    )
    axes = []
    for index in range(panels):
        x = (_LEFT_IN + index * (panel_width + gap)) / WIDTH_IN
        y = below / height
        box = (x, y, panel_width / WIDTH_IN, panel_height / height)
        axes.append(_dress(figure.add_axes(box)))
    return figure, axes


def _dress(axes: Axes) -> Axes:
    axes.tick_params(colors=QUIET, labelsize=8, width=0.8, length=3)
    for spine in axes.spines.values():
        spine.set_color(QUIET)
        spine.set_linewidth(0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=8.5)
    return axes


def add_legend(figure: Figure, handles: Sequence[Patch | Line2D], *, columns: int = 3) -> None:
    """Put a legend below the panels, where it covers nothing."""
    if handles:
        figure.legend(
            handles=list(handles),
            loc="upper left",
            bbox_to_anchor=(
                _LEFT_IN / WIDTH_IN - 0.012,
                figure.axes[0].get_position().y0 - _LABEL_IN / figure.get_figheight(),
            ),
            borderaxespad=0.0,
            labelspacing=0.45,
            ncols=columns,
            frameon=False,
            fontsize=8,
            labelcolor=INK,
            handlelength=1.4,
            handleheight=1.0,
            columnspacing=1.6,
        )


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    figure.savefig(fresh, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": "farside"})
    fresh.replace(path)
    return path
