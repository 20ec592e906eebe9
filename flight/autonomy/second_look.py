"""The look before: what a coarser frame said of the ground that a finer one shows.

As the reference mission descends: from high up a place is chosen, the lander flies there, hovers,
and looks again. The finer frame's centre is then the place that the coarser one named, or, where
it named none, the one that it found to risk least. A navigation error of a cell or two of the
coarse map does no harm: its risk is a mean over three.

Only the very next frame of the sensor that looks after another counts as the second look, for
nobody here knows where a lander goes after that.
"""

from dataclasses import dataclass

import numpy as np

from flight.autonomy.contrast import square
from flight.autonomy.grid import Integers
from flight.autonomy.terrain import CELLS, PLANES, SITE_CELLS, cell_size_um, site_risk
from flight.product.values import Finding, Frame, Kind, Tensor

LONGEST_NS = 600 * 1_000_000_000
"""Time between two looks beyond which light and place may have changed."""

MOST_CELLS = CELLS // 2
"""A look is coarser when at most so many of its cells lie under the finer frame's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """A frame and what the model said of it, kept for the frame after."""

    shape: tuple[int, ...]
    axis: tuple[int, ...]
    mono_ns: int
    output: Tensor
    """(1, 64, 64, 3)"""
    site: Finding
    """SAFE_SITE, or NO_SAFE_SITE with the place that risks least."""


def earlier_of(
    frame: Frame, outputs: tuple[Tensor, ...], findings: tuple[Finding, ...]
) -> Earlier | None:
    """Return what is worth keeping of a camera's frame; None: it had no answer, or no scale."""
    if not outputs or not frame.axis or findings[0].kind not in (Kind.SAFE_SITE, Kind.NO_SAFE_SITE):
        return None
    shape = frame.samples.shape
    return Earlier(shape, frame.axis, frame.taken.mono_ns, outputs[0].copy(), findings[0])


def beneath(look: Earlier, frame: Frame) -> Tensor | None:
    """Return (1, n, n, 1) int8, a coarser look's raw risk of the ground that a frame shows.

    What lies outside the coarser frame risks most. None: it is not coarser, or too long ago.
    """
    late = not 0 <= frame.taken.mono_ns - look.mono_ns <= LONGEST_NS
    cell_um = cell_size_um(look.shape, look.axis)
    if late or not frame.axis or cell_um < 1:
        return None
    shown_um = min(frame.samples.shape) * frame.axis[0]
    cells = (2 * shown_um + cell_um) // (2 * cell_um)
    if not 1 <= cells <= MOST_CELLS:
        return None
    risk = look.output.reshape(CELLS, CELLS, PLANES)[:, :, 2].astype(np.int64)
    return window(risk, *centre(look), cells).astype(np.int8)[None, :, :, None]


def centre(look: Earlier) -> tuple[int, int]:
    """Return the (row, column) cell that the finer frame is centred on."""
    top, left, side = square(look.shape)
    return (look.site.row - top) * CELLS // side, (look.site.column - left) * CELLS // side


def window(risk: Integers, row: int, column: int, cells: int) -> Integers:
    """Return (cells, cells) mean raw risk round a cell of a look, 127 outside."""
    walled = np.full((2 * CELLS, 2 * CELLS), 127, np.int64)
    margin = CELLS // 2
    walled[margin : margin + CELLS, margin : margin + CELLS] = site_risk(risk) // SITE_CELLS
    top, left = row - cells // 2 + margin, column - cells // 2 + margin
    return walled[top : top + cells, left : left + cells]
