"""The user's file of spectra with known phases, and why it may be refused."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.bands import GRID_PM, LAST_USED_PM
from models.mineral.library import CLASSES
from models.mineral.metrics import ANOMALY, Truth

FIRST_NM, LAST_NM = GRID_PM[0] / 1000, LAST_USED_PM / 1000
"""Bands outside are not looked at, whatever stands in them."""

PHASE_NAMES = (*CLASSES, "anomaly")


class FormError(ValueError):
    """A file is not of the form that ``--help`` describes; the message says where."""


@dataclass(frozen=True)
class Spectra:
    """Spectra with their truth."""

    wavelength_nm: NDArray[np.float64]
    reflectance: NDArray[np.float64]
    truth: Truth


def read_spectra(path: Path) -> Spectra:
    """Return the spectra in an .npz file.

    Raises:
        FormError: the file is absent, of another form, or holds values that are no reflectance.
    """
    arrays = _arrays(path)
    wavelength = _numbers(path, arrays, "wavelength_nm", 1)
    bands = arrays["reflectance"].shape[-1] if arrays["reflectance"].ndim else 0
    if bands != len(wavelength):
        raise FormError(f"{path}: reflectance has {bands} bands, wavelength_nm {len(wavelength)}")
    used = (wavelength >= FIRST_NM) & (wavelength <= LAST_NM)
    wavelength, arrays["reflectance"] = wavelength[used], arrays["reflectance"][..., used]
    reflectance = _numbers(path, arrays, "reflectance", 2)
    phase = arrays["phase"].astype(str).reshape(-1)
    count = len(reflectance)
    if not used.any():
        raise FormError(f"{path}: no band lies between {FIRST_NM:g} and {LAST_NM:g} nm")
    group = arrays["group"].astype(str).reshape(-1) if "group" in arrays else np.arange(count)
    for name, array in (("phase", phase), ("group", group)):
        if len(array) != count:
            raise FormError(f"{path}: {name} has {len(array)} entries for {count} spectra")
    unknown = sorted(set(phase) - set(PHASE_NAMES))
    if unknown or not count:
        raise FormError(f"{path}: phase must be one of {', '.join(PHASE_NAMES)}, not {unknown}")
    if (reflectance.mean(axis=1) <= 0).any() or reflectance.max() > 1.6:
        raise FormError(f"{path}: reflectance must be a share of the light, 0 to about 1")
    label = np.array([CLASSES.index(p) if p in CLASSES else ANOMALY for p in phase])
    return Spectra(wavelength, reflectance, Truth(label, group))


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise FormError(f"{path}: one array, not an .npz of several; see --help")
            arrays = {name: stored[name] for name in stored.files}
    except FormError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FormError(f"{path}: not a readable .npz file without pickles: {error}") from error
    missing = {"wavelength_nm", "reflectance", "phase"} - set(arrays)
    if missing:
        raise FormError(f"{path}: lacks {', '.join(sorted(missing))}; see --help")
    return arrays


def _numbers(
    path: Path, arrays: dict[str, NDArray[np.generic]], name: str, dimensions: int
) -> NDArray[np.float64]:
    array = arrays[name]
    if array.ndim != dimensions or array.dtype.kind not in "fiu":
        raise FormError(f"{path}: {name} must be {dimensions}-dimensional numbers")
    values = array.astype(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        where = f" in spectrum {np.flatnonzero(bad.any(axis=1))[0]}" if dimensions == 2 else ""
        raise FormError(f"{path}: {name} has {bad.sum()} values that are not finite{where}")
    return values
