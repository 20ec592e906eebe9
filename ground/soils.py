"""Oxide abundances beside those of the soils that missions brought back.

The table holds published figures in mass percent: for Apollo, medians over the soils of a site
from the Lunar Sample Compendium (C. Meyer, NASA JSC) and the RELAB catalogue; for Luna, the
compendium's pages (Vinogradov 1971 to 1973); Chang'e-5, Li et al. 2022 (NSR nwab188); Chang'e-6,
as far as published, Li et al. 2024 (NSR nwae328). Sites are mixtures and soils vary: what is near
is a likeness, not an origin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flight.product.values import Finding, Kind
from ground.console import table
from ground.words import oxide_name

OXIDES = ("SiO2", "TiO2", "Al2O3", "FeO", "MgO", "CaO", "Na2O", "K2O")


@dataclass(frozen=True, slots=True)
class Soil:
    """A returned soil."""

    name: str
    percent: Mapping[str, float]
    """Mass percent by oxide; what is not published is left out."""


def _soil(name: str, *percent: float | None) -> Soil:
    pairs = zip(OXIDES, percent, strict=True)
    return Soil(name, {oxide: value for oxide, value in pairs if value is not None})


SOILS = (
    _soil("Apollo 11", 42.0, 7.5, 13.6, 15.81, 7.93, 12.01, 0.43, 0.14),
    _soil("Apollo 12", 46.58, 2.56, 13.59, 15.11, 9.89, 10.53, 0.56, 0.36),
    _soil("Apollo 14", 48.2, 1.71, 17.38, 10.42, 9.65, 10.4, 0.71, 0.53),
    _soil("Apollo 15", 46.35, 1.52, 15.08, 13.36, 10.71, 10.91, 0.39, 0.18),
    _soil("Apollo 16", 44.93, 0.58, 26.74, 5.5, 6.04, 15.62, 0.44, 0.11),
    _soil("Apollo 17 valley", 40.87, 8.11, 12.3, 16.37, 9.75, 11.0, 0.37, 0.08),
    _soil("Apollo 17 massif", 44.63, 1.78, 19.94, 8.84, 10.26, 12.76, 0.41, 0.15),
    _soil("Luna 16", 41.7, 3.4, 15.32, 16.68, 8.79, 12.52, 0.35, 0.1),
    _soil("Luna 20", 44.3, 0.53, 22.25, 6.96, 9.77, 14.65, 0.47, 0.1),
    _soil("Luna 24", 45.5, 0.9, 11.1, 20.9, 9.7, 10.8, 0.29, 0.03),
    _soil("Chang'e-5", 42.2, 5.0, 10.8, 22.5, 6.48, 11.0, 0.26, 0.19),
    _soil("Chang'e-6", None, None, 14.0, 17.0, None, 12.0, None, 0.076),
)

COMPARED = ("SiO2", "TiO2", "Al2O3", "FeO", "MgO", "CaO", "K2O")
"""Sodium is left out: its line lies at the detector's edge."""
NATURAL_SHARE = 0.05
"""1 standard deviation of a soil about its site's median, as a share; of ten sites' soils."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far a returned soil lies from what was found."""

    soil: Soil
    apart: float
    """Root mean square over the oxides, in standard deviations of measurement and soil."""


def likenesses(findings: Sequence[Finding]) -> tuple[Likeness, ...]:
    """Return the returned soils, the nearest first; none where no oxide was found."""
    found = {oxide_name(f.label): f for f in findings if f.kind is Kind.OXIDE}
    kept = {oxide: f for oxide, f in found.items() if oxide in COMPARED}
    if not kept:
        return ()
    near = (Likeness(soil, _apart(kept, soil)) for soil in SOILS)
    return tuple(sorted(near, key=lambda likeness: likeness.apart))


def comparison_rows(findings: Sequence[Finding], *, most: int = 3) -> list[tuple[str, ...]]:
    """Return rows of cells, the head first: oxide, found with 1 sigma, and the nearest soils."""
    near = likenesses(findings)[:most]
    if not near:
        return []
    rows = [("oxide", "found, wt %", *(n.soil.name for n in near))]
    for finding in findings:
        if finding.kind is Kind.OXIDE:
            oxide = oxide_name(finding.label)
            known = (n.soil.percent.get(oxide) for n in near)
            cells = ("-" if value is None else f"{value:.2f}" for value in known)
            rows.append(
                (oxide, f"{finding.score / 1000:.2f} ± {finding.extent / 1000:.2f}", *cells)
            )
    rows.append(("apart", "", *(f"{n.apart:.1f} sigma" for n in near)))
    return rows


def comparison_text(findings: Sequence[Finding]) -> str:
    """Return the oxides beside the nearest returned soils; nothing where there are none."""
    rows = comparison_rows(findings)
    if not rows:
        return ""
    return table(rows[0], rows[1:], right=" rrrr")


def _apart(found: Mapping[str, Finding], soil: Soil) -> float:
    squares = [
        (f.score / 1000 - soil.percent[oxide]) ** 2
        / ((f.extent / 1000) ** 2 + (NATURAL_SHARE * soil.percent[oxide]) ** 2)
        for oxide, f in found.items()
        if oxide in soil.percent
    ]
    return float((sum(squares) / len(squares)) ** 0.5) if squares else float("inf")
