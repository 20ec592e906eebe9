"""What of a case a network is shown: the whole, or one half of it, for comparison."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import STEPS


class Shows(Enum):
    """Which part of a case."""

    BOTH = "both"
    PICTURE = "picture_only"
    TELEMETRY = "telemetry_only"


ABLATIONS = (Shows.PICTURE, Shows.TELEMETRY)


def shown(inputs: NDArray[np.int8], shows: Shows) -> NDArray[np.int8]:
    """Return inputs in which what is not shown is zero."""
    if shows is Shows.BOTH:
        return inputs
    inputs = inputs.copy()
    hidden = slice(STEPS, None) if shows is Shows.PICTURE else slice(0, STEPS)
    inputs[:, hidden] = 0
    return inputs
