"""Bootstrap intervals over groups: rows that are not independent are drawn together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; NaN where it cannot be had."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float | None]:
        """Return it as JSON has it: null for NaN."""
        return {
            name: None if np.isnan(figure) else round(float(figure), 5)
            for name, figure in (("value", self.value), ("low", self.low), ("high", self.high))
        }


def interval(
    metric: Callable[[NDArray[np.int64]], float], group: NDArray[np.int64] | NDArray[np.str_]
) -> Interval:
    """Return a metric of all rows, and the range it has when whole groups are drawn again.

    ``metric`` takes row numbers. Draws on which it is NaN (a class is missing) are left out.
    """
    rng = np.random.default_rng(SEED)
    order = np.argsort(group, kind="stable")
    _, starts = np.unique(np.asarray(group)[order], return_index=True)
    members = np.split(order, starts[1:])
    alone = len(members) == len(order)
    draws = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(members), len(members))
        # Rows that stand alone need no joining, which would take most of the time.
        rows = order[drawn] if alone else np.concatenate([members[g] for g in drawn])
        draws.append(metric(rows))
    usable = np.array(draws)[~np.isnan(draws)]
    low, high = np.quantile(usable, [0.025, 0.975]) if len(usable) else (np.nan, np.nan)
    return Interval(metric(np.arange(len(group))), float(low), float(high))
