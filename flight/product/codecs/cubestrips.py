"""The memory of the cube codec's wavefront: strips of lines, in which band follows band.

Each line has a strip, with a slot for each step. What foretells a line lies in the slots before,
of its own strip and of that of the line above. A slot that no band has reached holds zeros. When
the slots are used up the last ones move to the beginning, and so do the strips still in use when
there is none left for the next line: what a wavefront needs depends on its width, not on how many
lines there are.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from flight.product.codecs.cubemodel import COLUMN, KINDS, PLAIN, SIDES, column_rates
from flight.product.codecs.linear import Floats
from flight.product.codecs.types import Shape

_SLOTS_AHEAD, _STRIPS_AHEAD = 11, 64
_ROOM_BYTES = 4 << 20
"""With more than this as few slots and strips ahead as will do, and more moves for it."""


def _room(strips: int, most_strips: int, slots: int, slot_bytes: int) -> tuple[int, int]:
    """Return how many strips and slots to have, of those that are needed and at most useful."""
    strips_ahead, slots_ahead = _STRIPS_AHEAD, _SLOTS_AHEAD
    while True:
        count = min(most_strips, strips + strips_ahead), slots + slots_ahead
        if count[0] * count[1] * slot_bytes <= _ROOM_BYTES or strips_ahead + slots_ahead == 2:
            return count
        strips_ahead, slots_ahead = max(1, strips_ahead // 2), max(1, slots_ahead // 2)


class Strips:
    """Rows of memory for consecutive lines: (strips, slots, KINDS, 1 + samples + 1).

    The first strip of all is that above the first line, so a line's own is one further.
    """

    def __init__(self, shape: Shape, back: int, shifts: list[int], unit: int) -> None:
        bands, lines, width = shape[0], shape[1], shape[2] + 2
        used = min(bands, lines)
        size = KINDS * width * np.dtype(np.float64).itemsize
        strips, slots = _room(used + 1, lines + 1, back, size)
        self._back = back
        self._slot = back
        self._base = 0
        """The strip that lies first in memory."""
        self._rows: Floats = np.zeros((strips, slots, KINDS, width))
        self._columns: Floats = np.zeros((strips, width))
        # Numpy is several times faster on memory without gaps, and on arrays of one size.
        settled = next(line for line in range(lines) if len(set(shifts[line:])) == 1)
        self._settled = settled
        """From this line on all have the same rates."""
        rates = column_rates(shifts[: settled + used], unit)
        self._rates = [np.repeat(rate[:, None], width, axis=1) for rate in rates]
        self._scratch, self._more = np.zeros((used, width)), np.zeros((used, width))

    def expect(self, kinds: Floats) -> None:
        """Put into the strip above the first line what the next band's first line finds there."""
        self._rows[0, self._slot - 1] = kinds
        self._columns[0] = kinds[COLUMN]

    def reach(self, kind: int, *, every: int, count: int) -> Floats:
        """Return (strips, slots, count, …): so many rows from ``kind`` of each slot on.

        Each lies ``every`` rows after the one before.
        """
        strips, slots, kinds, width = self._rows.shape
        strip, slot, row, size = self._rows.strides
        slots -= -(-(kind + every * (count - 1) + 1) // kinds) - 1
        shape = (strips, slots, count, width)
        start = self._rows[:, :, kind:]
        return as_strided(start, shape, (strip, slot, every * row, size), writeable=False)

    def place(self, first: int, end: int, back: int) -> tuple[slice, int]:
        """Return where the strips of some lines are, and a slot so many ``back``."""
        return slice(first + 1 - self._base, end + 1 - self._base), self._slot - back

    def put(self, first: int, lines: Floats) -> None:
        """Keep of these lines, (lines, …) from ``first`` on, what foretells others."""
        count = len(lines)
        above = slice(first - self._base, first - self._base + count)
        own = slice(above.start + 1, above.stop + 1)
        kept = self._rows[own, self._slot]
        lines[:, 0], lines[:, -1] = lines[:, 1], lines[:, -2]
        kept[:, PLAIN] = lines
        flat, sides = lines.reshape(-1), self._scratch[:count]
        np.add(flat[:-2], flat[2:], out=sides.reshape(-1)[1:-1])
        kept[:, SIDES] = sides
        added, means = self._scratch[:count], self._more[:count]
        start = min(first, self._settled)
        keep, gain = (rate[start : start + count] for rate in self._rates)
        np.multiply(lines, gain, out=added)
        np.multiply(self._columns[above], keep, out=means)
        np.add(means, added, out=means)
        np.floor(means, out=means)
        self._columns[own] = means
        kept[:, COLUMN] = means

    def advance(self, first: int, end: int) -> None:
        """Begin the next step, which takes the lines from ``first`` to ``end``."""
        self._slot += 1
        if self._slot == self._rows.shape[1]:
            used = self._rows[first - self._base : end + 1 - self._base]
            used[:, : self._back] = used[:, -self._back :]
            self._slot = self._back
        if end + 1 - self._base > len(self._rows):
            for memory in (self._rows, self._columns):
                count = len(memory) - (first - self._base)
                memory[:count] = memory[first - self._base :].copy()
                memory[count:] = 0
            self._base = first
