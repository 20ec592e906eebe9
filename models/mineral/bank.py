"""Which outlines the model holds, to tell how far a pixel is from all of them."""

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.mineral import OUTLINE_CHANNEL
from models.mineral.examples import prepared, specimen_weight
from models.mineral.library import Library
from tools.sim import spectra

OUTLINES = 256
WEATHERED = 200
"""So many library spectra stand for selection once more with another history: soils are known
too."""

SEED = 97


def outlines(library: Library) -> NDArray[np.int8]:
    """Return (at most 256, 80) outlines of which some lies near any of the library's spectra.

    Farthest first: each one is the spectrum that those before it are least like.
    """
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(len(library), WEATHERED, p=specimen_weight(library))
    aged = spectra.weathered(
        spectra.albedo_of(library.reflectance[drawn]),
        library.wavelength_nm,
        spectra.draw_weather(WEATHERED, rng),
    )
    tensor = prepared(np.concatenate([library.reflectance, aged]), library.wavelength_nm)
    outline = tensor[:, 0, :, OUTLINE_CHANNEL]
    return outline[farthest_first(outline.astype(np.int64), OUTLINES)]


def farthest_first(rows: NDArray[np.int64], count: int) -> list[int]:
    """Return up to ``count`` row numbers, from the one most like the mean outwards.

    Products of integers: the order is the same on every machine.
    """
    chosen: list[int] = []
    likeness = -(rows @ rows.sum(axis=0))
    while len(chosen) < min(count, len(rows)):
        chosen.append(int(likeness.argmin()))
        near = rows @ rows[chosen[-1]]
        likeness = near if len(chosen) == 1 else np.maximum(likeness, near)
        likeness[chosen] = np.iinfo(np.int64).max
    return chosen
