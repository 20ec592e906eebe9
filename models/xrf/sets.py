"""Spectra with their truth: simulated by mission, measured glasses, metal where none should be."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flight.autonomy import xray
from flight.autonomy.xrf import XrfPolicy
from models.bootstrap import interval
from models.xrf import compositions
from models.xrf.compositions import ANSWERED
from models.xrf.examples import CHANNELS_KEV, counted, rates_of, shares_of
from models.xrf.response import STANDARDS, Response, Spectrum, binned, read_spectrum
from tools.sim.xrf import ELEMENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHORT_DWELL, LONG_DWELL = 1e5, 1e7
SEED = 11
PUCK_GAIN_KEV = 0.007974
"""Of pucks and cross-hair, whose files state none: the flight electronics', by their iron line."""

BCR_PERCENT = {
    "SiO2": 54.1, "TiO2": 2.26, "Al2O3": 13.5, "FeO": 12.42, "MgO": 3.59, "CaO": 7.12,
    "Na2O": 3.16, "K2O": 1.79,
}  # fmt: skip
"""BCR-2, USGS certificate; total iron as FeO."""

METALS = {"steel": {26: 0.71, 24: 0.18, 28: 0.11}, "nickel": {28: 1.0}, "copper": {29: 1.0},
          "brass": {29: 0.65, 30: 0.35}}  # fmt: skip


class FormError(ValueError):
    """A file is not of the form that ``--help`` describes; the message says where."""


@dataclass(frozen=True)
class Sample:
    """Binned spectra and what they are of."""

    binned: NDArray[np.int64]
    """(spectra, 192)"""
    percent: NDArray[np.float64]
    """(spectra, 8); NaN where not known."""


def read_sample(spectrum: Path, composition: Path) -> Sample:
    """Return a measured spectrum with its certified composition.

    Raises:
        FormError: the composition is no such TOML, or the channels do not cover the bins.
    """
    try:
        table = tomllib.loads(composition.read_text(encoding="utf-8"))["oxides_wt_percent"]
        known = {str(oxide): float(percent) for oxide, percent in table.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError,
            AttributeError) as error:  # fmt: skip
        raise FormError(
            f"{composition}: needs [oxides_wt_percent] with numbers: {error}"
        ) from error
    if not set(known) & set(ANSWERED):
        raise FormError(f"{composition}: names none of {', '.join(ANSWERED)}")
    return _sample(str(spectrum), read_spectrum(spectrum), known)


def bcr(data: Path) -> Sample:
    """Return the measured BCR-2G glass."""
    (path,) = sorted((data / STANDARDS).glob("*BCR-2G*.msa"))
    return _sample(path.name, read_spectrum(path), BCR_PERCENT)


def _sample(name: str, spectrum: Spectrum, known: dict[str, float]) -> Sample:
    found = binned(spectrum)
    if found is None:
        raise FormError(f"{name}: its channels do not cover 960 to 8640 eV")
    return Sample(found[None], np.array([[known.get(oxide, np.nan) for oxide in ANSWERED]]))


def missions(data: Path, response: Response, total: float) -> dict[str, Sample]:
    """Return simulated spectra of every mission's analyses."""
    known = compositions.lunar(data)
    rng = np.random.default_rng(SEED)
    samples = {}
    for mission in np.unique(known.mission):
        percent = known.where(known.mission == mission).percent
        share = shares_of(response, percent, rng)
        counts = counted(share, np.full(len(share), total), rng)
        samples[str(mission)] = Sample(counts, percent[:, : len(ANSWERED)])
    return samples


def metrics(truth: NDArray[np.float64], said: NDArray[np.float64]) -> dict[str, Any]:
    """Return both errors by oxide, for those that are known."""
    errors: dict[str, Any] = {"rmse_wt_percent": {}, "relative_error": {}}
    group = np.arange(len(truth))
    for column, oxide in enumerate(ANSWERED):
        apart = said[:, column] - truth[:, column]
        if np.isnan(apart).any():
            continue
        relative = apart / np.maximum(truth[:, column], 1e-3)
        squares = apart**2
        errors["rmse_wt_percent"][oxide] = interval(
            lambda r, s=squares: float(np.sqrt(s[r].mean())), group
        ).plain()
        errors["relative_error"][oxide] = interval(
            lambda r, e=relative: float(np.median(e[r])), group
        ).plain()
    return errors


def metal_share(counts: NDArray[np.int64], offset_mev: int, gain_mev: int) -> float:
    """Return the largest share of a tool metal's lines over what nature allows, as flight sees."""
    policy = XrfPolicy()
    found = xray.net_counts(counts, offset_mev, gain_mev)
    total = max(sum(max(net, 0) for net, _ in found.values()), 1)
    shares = [
        1000 * found[metal][0] / total / natural
        for metal, natural in zip(policy.metals, policy.natural_permille, strict=True)
        if metal in found
    ]
    return max(shares)


def simulated_contamination(data: Path, response: Response) -> tuple[int, dict[str, float | None]]:
    """Return number and AUROC of lunar samples with 1-10 % of the beam on metal."""
    rng = np.random.default_rng(SEED)
    percent = compositions.around(compositions.lunar(data), 300, rng)
    strange = np.arange(300) % 2 == 1
    metal = np.zeros((300, len(ELEMENTS)))
    names = list(METALS)
    for row in np.flatnonzero(strange):
        mass = np.zeros((1, len(ELEMENTS)))
        for element, share in METALS[names[rng.integers(len(names))]].items():
            mass[0, ELEMENTS.index(element)] = share
        covered = rng.uniform(0.01, 0.10)
        metal[row] = covered * response.physics.intensities(mass, np.array([5e-4]))[0]
    rate = rates_of(response, percent, rng, metal)
    counts = rng.poisson(SHORT_DWELL * rate / rate.sum(axis=1, keepdims=True))
    gain = round((CHANNELS_KEV[1] - CHANNELS_KEV[0]) * 1e6)
    score = np.array([metal_share(row, 0, gain) for row in counts])
    return len(score), _auroc(score, strange)


def measured_contamination(data: Path) -> tuple[int, dict[str, float | None]]:
    """Return number and AUROC of the metal cross-hair (5 s) over the basalt puck (24 s)."""
    folder = data / "xrf" / "pixl_breadboard"
    with np.load(folder / "pucks_BHVO_25spectra_detA.npz") as stored:
        rock = stored["counts"].astype(np.int64)
    with np.load(folder / "crosshair_612spectra.npz") as stored:
        metal = stored["counts"].astype(np.int64)[::6]
    gain = round(PUCK_GAIN_KEV * 1e6)
    score = np.array([metal_share(row, 0, gain) for row in np.concatenate([rock, metal])])
    return len(score), _auroc(score, np.arange(len(score)) >= len(rock))


def _auroc(score: NDArray[np.float64], strange: NDArray[np.bool_]) -> dict[str, float | None]:
    def chance(rows: NDArray[np.int64]) -> float:
        high, low = score[rows][strange[rows]], np.sort(score[rows][~strange[rows]])
        if not len(high) or not len(low):
            return float("nan")
        below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
        return float(below.mean() / 2 / len(low))

    return interval(chance, np.arange(len(score))).plain()
