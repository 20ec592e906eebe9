"""Cubes and class maps: where which mineral lies, and where something strange does."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from flight.product.values import Finding
from ground.pictures.frames import absent_patch, aspect_of, hatch_absent
from ground.pictures.style import INK, PAPER, PHASES, add_legend, new_sheet
from ground.pictures.values import Mask, View, Words, clusters, stretch
from ground.words import PHASE_NAMES, ranges

Labels = NDArray[np.uint8]


def draw_classes(
    labels: Labels,
    present: Mask,
    words: Words,
    *,
    anomalies: Sequence[Finding] = (),
    brightness: View | None = None,
) -> Figure:
    """Return the class map, beside the cube's brightness where the cube is here."""
    panels = 2 if brightness else 1
    aspect = aspect_of(labels.shape)
    figure, axes = new_sheet(words, panels=panels, aspect=aspect, legend_rows=3)
    if brightness:
        _draw_brightness(axes[0], brightness)
    handles = _draw_labels(axes[-1], labels, present)
    if anomalies:
        for panel in axes:
            _mark(panel, anomalies)
        handles.append(_anomaly_handle(len(anomalies)))
    add_legend(figure, handles)
    return figure


def draw_cube(brightness: View, words: Words, *, anomalies: Sequence[Finding] = ()) -> Figure:
    """Return a cube's brightness at one band."""
    figure, (axes,) = new_sheet(words, aspect=aspect_of(brightness.samples.shape), legend_rows=1)
    _draw_brightness(axes, brightness)
    _mark(axes, anomalies)
    handles: list[Patch | Line2D] = []
    if anomalies:
        handles.append(_anomaly_handle(len(anomalies)))
    if not brightness.present.all():
        handles.append(absent_patch("not received"))
    add_legend(figure, handles)
    return figure


def _draw_brightness(axes: Axes, view: View) -> None:
    axes.imshow(stretch(view), cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    _cube_axes(axes, view.samples.shape, view.present)


def _draw_labels(axes: Axes, labels: Labels, present: Mask) -> list[Patch | Line2D]:
    colours = ListedColormap(list(PHASES))
    known = np.where(labels < len(PHASES), labels, 0)
    axes.imshow(
        known,
        cmap=colours,
        vmin=-0.5,
        vmax=len(PHASES) - 0.5,
        interpolation="nearest",
        aspect="auto",
    )
    _cube_axes(axes, labels.shape, present)
    total = max(int(present.sum()), 1)
    handles: list[Patch | Line2D] = []
    for phase, name in PHASE_NAMES.items():
        share = 100 * int(((known == phase) & present).sum()) / total
        if share:
            handles.append(Patch(facecolor=PHASES[phase], label=f"{name}  {share:.1f} %"))
    if not present.all():
        handles.append(absent_patch("map not received"))
    return handles


def _cube_axes(axes: Axes, shape: tuple[int, ...], present: Mask) -> None:
    hatch_absent(axes, present, (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5))
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)
    axes.set_xlabel("sample / pixels")
    axes.set_ylabel("line / pixels")


def _mark(axes: Axes, anomalies: Sequence[Finding]) -> None:
    rows, columns = abs(axes.get_ylim()[0] - axes.get_ylim()[1]), axes.get_xlim()[1]
    reach = max(1, round(max(rows, columns) * 0.06))
    for cluster in clusters(anomalies, reach=reach):
        corner = (cluster.left - 1.5, cluster.top - 1.5)
        width, height = cluster.right - cluster.left + 3, cluster.bottom - cluster.top + 3
        for colour, line in ((INK, 3.2), (PAPER, 1.5)):
            box = Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line)
            axes.add_patch(box)
        axes.annotate(
            ranges(cluster.ranks),
            (cluster.right + 1.5, cluster.top - 1.5),
            xytext=(3, 1),
            textcoords="offset points",
            fontsize=7.5,
            fontweight="bold",
            color=PAPER,
            annotation_clip=False,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": INK, "linewidth": 0},
        )


def _anomaly_handle(count: int) -> Line2D:
    noun = "anomaly" if count == 1 else "anomalies, 1 the strangest"
    return Line2D(
        [],
        [],
        marker="s",
        markersize=8,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=1.6,
        linestyle="none",
        label=f"{count} {noun}",
    )
