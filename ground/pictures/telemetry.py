"""A sampling attempt: the picture of the canister, and the courses of its mechanisms' sensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator
from numpy.typing import NDArray

from flight.autonomy.sample import CHANNELS
from ground.pictures.style import INK, LINES, RULE, new_sheet
from ground.pictures.values import View, Words, stretch

Values = NDArray[np.float64]

NEAR_SEAL_UM = 1500.0
"""Gaps are drawn up to here: a wide-open lid would flatten what decides."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Channels of one unit that are drawn over each other."""

    channels: tuple[int, ...]
    most: float | None = None


PANELS = (
    Panel((6, 7), NEAR_SEAL_UM),
    Panel((8,)),
    Panel((0,)),
    Panel((1,)),
    Panel((4,)),
    Panel((2, 5)),
)
"""Lid gaps, closing force, drive current, torque, mass, depth and fill level: what decides first.
Arm and temperatures are in the data, not in the picture."""


def in_units(rows: NDArray[np.generic]) -> Values:
    """Return each channel in its own unit, NaN where a value was lost.

    ``rows`` are (channels, times) counts as flight.autonomy.sample.CHANNELS lists them.
    """
    counts = rows.astype(np.float64)
    zero = np.array([[channel.zero] for channel in CHANNELS[: len(counts)]])
    unit = np.array([[channel.counts_per_unit] for channel in CHANNELS[: len(counts)]])
    values: Values = np.where(counts > 0, (counts - zero) / unit, np.nan)
    return values


def is_telemetry(rows: NDArray[np.generic]) -> bool:
    """Return whether an array has the channels' form."""
    return rows.ndim == 2 and rows.shape[0] == len(CHANNELS)


def draw_telemetry(
    rows: NDArray[np.generic], words: Words, *, picture: View | None = None
) -> Figure:
    """Return the courses in two columns of panels, the picture above them where it is here."""
    values = in_units(rows)
    figure, (whole,) = new_sheet(words, aspect=1.18 if picture is None else 1.6, legend_rows=0)
    box = whole.get_position()
    whole.remove()
    panels = box.height
    if picture is not None:
        side = 0.46 * box.height
        wide = side * figure.get_figheight() / figure.get_figwidth()
        axes = figure.add_axes((box.x0, box.y1 - side, wide, side))
        axes.imshow(stretch(picture), cmap="gray", vmin=0, vmax=1, extent=picture.extent)
        axes.tick_params(labelsize=7)
        panels = box.height - side - 0.05
    rows_of_panels = -(-len(PANELS) // 2)
    high, wide = panels / rows_of_panels, box.width / 2
    for index, panel in enumerate(PANELS):
        left = box.x0 + (index % 2) * (wide + 0.03)
        bottom = box.y0 + panels - (index // 2 + 1) * high
        axes = figure.add_axes((left, bottom + 0.2 * high, wide - 0.06, 0.72 * high))
        _draw_panel(axes, values, panel)
    return figure


def _draw_panel(axes: Axes, values: Values, panel: Panel) -> None:
    for index, channel in enumerate(panel.channels):
        course = values[channel]
        shown = course if panel.most is None else np.where(course <= panel.most, course, np.nan)
        name = CHANNELS[channel].name
        axes.plot(shown, color=LINES[index], linewidth=1.2, label=name)
    names = ", ".join(CHANNELS[channel].name for channel in panel.channels)
    axes.set_title(f"{names} / {CHANNELS[panel.channels[0]].unit}", fontsize=8, color=INK, pad=3)
    axes.set_xlim(0, values.shape[1] - 1)
    axes.yaxis.set_major_locator(AutoLocator())
    axes.tick_params(labelsize=7)
    axes.grid(color=RULE, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if len(panel.channels) > 1:
        axes.legend(frameon=False, fontsize=7, labelcolor=INK)


def chart_lines(values: Values, channels: Sequence[int]) -> list[tuple[str, Values]]:
    """Return names and courses of some channels, gaps only near the seal."""
    shown = []
    for channel in channels:
        course = values[channel]
        if CHANNELS[channel].name.startswith("lid gap"):
            course = np.where(course <= NEAR_SEAL_UM, course, np.nan)
        shown.append((CHANNELS[channel].name, course))
    return shown
