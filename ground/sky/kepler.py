"""An orbit round the Moon as Kepler has it: two bodies and nothing else.

Earth and the Moon's lumps turn real orbits by degrees a month, so windows that are computed weeks
from the epoch are a likeness of the true ones: right in length and rhythm, wrong in phase.
"""

from dataclasses import dataclass

import numpy as np

from ground.sky.moon import GM_KM3_S2, RADIUS_KM, Values

_STEPS = 30
"""Newton's method doubles its digits with each; an eccentric orbit needs some more to begin."""


@dataclass(frozen=True, slots=True)
class Elements:
    """Where an orbit lies: in the Moon's equator of the epoch, from its prime meridian of then."""

    semi_major_km: float
    eccentricity: float
    inclination_deg: float
    node_deg: float
    """Longitude, on the Moon of the epoch, at which it goes north."""
    periapsis_deg: float
    """From there to the lowest point, in the direction of flight."""
    anomaly_deg: float
    """Mean anomaly at the epoch: 0 at the lowest point, 180 at the highest."""

    @property
    def period_s(self) -> float:
        """How long one turn takes (Kepler's third law)."""
        return float(2 * np.pi * np.sqrt(self.semi_major_km**3 / GM_KM3_S2))


def between_heights(periapsis_km: float, apoapsis_km: float) -> tuple[float, float]:
    """Return semi-major axis in km and eccentricity of an orbit given by its heights.

    Raises:
        ValueError: the heights are in the wrong order or below the ground.
    """
    low, high = RADIUS_KM + periapsis_km, RADIUS_KM + apoapsis_km
    if not RADIUS_KM < low <= high:
        raise ValueError("periapsis_km must be above 0 and not above apoapsis_km")
    return (low + high) / 2, (high - low) / (high + low)


def position_km(elements: Elements, after_s: Values, axes: Values) -> Values:
    """Return where the orbiter is, (3, times), from the Moon's centre in the frame of ``axes``.

    ``axes``: the Moon's axes at the epoch, (3, 3); ``after_s``: seconds after it.
    """
    mean = np.radians(elements.anomaly_deg) + 2 * np.pi * after_s / elements.period_s
    eccentric = _eccentric_anomaly(np.remainder(mean, 2 * np.pi), elements.eccentricity)
    semi_minor = np.sqrt(1 - elements.eccentricity**2)
    along = elements.semi_major_km * (np.cos(eccentric) - elements.eccentricity)
    aside = elements.semi_major_km * semi_minor * np.sin(eccentric)
    node, periapsis = np.radians(elements.node_deg), np.radians(elements.periapsis_deg)
    tilt = np.radians(elements.inclination_deg)
    to_node = np.array([np.cos(node), np.sin(node), 0.0])
    ahead = np.array([-np.sin(node) * np.cos(tilt), np.cos(node) * np.cos(tilt), np.sin(tilt)])
    low = np.cos(periapsis) * to_node + np.sin(periapsis) * ahead
    after = np.cos(periapsis) * ahead - np.sin(periapsis) * to_node
    in_moon_axes = low[:, None] * along + after[:, None] * aside
    return np.asarray(axes.T @ in_moon_axes)


def _eccentric_anomaly(mean: Values, eccentricity: float) -> Values:
    """Return the root of Kepler's equation E - e sin E = M, for M from 0 to 2 pi."""
    found = mean + eccentricity * np.sin(mean)
    for _ in range(_STEPS):
        step = (found - eccentricity * np.sin(found) - mean) / (1 - eccentricity * np.cos(found))
        found -= step
        if not step.size or np.abs(step).max() < 1e-13:
            break
    return found
