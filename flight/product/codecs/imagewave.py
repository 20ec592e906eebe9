"""The image codec's diagonals: predictions and contexts from what is decoded so far."""

import numpy as np

from flight.product.codecs.contexts import UNIT, Reals, activity, context_of
from flight.product.codecs.entropy import Contexts
from flight.product.codecs.imagemodel import PAD, SLOPE, Frame, Side, clues, round_prediction
from flight.product.codecs.linear import Floats


class Wave:
    """The state along the diagonals. ``reach``, ``predict``, ``contexts``, ``put``, in turn."""

    def __init__(self, frame: Frame, side: Side, quantum: int) -> None:
        self._frame = frame
        self._side = side
        self._quantum = float(quantum)
        self.values: Floats = np.full(frame.size, float(side.middle))
        self._magnitudes: Reals = np.full(frame.size, side.level, np.float32)
        self._weights = np.array(side.weights, np.float64)
        self._advance = frame.stride - SLOPE
        longest = np.arange(min(frame.rows, frame.columns // SLOPE + 1))
        self._reach = frame.offsets[:, None] + longest * self._advance
        self._places = self._reach[:, :0]
        self._neighbours: Floats = np.zeros((0, 0))

    def predict(self, count: int, place: int) -> Floats:
        """Return the predictions for the ``count`` pixels of the diagonal from ``place`` on."""
        self._places = self._reach[:, :count] + place
        self._neighbours = self.values.take(self._places)
        # Integers below 2^53 in any order: BLAS cannot change a bit.
        sums: Floats = self._weights @ self._neighbours
        return round_prediction(sums, self._side)

    def contexts(self) -> Contexts:
        """Return the contexts of the residuals of the diagonal that was just predicted."""
        west, north, north_west, north_east = self._neighbours[:4].astype(np.float32)
        steps = [np.abs(west - north_west), np.abs(north - north_west), np.abs(north - north_east)]
        parts = clues(self._side.level, steps, list(self._magnitudes.take(self._places)))
        return context_of(activity(self._side.clue_weights, parts))

    def put(self, first: int, place: int, predicted: Floats, residuals: Floats) -> None:
        """Take the residuals of the diagonal whose first pixel is in row ``first``."""
        values = residuals * self._quantum
        values += predicted
        np.maximum(values, self._side.lowest, out=values)
        np.minimum(values, self._side.highest, out=values)
        count = values.size
        line = slice(place, place + (count - 1) * self._advance + 1, self._advance)
        self.values[line] = values
        self._magnitudes[line] = np.abs(residuals) * UNIT
        self._pad_ends(first, first + count - 1, place, values)

    def _pad_ends(self, first: int, last: int, place: int, values: Floats) -> None:
        stride = self._frame.stride
        if place % stride == stride - PAD - 1:
            self.values[place + 1 : place + 1 + PAD] = values[0]
        last_place = place + (last - first) * self._advance
        if last_place % stride == PAD and last + 1 < self._frame.rows:
            begin = last_place + stride - PAD
            self.values[begin : begin + PAD] = values[-1]
