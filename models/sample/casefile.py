"""The user's file of sample frames with their truth, and why it may be refused."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.sample.data import Cases, prepared

TRUTHS = ("gap_um", "mass_g", "spilled_g", "jammed")


class FormError(ValueError):
    """A file is not of the form that ``--help`` describes; the message says where."""


def read_cases(path: Path) -> Cases:
    """Return the cases in an .npz file.

    Raises:
        FormError: the file is absent, or of another form.
    """
    arrays = _arrays(path)
    missing = [name for name in ("frames", *TRUTHS) if name not in arrays]
    if missing:
        raise FormError(f"{path}: lacks {', '.join(missing)}; see --help")
    frames = arrays["frames"]
    if frames.ndim != 3 or frames.dtype.kind != "u" or not len(frames):
        raise FormError(
            f"{path}: frames is {frames.dtype} {frames.shape}, not unsigned (N, rows, columns)"
        )
    truths = []
    for name in TRUTHS:
        values = arrays[name]
        if values.shape != (len(frames),) or values.dtype.kind not in "buif":
            raise FormError(
                f"{path}: {name} is {values.dtype} {values.shape}, not ({len(frames)},) numbers"
            )
        numbers = values.astype(np.float64)
        if np.isnan(numbers).any():
            raise FormError(f"{path}: {name} has values that are not numbers")
        truths.append(numbers)
    gap_um, mass_g, spilled_g, jammed = truths
    inputs, usable = prepared(frames)
    return Cases(inputs, usable, mass_g, spilled_g, gap_um, jammed != 0)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise FormError(f"{path}: a single array, not an .npz of several")
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, FormError):
            raise
        raise FormError(f"{path}: not an .npz file that can be read: {error}") from error
