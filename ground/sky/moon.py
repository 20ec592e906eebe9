"""How the Moon is turned: the IAU's rotation formula (Archinal et al. 2011 and 2018).

The Moon's pole and prime meridian are given as angles in the ICRF, each a line plus a row of sines
or cosines of thirteen arguments. It is good to some hundredths of a degree, a kilometre on the
ground, which is far below what a horizon's hills do to a window.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RADIUS_KM = 1737.4
"""Of the reference sphere."""
GM_KM3_S2 = 4902.8001
"""Gravity of the Moon alone."""

_SECONDS_A_DAY = 86_400.0
_DAYS_A_CENTURY = 36_525.0

_ARGUMENTS = (
    (125.045, -0.0529921), (250.089, -0.1059842), (260.008, 13.0120009), (176.625, 13.3407154),
    (357.529, 0.9856003), (311.589, 26.4057084), (134.963, 13.0649930), (276.617, 0.3287146),
    (34.226, 1.7484877), (15.134, -0.1589763), (119.743, 0.0036096), (239.961, 0.1643573),
    (25.053, 12.9590088),
)  # fmt: skip
"""E1 to E13: degrees at J2000, degrees a day."""

_ASCENSION = (-3.8787, -0.1204, 0.0700, -0.0172, 0, 0.0072, 0, 0, 0, -0.0052, 0, 0, 0.0043)
_DECLINATION = (1.5419, 0.0239, -0.0278, 0.0068, 0, -0.0029, 0.0009, 0, 0, 0.0008, 0, 0, -0.0009)
_MERIDIAN = (3.5610, 0.1208, -0.0642, 0.0158, 0.0252, -0.0066, -0.0047, -0.0046, 0.0028, 0.0052,
             0.0040, 0.0019, -0.0044)  # fmt: skip


def moon_axes(tdb_s: Values) -> Values:
    """Return the Moon's axes in the ICRF, (3, 3, times): rows x (0 N 0 E), y (0 N 90 E), z (pole).

    ``tdb_s``: seconds after J2000, TDB.
    """
    days = tdb_s / _SECONDS_A_DAY
    centuries = days / _DAYS_A_CENTURY
    e = np.radians([start + rate * days for start, rate in _ARGUMENTS])
    ascension = np.radians(269.9949 + 0.0031 * centuries + np.asarray(_ASCENSION) @ np.sin(e))
    declination = np.radians(66.5392 + 0.0130 * centuries + np.asarray(_DECLINATION) @ np.cos(e))
    meridian = np.radians(
        38.3213 + 13.17635815 * days - 1.4e-12 * days**2 + np.asarray(_MERIDIAN) @ np.sin(e)
    )
    pole = np.array(
        [
            np.cos(declination) * np.cos(ascension),
            np.cos(declination) * np.sin(ascension),
            np.sin(declination),
        ]
    )
    # Where the Moon's equator crosses the ICRF's, going north: W counts from there, eastwards.
    node = np.array([-np.sin(ascension), np.cos(ascension), np.zeros_like(ascension)])
    across = np.cross(pole, node, axis=0)
    x = node * np.cos(meridian) + across * np.sin(meridian)
    return np.array([x, np.cross(pole, x, axis=0), pole])


def on_moon(latitude_deg: float, longitude_deg: float) -> Values:
    """Return the direction of a place on the Moon in the Moon's own axes, (3,)."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    return np.array(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )
