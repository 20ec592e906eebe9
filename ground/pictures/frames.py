"""Camera frames, and the hazard map laid over them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Rectangle
from numpy.typing import NDArray

from ground.pictures.style import (
    ABSENT,
    ABSENT_LINE,
    FORBIDDEN,
    HAZARD,
    INK,
    PAPER,
    SHADOW,
    SITE,
    add_legend,
    new_sheet,
)
from ground.pictures.values import Extent, HazardMap, Mask, Site, View, Words, stretch

Colours = NDArray[np.float32]

MOST_ASPECT = 2.5
"""Frames taller than this many widths are drawn with pixels that are not square."""


def draw_frame(
    view: View,
    words: Words,
    *,
    site: Site | None = None,
    metres_per_pixel: float | None = None,
) -> Figure:
    """Return a frame, or a piece of one, with pixel axes; a scale bar where the scale is known."""
    figure, (axes,) = new_sheet(words, aspect=aspect_of(view.samples.shape), legend_rows=1)
    handles = _draw_grey(axes, view)
    if site:
        handles.insert(0, _draw_site(axes, site, metres_per_pixel))
    _frame_axes(axes, view.extent)
    _scale_bar(axes, view.extent, metres_per_pixel)
    add_legend(figure, handles)
    return figure


def draw_hazards(
    hazards: HazardMap,
    words: Words,
    *,
    shape: tuple[int, int],
    frame: View | None = None,
    site: Site | None = None,
    metres_per_pixel: float | None = None,
) -> Figure:
    """Return hazard and shadow over the frame, or on plain paper where the frame is not here.

    ``shape`` is the frame's (rows, columns), which the decision tells even without the frame.
    """
    rows, columns = shape
    figure, (axes,) = new_sheet(words, aspect=aspect_of((rows, columns)))
    handles: list[Patch | Line2D] = []
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    if frame:
        handles += _draw_grey(axes, frame)
    overlay = _overlay(hazards, solid=frame is None)
    axes.imshow(overlay, extent=hazards.extent, interpolation="nearest", aspect="auto")
    hatch_absent(axes, hazards.present, hazards.extent)
    share = _shares(hazards)
    handles = [
        Patch(facecolor=HAZARD, alpha=0.75, label=f"hazard  {share[0]:.1f} %"),
        Patch(facecolor=SHADOW, alpha=0.8, label=f"deep shadow  {share[1]:.1f} %"),
        *([Patch(facecolor=FORBIDDEN, label=f"range  {share[2]:.1f} %")] if share[2] else []),
        *handles,
    ]
    if not hazards.present.all():
        handles.append(absent_patch("map not received"))
    if site:
        handles.insert(0, _draw_site(axes, site, metres_per_pixel))
    _frame_axes(axes, extent)
    _scale_bar(axes, extent, metres_per_pixel)
    add_legend(figure, handles)
    return figure


def absent_patch(label: str) -> Patch:
    """Return the legend's entry for samples that did not arrive."""
    return Patch(facecolor=ABSENT, edgecolor=ABSENT_LINE, hatch="////", label=label)


def hatch_absent(axes: Axes, present: Mask, extent: Extent) -> None:
    """Cover what did not arrive with paper and hatching, so that nobody takes it for data."""
    if present.all():
        return
    cover = np.zeros((*present.shape, 4), np.float32)
    cover[~present] = (0.894, 0.906, 0.925, 1.0)
    axes.imshow(cover, extent=extent, interpolation="nearest", aspect="auto")
    if min(present.shape) < 2:
        return
    hatching = axes.contourf(
        np.linspace(extent[0], extent[1], present.shape[1]),
        np.linspace(extent[3], extent[2], present.shape[0]),
        (~present).astype(np.float32),
        levels=(0.5, 1.5),
        colors="none",
        hatches=("////",),
    )
    hatching.set_edgecolor(ABSENT_LINE)
    hatching.set_linewidth(0)


def _draw_grey(axes: Axes, view: View) -> list[Patch | Line2D]:
    extent = view.extent
    axes.imshow(
        stretch(view),
        cmap="gray",
        vmin=0,
        vmax=1,
        extent=extent,
        interpolation="nearest",
        aspect="auto",
    )
    hatch_absent(axes, view.present, extent)
    if view.present.all():
        return []
    missing = 100 * (1 - view.present.mean())
    return [absent_patch(f"not received  {missing:.0f} %")]


def _frame_axes(axes: Axes, extent: Extent) -> None:
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    axes.set_xlabel("column / pixels")
    axes.set_ylabel("row / pixels")


def _overlay(hazards: HazardMap, *, solid: bool) -> Colours:
    strength = 0.9 if solid else 0.5
    overlay = np.zeros((*hazards.hazard.shape, 4), np.float32)
    if solid:
        overlay[:] = (0.93, 0.94, 0.955, 1.0)
    overlay[hazards.shadow] = (0.15, 0.55, 0.95, strength)
    overlay[hazards.hazard] = (0.835, 0.369, 0.0, strength)
    overlay[hazards.hazard, 3] = np.minimum(1, 1.5 * strength) * hazards.strength[hazards.hazard]
    overlay[hazards.forbidden] = (0.8, 0.475, 0.655, strength)
    overlay[~hazards.present] = 0
    return overlay


def _shares(hazards: HazardMap) -> tuple[float, ...]:
    known = max(int(hazards.present.sum()), 1)
    masks = (hazards.hazard, hazards.shadow, hazards.forbidden)
    return tuple(100 * int((mask & hazards.present).sum()) / known for mask in masks)


def _draw_site(axes: Axes, site: Site, metres_per_pixel: float | None) -> Line2D:
    radius = max(site.radius, 1)
    for width, colour in ((4.0, "#06251c"), (2.0, SITE)):
        axes.add_patch(
            Circle((site.column, site.row), radius, fill=False, linewidth=width, edgecolor=colour)
        )
        axes.plot(
            site.column,
            site.row,
            marker="+",
            markersize=9 + width,
            color=colour,
            markeredgewidth=width,
        )
    size = f"{radius} pixels" if metres_per_pixel is None else f"{radius * metres_per_pixel:.1f} m"
    return Line2D(
        [],
        [],
        marker="o",
        markersize=8,
        markerfacecolor="none",
        markeredgecolor="#009e73",
        markeredgewidth=2,
        linestyle="none",
        label=f"safe site at row {site.row}, column {site.column}; clear radius {size}",
    )


def _scale_bar(axes: Axes, extent: Extent, metres_per_pixel: float | None) -> None:
    if not metres_per_pixel:
        return
    left, right, bottom, top = extent
    width, height = right - left, bottom - top
    length_m = _round_length(width * metres_per_pixel / 5)
    length = length_m / metres_per_pixel
    unit = f"{length_m:g} m" if length_m >= 1 else f"{100 * length_m:g} cm"
    x, y, pad = left + width * 0.045, top + height * 0.955, width * 0.015
    box = Rectangle((x - pad, y - height * 0.05), length + 2 * pad, height * 0.07)
    box.set(facecolor=INK, alpha=0.72, linewidth=0)
    axes.add_patch(box)
    axes.plot((x, x + length), (y, y), color=PAPER, linewidth=2.5, solid_capstyle="butt")
    axes.text(
        x + length / 2,
        y - height * 0.01,
        unit,
        color=PAPER,
        fontsize=8,
        ha="center",
        va="bottom",
        fontweight="bold",
    )


def _round_length(longest: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not longer."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in (1, 2, 5) if step * power <= longest * 1.0001))


def aspect_of(shape: tuple[int, ...]) -> float:
    """Return height over width for a panel, within what a page can hold."""
    return float(min(max(shape[0] / max(shape[1], 1), 0.2), MOST_ASPECT))
