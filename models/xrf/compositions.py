"""What rocks are made of: analyses of lunar samples by mission, and wider guesses around them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OXIDES = (
    "SiO2", "TiO2", "Al2O3", "FeO", "MgO", "CaO", "Na2O", "K2O", "P2O5", "MnO", "Cr2O3", "SO3",
    "V2O3",
)  # fmt: skip
"""The first eight are what the model answers, in its order."""

ANSWERED = OXIDES[:8]

USUAL = {
    "P2O5": 0.1,
    "MnO": 0.2,
    "Cr2O3": 0.25,
    "Na2O": 0.45,
    "K2O": 0.12,
    "SO3": 0.1,
    "V2O3": 0.02,
}
"""Filled in, in percent, where an analysis does not give an oxide."""

WIDE = {
    "SiO2": (34, 62), "TiO2": (0.0, 14), "Al2O3": (2, 34), "FeO": (0.5, 27), "MgO": (0.5, 25),
    "CaO": (2, 20), "Na2O": (0.05, 4), "K2O": (0.02, 3), "P2O5": (0.01, 1), "MnO": (0.03, 0.4),
    "Cr2O3": (0.0, 0.9), "SO3": (0.0, 0.6), "V2O3": (0.0, 0.06),
}  # fmt: skip
"""Percent from which wide guesses are drawn before they are scaled to 100."""


@dataclass(frozen=True)
class Compositions:
    """Compositions, each with the mission it came with."""

    percent: Array
    """(samples, oxides) adding up to 100."""
    mission: NDArray[np.str_]

    def where(self, keep: NDArray[np.bool_]) -> "Compositions":
        """Return the chosen rows."""
        return Compositions(self.percent[keep], self.mission[keep])


def lunar(data: Path) -> Compositions:
    """Return the analyses of the Lunar Sample Compendium that give the major oxides.

    Raises:
        FileNotFoundError: the table is not in ``data``.
    """
    path = data / "chemistry" / "lunar_sample_compendium_bulk_extracted.csv"
    rows, missions = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["bulk_like"] == "True":
                rows.append([_percent(row, oxide) for oxide in OXIDES])
                missions.append(_mission(row["mission"]))
    percent = np.array(rows)
    return Compositions(100 * percent / percent.sum(axis=1, keepdims=True), np.array(missions))


def _percent(row: dict[str, str], oxide: str) -> float:
    text = row.get(oxide, "")
    return float(text) if text else USUAL[oxide]


def _mission(name: str) -> str:
    """Return the Apollo mission, or "luna" for the three Luna missions and what else there is."""
    return name if name.startswith("apollo") else "luna"


def around(known: Compositions, count: int, rng: np.random.Generator) -> Array:
    """Return (count, oxides): known analyses, each oxide off by about a tenth."""
    drawn = known.percent[rng.integers(0, len(known.percent), count)]
    drawn = drawn * np.exp(rng.normal(0, 0.12, drawn.shape))
    return 100 * drawn / drawn.sum(axis=1, keepdims=True)


def wide(count: int, rng: np.random.Generator) -> Array:
    """Return (count, oxides) that no mission need have seen: terrestrial rocks and beyond."""
    columns = []
    for oxide in OXIDES:
        low, high = WIDE[oxide]
        trace = oxide in USUAL
        drawn = rng.uniform(low, high, count)
        if trace:
            drawn = np.exp(rng.uniform(np.log(max(low, 0.01)), np.log(high), count))
        columns.append(drawn)
    percent = np.stack(columns, axis=1)
    return 100 * percent / percent.sum(axis=1, keepdims=True)
