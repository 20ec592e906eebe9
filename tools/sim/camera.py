"""A camera: blur, exposure, shot noise, read noise, vignetting, and counts of so many bits."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Camera:
    """What stands between the light and the counts."""

    blur_px: float = 0.7
    """Standard deviation of the point spread function."""
    full_electrons: float = 12_000.0
    """Electrons at the highest count."""
    read_electrons: float = 12.0
    bits: int = 10
    level: float = 0.8
    """The exposure puts the 99.5th percentile here, as a share of full."""
    vignetting: float = 0.0
    """How much darker the corners are."""
    stripes: float = 0.0
    """Standard deviation of the columns' gains."""
    black: int = 0
    """Counts added to all."""


def blur(field: Field, sigma: float) -> Field:
    """Return the field under a Gaussian of ``sigma`` pixels, edges repeated."""
    if sigma <= 0:
        return field
    reach = max(1, int(np.ceil(2.5 * sigma)))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(reach, reach) if axis == i else (0, 0) for i in (0, 1)]
        padded = np.pad(field, pad, mode="edge")
        length = field.shape[axis]
        field = np.zeros_like(field)
        for weight, start in zip(weights, range(2 * reach + 1), strict=True):
            field += weight * np.take(padded, range(start, start + length), axis=axis)
    return field


def expose(rng: np.random.Generator, light: Field, camera: Camera) -> NDArray[np.uint16]:
    """Return (rows, columns) uint16 counts of a scene's brightness."""
    seen = blur(light, camera.blur_px)
    rows, columns = seen.shape
    if camera.vignetting:
        down = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
        seen = seen * (1 - np.float32(camera.vignetting) * (down * down + across * across) / 2)
    if camera.stripes:
        seen = seen * (1 + np.float32(camera.stripes) * rng.standard_normal(columns, np.float32))
    bright = max(float(np.percentile(seen, 99.5)), 1e-9)
    electrons = np.maximum(seen * np.float32(camera.level * camera.full_electrons / bright), 0)
    # Above some twenty electrons shot noise is as good as normal, and drawn ten times faster.
    noise = np.sqrt(electrons + np.float32(camera.read_electrons**2))
    electrons = electrons + noise * rng.standard_normal(electrons.shape, np.float32)
    top = 2**camera.bits - 1
    counts = np.rint(electrons * np.float32(top / camera.full_electrons)) + camera.black
    return np.clip(counts, 0, top).astype(np.uint16)
