"""Spectra with their units: reflectance over wavelength, counts over energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator
from numpy.typing import NDArray

from flight.autonomy.xray import LINES as XRAY_LINES
from flight.product.values import Finding, Kind
from ground.pictures.style import HAZARD, INK, LINES, PAPER, QUIET, RULE, new_sheet
from ground.pictures.values import Words
from ground.words import element_name

Values: TypeAlias = NDArray[np.float64]

LINES_END_KEV = 10.0
"""The lines that flight.autonomy.xray knows end before; a wider spectrum is shown in a corner."""
PEAK_HALF_KEV = 0.09
LABEL_WIDTH_KEV = 0.3
FLOOR = 0.6
"""Empty channels stand here on the logarithmic scale."""

_GAP_FACTOR = 2.5
"""A step in wavelength this many times the median is a gap, where no line is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One spectrum with the words for its legend."""

    counts: NDArray[np.generic]
    """(bands,)."""
    label: str


def draw_reflectance(
    curves: Sequence[Curve], words: Words, *, axis_pm: tuple[int, ...], unit_counts: int
) -> Figure:
    """Return reflectance spectra over wavelength.

    Without wavelengths the axis counts bands; without ``unit_counts`` the values are counts.
    """
    figure, (axes,) = new_sheet(words, aspect=0.56, legend_rows=0)
    known = len(axis_pm) > 0 and all(len(curve.counts) == len(axis_pm) for curve in curves)
    scale = unit_counts or 1
    for index, curve in enumerate(curves):
        centres = np.array(axis_pm if known else range(len(curve.counts)), np.float64)
        order = np.argsort(centres, kind="stable")
        values = curve.counts.astype(np.float64) / scale
        x, y = _with_gaps(centres[order] / (1e3 if known else 1), values[order])
        axes.plot(
            x,
            y,
            color=LINES[index % len(LINES)],
            linewidth=1.5,
            label=curve.label,
            linestyle=("-", "--", ":")[index // len(LINES) % 3],
        )
    axes.yaxis.set_major_locator(AutoLocator())
    _grid(axes)
    axes.set_xlabel("wavelength / nm" if known else "band number (wavelengths not received)")
    axes.set_ylabel("reflectance" if unit_counts else "counts")
    if len(curves) <= 12:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=2 if len(curves) > 5 else 1)
    return figure


def draw_xray(
    counts: NDArray[np.generic],
    words: Words,
    *,
    axis_mev: tuple[int, ...],
    findings: Sequence[Finding] = (),
) -> Figure:
    """Return an X-ray spectrum on a logarithmic scale, with the lines of the elements found."""
    figure, (axes,) = new_sheet(words, aspect=0.56, legend_rows=0)
    known = len(axis_mev) == 2 and axis_mev[1] > 0
    offset, gain = axis_mev if known else (0, 1)
    energy = (offset + gain * np.arange(len(counts))) / (1e6 if known else 1.0)
    shown = np.maximum(counts.astype(np.float64), FLOOR)
    _draw_counts(axes, energy, shown)
    axes.set_ylim(FLOOR, max(float(shown.max(initial=1)), 10.0) * 4)
    if known and float(energy[-1]) > 1.3 * LINES_END_KEV:
        axes.set_xlim(0, LINES_END_KEV)
        _draw_whole(axes, energy, shown)
    if known:
        _name_lines(axes, energy, shown, findings)
    _grid(axes)
    axes.set_xlabel("energy / keV" if known else "channel (energies not received)")
    axes.set_ylabel("counts a channel")
    return figure


def _draw_counts(axes: Axes, energy: Values, shown: Values) -> None:
    axes.fill_between(energy, FLOOR, shown, step="mid", color=LINES[0], alpha=0.16, linewidth=0)
    axes.step(energy, shown, where="mid", color=LINES[0], linewidth=0.9)
    axes.set_yscale("log")


def _draw_whole(axes: Axes, energy: Values, shown: Values) -> None:
    """Put the whole spectrum into the corner above the last lines."""
    inset = axes.inset_axes((0.775, 0.72, 0.21, 0.23))
    inset.set_facecolor(PAPER)
    _draw_counts(inset, energy, shown)
    inset.axvspan(0, LINES_END_KEV, color=RULE, alpha=0.5, linewidth=0)
    filled = np.flatnonzero(shown > FLOOR)
    inset.set_xlim(0, float(energy[filled[-1]]) if filled.size else float(energy[-1]))
    inset.set_ylim(bottom=FLOOR)
    inset.tick_params(labelsize=6.5, colors=QUIET, length=2, which="both")
    inset.set_title("whole range / keV", fontsize=7, color=QUIET, pad=3)
    for spine in inset.spines.values():
        spine.set_color(RULE)


def _name_lines(axes: Axes, energy: Values, shown: Values, findings: Sequence[Finding]) -> None:
    """Write each element found above its peak, suspected metals in another colour."""
    energies = {line.element: line.energy_ev / 1000 for line in XRAY_LINES}
    metals = {finding.label for finding in findings if finding.kind is Kind.METAL}
    found = {f.label for f in findings if f.kind is Kind.ELEMENT and f.label in energies}
    last_at, last_top = -1.0, 1.0
    for element in sorted(found | (metals & energies.keys())):
        at = energies[element]
        near = shown[np.abs(energy - at) < PEAK_HALF_KEV]
        top = float(near.max(initial=FLOOR))
        colour = HAZARD if element in metals else INK
        # Light elements lie closer together than their names are wide: every other one is lifted.
        crowded = at - last_at < LABEL_WIDTH_KEV and 0.5 < top / last_top < 2.2
        last_at, last_top = at, top * 2.4 if crowded else top
        axes.plot((at, at), (top * 1.25, last_top * 1.7), color=colour, linewidth=0.9)
        axes.text(
            at,
            last_top * 1.85,
            element_name(element),
            fontsize=8.5,
            color=colour,
            ha="center",
            va="bottom",
            fontweight="bold",
        )
    if metals:
        axes.text(
            0.012,
            0.97,
            "orange: metal contamination suspected",
            color=HAZARD,
            fontsize=8,
            transform=axes.transAxes,
            ha="left",
            va="top",
        )


def _with_gaps(x: Values, y: Values) -> tuple[Values, Values]:
    """Return the curve with a break wherever the instrument has no bands."""
    if len(x) < 3:
        return x, y
    steps = np.diff(x)
    breaks = np.flatnonzero(steps > _GAP_FACTOR * max(float(np.median(steps)), 1e-9)) + 1
    if len(breaks) > len(x) // 8:
        return x, y  # So sparse that the gaps are the rule: a line still guides the eye.
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)


def _grid(axes: Axes) -> None:
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
