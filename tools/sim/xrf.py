"""X-ray fluorescence of a thick flat sample, by fundamental parameters (xraylib).

The theory. A tube sends a continuum (bremsstrahlung, softened by windows, shaped by a focusing
optic) and the lines of its anode. Light of energy E reaches a depth in the sample, knocks an
inner electron out of element i, and a share of the atoms answers with a line, which must come
out again: Sherman's integral. Lines of heavier elements do the same to lighter ones on their way
(secondary fluorescence). What theory does not know well, the absolute efficiency at each line, is
measured once on a certified glass and kept as one factor a line.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xraylib
from numpy.typing import NDArray

Array = NDArray[np.float64]

ELEMENTS = (11, 12, 13, 14, 15, 16, 19, 20, 22, 23, 24, 25, 26, 28, 29, 30)
"""Atomic numbers that can shine; oxygen is the rest."""

OXIDES = {
    "Na2O": (11, 0.7419), "MgO": (12, 0.6030), "Al2O3": (13, 0.5293), "SiO2": (14, 0.4674),
    "P2O5": (15, 0.4364), "SO3": (16, 0.4005), "K2O": (19, 0.8301), "CaO": (20, 0.7147),
    "TiO2": (22, 0.5995), "V2O3": (23, 0.6798), "Cr2O3": (24, 0.6842), "MnO": (25, 0.7745),
    "FeO": (26, 0.7773),
}  # fmt: skip
"""Atomic number of the metal and its mass share in the oxide."""

K_ALPHA = (xraylib.KL3_LINE, xraylib.KL2_LINE)
K_BETA = (xraylib.KM3_LINE, xraylib.KM2_LINE)


@dataclass(frozen=True)
class Configuration:
    """Tube, optic, geometry and detector."""

    anode: int
    kilovolts: float
    tube_window_mm: float
    optic_kev: Array
    optic_share: Array
    incidence_sine: float
    takeoff_sine: float
    detector_window_cm: float
    detector_cm: float
    path_in_cm: float
    path_out_cm: float


def breadboard(standards: Path) -> Configuration:
    """Return the PIXL breadboard from its configuration and optic files.

    Raises:
        FileNotFoundError: they are not in ``standards``.
    """
    (text,) = (p.read_text() for p in sorted(standards.glob("Breadboard_Configuration*.msa")))
    keys = {
        line[1:].partition(":")[0].strip("# "): line.partition(":")[2].split()
        for line in text.splitlines()
        if line.startswith("#") and ":" in line
    }

    def number(key: str) -> float:
        return float(keys[key][0].strip(","))

    (optic,) = (np.loadtxt(p) for p in sorted(standards.glob("Efficiency_profile*.txt")))
    return Configuration(
        anode=int(number("ANODE")),
        kilovolts=number("BEAMKV"),
        tube_window_mm=number("TUBEWINDOW"),
        optic_kev=optic[:, 0],
        optic_share=optic[:, 1],
        incidence_sine=float(np.sin(np.radians(number("INCANGLE")))),
        takeoff_sine=float(np.sin(np.radians(number("ELEVANGLE")))),
        detector_window_cm=number("TBEWIND"),
        detector_cm=number("TACTLYR"),
        path_in_cm=number("PATHINCLEN"),
        path_out_cm=number("PATHEMGLEN"),
    )


def mass_attenuation(element: int, kev: Array) -> Array:
    """Return total attenuation in cm2/g."""
    return np.array([xraylib.CS_Total(element, float(e)) for e in np.atleast_1d(kev)])


AIR = {7: 0.755, 8: 0.232, 18: 0.013}
"""Mass shares in air: what is left of it in the beam dims light elements and shines itself."""

RHODIUM_LINES_KEV = ((2.697, 1.0), (2.834, 0.55), (3.001, 0.08))
"""L-alpha, L-beta1 and L-beta2 of the anode, and their strengths."""


@dataclass(frozen=True)
class Tube:
    """What the configuration does not say of the tube; fitted once on a certified glass."""

    line_strength: float = 9.0
    """Anode L-alpha over the continuum at 6 keV, per grid step of 0.15 keV, before the optic."""
    anode_g_cm2: float = 0.0014
    """The anode's own mass, which the light of a transmission tube must leave through."""


def tube_spectrum(configuration: Configuration, tube: Tube, kev: Array) -> Array:
    """Return photons a grid step that reach the sample, in arbitrary units.

    Continuum after Ebel (1999), softened by anode and window, shaped by the optic.
    """
    peak, anode = configuration.kilovolts, configuration.anode
    power = 1.109 - 0.00435 * anode + 0.00175 * peak
    window = np.exp(-mass_attenuation(4, kev) * 1.848 * configuration.tube_window_mm / 10)
    leaving = np.exp(-mass_attenuation(anode, kev) * tube.anode_g_cm2)
    continuum = anode * np.clip(peak / kev - 1, 0, None) ** power * leaving
    light = continuum.copy()
    at_6_kev = continuum[np.argmin(np.abs(kev - 6))]
    for energy, strength in RHODIUM_LINES_KEV:
        light[np.argmin(np.abs(kev - energy))] += tube.line_strength * strength * at_6_kev
    return light * window * np.interp(kev, configuration.optic_kev, configuration.optic_share)


def air_attenuation(kev: Array) -> Array:
    """Return the mass attenuation of air in cm2/g."""
    return sum(share * mass_attenuation(element, kev) for element, share in AIR.items())


def detector_efficiency(configuration: Configuration, kev: Array) -> Array:
    """Return the share of photons that the detector counts."""
    window = np.exp(-mass_attenuation(4, kev) * 1.848 * configuration.detector_window_cm)
    return window * (1 - np.exp(-mass_attenuation(14, kev) * 2.33 * configuration.detector_cm))


@dataclass(frozen=True)
class Line:
    """All K lines of one element, as one unit."""

    element: int
    edge_kev: float
    energies_kev: tuple[float, float]
    """K-alpha and K-beta, each the mean of its two components."""
    shares: tuple[float, float]
    """Shares of the photons in K-alpha and in K-beta."""


def line_of(element: int) -> Line:
    """Return an element's K lines."""
    parts = []
    for group in (K_ALPHA, K_BETA):
        rates = [_rate(element, line) for line in group]
        energies = [xraylib.LineEnergy(element, line) if r else 0.0
                    for line, r in zip(group, rates, strict=True)]  # fmt: skip
        total = sum(rates)
        mean = float(np.dot(rates, energies) / total) if total else 0.0
        parts.append((mean, total))
    total = sum(rate for _, rate in parts)
    return Line(
        element,
        xraylib.EdgeEnergy(element, xraylib.K_SHELL),
        (parts[0][0], parts[1][0]),
        (parts[0][1] / total, parts[1][1] / total),
    )


def _rate(element: int, line: int) -> float:
    try:
        return float(xraylib.RadRate(element, line))
    except ValueError:  # xraylib has no such line: elements lighter than sulphur have no K-beta
        return 0.0


class Physics:
    """Tables of one configuration, ready to turn compositions into line intensities."""

    def __init__(self, configuration: Configuration, tube: Tube) -> None:
        self.configuration = configuration
        self.lines = tuple(line_of(element) for element in ELEMENTS)
        self.grid_kev = np.arange(1.0, configuration.kilovolts, 0.15)
        self.tube = tube_spectrum(configuration, tube, self.grid_kev)
        matter = (*ELEMENTS, 8)
        alpha = np.array([line.energies_kev[0] for line in self.lines])
        self.mu_grid = np.stack([mass_attenuation(z, self.grid_kev) for z in matter])
        self.mu_line = np.stack([mass_attenuation(z, alpha) for z in matter])
        self.excite_grid = np.stack([_excitation(line, self.grid_kev) for line in self.lines])
        self.excite_line = np.stack([_excitation(line, alpha) for line in self.lines])
        self.seen = detector_efficiency(configuration, alpha)
        self.air_grid = air_attenuation(self.grid_kev)
        self.air_line = air_attenuation(alpha)

    def intensities(self, mass: Array, air_g_cm2: Array) -> Array:
        """Return (samples, elements) K photons counted, for (samples, elements) mass shares.

        What is missing to 1 is oxygen. ``air_g_cm2`` (samples,) lies between sample and
        detector; before the sample there is as much of it a centimetre. Arbitrary units.
        """
        air = air_g_cm2[:, None]
        before = self.configuration.path_in_cm / self.configuration.path_out_cm
        tube = self.tube * np.exp(-air * before * self.air_grid)
        whole = np.concatenate([mass, 1 - mass.sum(axis=1, keepdims=True)], axis=1)
        mu_in = whole @ self.mu_grid / self.configuration.incidence_sine
        mu_out = whole @ self.mu_line / self.configuration.takeoff_sine
        primary = np.stack(
            [
                (tube * self.excite_grid[i] / (mu_in + mu_out[:, i : i + 1])).sum(axis=1)
                for i in range(len(ELEMENTS))
            ],
            axis=1,
        )
        born = primary + self._secondary(mass, tube, mu_in, mu_out)
        return mass * born * self.seen * np.exp(-air * self.air_line)

    def argon(self, air_g_cm2: Array) -> Array:
        """Return (samples,) K photons of the argon in the air before the sample."""
        line = line_of(18)
        excite = (self.tube * _excitation(line, self.grid_kev)).sum()
        seen = detector_efficiency(self.configuration, np.array([line.energies_kev[0]]))[0]
        before = self.configuration.path_in_cm / self.configuration.path_out_cm
        return air_g_cm2 * before * AIR[18] * excite * seen

    def scatter(self, mass: Array, kev: Array) -> Array:
        """Return (samples, energies) how strongly a sample scatters: less when it absorbs more."""
        whole = np.concatenate([mass, 1 - mass.sum(axis=1, keepdims=True)], axis=1)
        absorbed = np.stack([mass_attenuation(z, kev) for z in (*ELEMENTS, 8)])
        scattered = np.stack([_scattering(z, kev) for z in (*ELEMENTS, 8)])
        slant = 1 / self.configuration.incidence_sine + 1 / self.configuration.takeoff_sine
        return (whole @ scattered) / (whole @ absorbed * slant)

    def _secondary(self, mass: Array, tube: Array, mu_in: Array, mu_out: Array) -> Array:
        """Return what lines of heavier elements add, per unit mass share (Shiraiwa & Fujino)."""
        mu_cause = mu_out * self.configuration.takeoff_sine
        added = np.zeros_like(mass)
        for i in range(len(ELEMENTS)):
            for j in range(i + 1, len(ELEMENTS)):
                strength = self.excite_line[i, j]
                if strength <= 0 or not mass[:, j].any():
                    continue
                out, cause = mu_out[:, i : i + 1], mu_cause[:, j : j + 1]
                path = np.log1p(mu_in / cause) / mu_in + np.log1p(out / cause) / out
                born = tube * self.excite_grid[j] / (mu_in + out) * path
                added[:, i] += 0.5 * mass[:, j] * strength * born.sum(axis=1)
        return added


def _scattering(element: int, kev: Array) -> Array:
    """Return the cross-section of elastic and inelastic scattering in cm2/g."""
    return np.array([xraylib.CS_Rayl(element, e) + xraylib.CS_Compt(element, e) for e in kev])


def _excitation(line: Line, kev: Array) -> Array:
    """Return K photons per unit of areal mass: photoelectric effect, K share, yield."""
    given = np.zeros(len(kev))
    for index, energy in enumerate(kev):
        if energy > line.edge_kev:
            photo = xraylib.CS_Photo_Partial(line.element, xraylib.K_SHELL, float(energy))
            given[index] = photo * xraylib.FluorYield(line.element, xraylib.K_SHELL)
    return given


def mass_shares(oxides_percent: dict[str, Array]) -> Array:
    """Return (samples, elements) mass shares from oxide percentages, scaled to add up to 100."""
    total = sum(oxides_percent.values())
    shares = np.zeros((len(next(iter(oxides_percent.values()))), len(ELEMENTS)))
    for oxide, percent in oxides_percent.items():
        element, share = OXIDES[oxide]
        shares[:, ELEMENTS.index(element)] = percent / total * share
    return shares
