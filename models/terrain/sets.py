"""Data that people bring: height models and images with crater boxes."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.terrain import CELLS, INPUT_PIXELS, LEAST_PIXELS, prepare
from flight.instant import Instant
from flight.product.values import Frame, SensorKind
from models.terrain.data import ALL_SUN, Scenes, gather
from tools.sim.terrain import Scene, look_at
from tools.sim.terrain_ground import Ground

DEM_SEED = 15
CROP = 256
"""Samples a side of a piece of a height model."""
TILE = INPUT_PIXELS
"""Pixels a side of a piece of an image: the model sees each pixel, nothing is averaged away."""
FLAGGED_SHARE = 0.2
SMALLEST_BOX = 8
"""Boxes below this many pixels are not asked for: two cells of a tile."""


class FormError(ValueError):
    """A file does not have the documented form; the message says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Images cut into prepared tiles, and the craters in them."""

    inputs: NDArray[np.int8]
    boxes: tuple[tuple[int, tuple[int, int, int, int]], ...]
    """(tile, (top, left, bottom, right) in cells), one for each crater."""


def read_dem(path: Path, count: int) -> Scenes:
    """Return random crops of a height model, each under a random sun and camera.

    Raises:
        FormError: the file lacks an array, or is too small.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            height_m = np.asarray(archive["height_m"], np.float32)
            posting_m = float(archive["posting_m"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormError(f"{path}: not an .npz with height_m and posting_m: {error}") from error
    if height_m.ndim != 2 or min(height_m.shape) < CROP or not posting_m > 0:
        raise FormError(f"{path}: height_m must be at least {CROP} x {CROP}, posting_m above 0")
    corners = [
        (row, column)
        for row in range(0, height_m.shape[0] - CROP + 1, 8)
        for column in range(0, height_m.shape[1] - CROP + 1, 8)
        if np.isfinite(height_m[row : row + CROP, column : column + CROP]).all()
    ]
    if not corners:
        raise FormError(f"{path}: no {CROP} x {CROP} piece of height_m is without NaN")
    return gather(partial(_crop, height_m, posting_m, tuple(corners)), range(count))


def _crop(
    height_m: NDArray[np.float32],
    posting_m: float,
    corners: tuple[tuple[int, int], ...],
    index: int,
) -> list[Scene]:
    rng = np.random.default_rng((DEM_SEED, index))
    row, column = corners[int(rng.integers(len(corners)))]
    crop = np.rot90(height_m[row : row + CROP, column : column + CROP], int(rng.integers(4)))
    crop = np.ascontiguousarray(crop)
    ground = Ground(crop, np.zeros_like(crop), np.ones_like(crop), posting_m)
    return [look_at(rng, ground, ALL_SUN.look)]


def read_images(folder: Path) -> Tiles:
    """Return the tiles and craters of all images in a folder.

    Raises:
        FormError: there is none, or one lacks its boxes or cannot be read.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".png", ".pgm"))
    if not paths:
        raise FormError(f"{folder}: no .png or .pgm image there")
    tensors, boxes = [], []
    for path in paths:
        image, craters = _read_image(path), _read_boxes(path.with_suffix(".txt"))
        tile = TILE if min(image.shape) >= TILE else LEAST_PIXELS
        for top in _starts(image.shape[0], tile):
            for left in _starts(image.shape[1], tile):
                tensor = prepare(_frame(image[top : top + tile, left : left + tile]))
                if tensor is None:
                    continue
                boxes += [(len(tensors), box) for box in _inside(craters, top, left, tile)]
                tensors.append(tensor[0])
    if not tensors:
        raise FormError(f"{folder}: no image there can be used (black, blank or overexposed)")
    return Tiles(np.stack(tensors), tuple(boxes))


def _starts(size: int, tile: int) -> range:
    """Return where tiles start along one axis; what is left at the end is not looked at."""
    return range(0, size - tile + 1, tile)


def _frame(samples: NDArray[np.uint8] | NDArray[np.uint16]) -> Frame:
    return Frame("camera", SensorKind.CAMERA, 0, Instant(0, 0), samples)


def _read_image(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, UnidentifiedImageError) as error:
        raise FormError(f"{path}: not an image: {error}") from error
    least = LEAST_PIXELS
    if pixels.ndim != 2 or min(pixels.shape) < least:
        raise FormError(f"{path}: must be one gray channel of at least {least} x {least}")
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint16)


def _read_boxes(path: Path) -> list[tuple[float, float, float, float]]:
    """Return (x, y, width, height) of each crater."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.replace(",", "\t").split() for line in lines[1:] if line.strip()]
        return [(float(r[1]), float(r[2]), float(r[3]), float(r[4])) for r in rows]
    except OSError as error:
        raise FormError(f"{path}: no crater boxes beside the image: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise FormError(f"{path}: each line must be ID X Y W H ...: {error}") from error


def _inside(
    craters: list[tuple[float, float, float, float]], top: int, left: int, tile: int
) -> list[tuple[int, int, int, int]]:
    """Return the craters that lie within a tile, in its cells."""
    cell = tile // CELLS
    boxes = []
    for x, y, width, height in craters:
        x0, y0 = x - left, y - top
        if min(width, height) < SMALLEST_BOX or min(x0, y0) < 0:
            continue
        if max(x0 + width, y0 + height) <= tile:
            bottom, right = -(-(y0 + height) // cell), -(-(x0 + width) // cell)
            boxes.append((int(y0 // cell), int(x0 // cell), int(bottom), int(right)))
    return boxes
