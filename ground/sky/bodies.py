"""Where nodes are, in one frame: kilometres from Earth's centre along the axes of the ICRF.

Earth's turning, the Moon's place and Earth satellites come from skyfield, with the ephemeris DE421
that the package skyfield-data brings: nothing is fetched.
"""

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from skyfield.api import EarthSatellite, Loader, wgs84
from skyfield.nutationlib import iau2000b_radians
from skyfield.timelib import Time

from flight.settings import SettingsError
from ground.sky.kepler import Elements, between_heights, position_km
from ground.sky.moon import RADIUS_KM, Values, moon_axes, on_moon
from ground.sky.settings import MoonOrbit, NodeSettings, Site
from ground.times import DTN_EPOCH, parse_utc

_J2000_TT = 2_451_545.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where a point is at some instants, and how it moves."""

    km: Values
    """(3, times)"""
    km_s: Values
    """(3, times)"""
    up: Values | None = None
    """(3, times): away from the ground it stands on; None: in orbit."""
    up_s: Values | None = None
    """(3, times): how that direction changes in a second."""


class Point(Protocol):
    """A thing whose place is known at any instant."""

    name: str
    on_earth: bool
    on_moon: bool
    is_quick: bool
    """Whether it goes round in an hour or two."""

    def at(self, instants: "Instants") -> tuple[Values, Values | None]:
        """Return place and upward direction, (3, times) each."""
        ...


class Sky:
    """Ephemeris and time scale, loaded once."""

    def __init__(self) -> None:
        """Load them.

        Raises:
            SettingsError: the ephemeris is not installed.
        """
        folder = _data_folder()
        self._time_scale = Loader(str(folder)).timescale(builtin=True)
        self._bodies = Loader(str(folder))("de421.bsp")
        self._moon = self._bodies["moon"] - self._bodies["earth"]

    def __enter__(self) -> "Sky":
        """Close it when the block is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ephemeris."""
        self._bodies.close()

    def instants(self, start_ms: int, after_s: Values) -> "Instants":
        """Return instants so many seconds after a DTN time."""
        start = self._time_scale.from_datetime(_utc(start_ms))
        return Instants(
            self, self._time_scale.tt_jd(start.whole, start.tt_fraction + after_s / _DAY_S)
        )

    def moon_km(self, time: Time) -> Values:
        """Return the Moon's centre, (3, times)."""
        return np.asarray(self._moon.at(time).position.km)

    def points(self, node: NodeSettings) -> tuple[Point, ...]:
        """Return the points that a node is made of."""
        if node.moon_site is not None:
            return (MoonSite(node.moon_site, node.name),)
        if node.moon_orbit is not None:
            return (MoonOrbiter(node.moon_orbit, node.name, self),)
        if node.earth_orbit is not None:
            return (EarthOrbiter(node.earth_orbit.line1, node.earth_orbit.line2, node.name),)
        return tuple(EarthSite(site, site.name or node.name) for site in node.earth_sites)


@dataclass(eq=False)
class Instants:
    """Some instants, with what many points ask of them worked out once."""

    sky: Sky
    time: Time

    def __post_init__(self) -> None:
        """Take the nutation of 77 terms for that of 687: a milliarcsecond, at a tenth the work.

        Skyfield's documentation names this attribute for the purpose.
        """
        self.time._nutation_angles_radians = iau2000b_radians(self.time)

    @cached_property
    def moon_km(self) -> Values:
        """(3, times): the Moon's centre."""
        return self.sky.moon_km(self.time)

    @cached_property
    def tdb_s(self) -> Values:
        """Seconds after J2000; TT does for TDB here, it is within 2 ms."""
        return np.asarray((self.time.whole - _J2000_TT + self.time.tt_fraction) * _DAY_S)

    @cached_property
    def moon_axes(self) -> Values:
        """(3, 3, times), see ground.sky.moon."""
        return moon_axes(self.tdb_s)

    def later(self, seconds: float) -> "Instants":
        """Return the instants so much later."""
        fraction = self.time.tt_fraction + seconds / _DAY_S
        return Instants(self.sky, self.time.ts.tt_jd(self.time.whole, fraction))


class EarthSite:
    """A place on Earth."""

    on_earth, on_moon, is_quick = True, False, False

    def __init__(self, site: Site, name: str) -> None:
        self.name = name
        self._place = wgs84.latlon(site.latitude_deg, site.longitude_deg, elevation_m=site.height_m)

    def at(self, instants: Instants) -> tuple[Values, Values | None]:
        """Return place and upward direction."""
        up = np.asarray(self._place.rotation_at(instants.time))[2]
        return np.asarray(self._place.at(instants.time).position.km), up


class EarthOrbiter:
    """A satellite of Earth by its two-line elements."""

    on_earth, on_moon, is_quick = False, False, True

    def __init__(self, line1: str, line2: str, name: str) -> None:
        self.name = name
        try:
            self._satellite = EarthSatellite(line1, line2, name)
        except ValueError as error:
            raise SettingsError(
                f"{name or 'earth_orbit'}: no two-line elements: {error}"
            ) from error

    def at(self, instants: Instants) -> tuple[Values, Values | None]:
        """Return its place."""
        return np.asarray(self._satellite.at(instants.time).position.km), None


class MoonSite:
    """A place on the Moon."""

    on_earth, on_moon, is_quick = False, True, False

    def __init__(self, site: Site, name: str) -> None:
        self.name = name
        self._direction = on_moon(site.latitude_deg, site.longitude_deg)
        self._radius_km = RADIUS_KM + site.height_m / 1000

    def at(self, instants: Instants) -> tuple[Values, Values | None]:
        """Return place and upward direction."""
        up = np.einsum("i,ijk->jk", self._direction, instants.moon_axes)
        return instants.moon_km + up * self._radius_km, up


class MoonOrbiter:
    """A satellite of the Moon."""

    on_earth = on_moon = is_quick = False

    def __init__(self, orbit: MoonOrbit, name: str, sky: Sky) -> None:
        self.name = name
        semi_major_km, eccentricity = between_heights(orbit.periapsis_km, orbit.apoapsis_km)
        self.elements = Elements(
            semi_major_km,
            eccentricity,
            orbit.inclination_deg,
            orbit.node_deg,
            orbit.periapsis_deg,
            orbit.anomaly_deg,
        )
        try:
            epoch = sky.instants(parse_utc(orbit.epoch), np.zeros(1))
        except ValueError as error:
            raise SettingsError(
                f"{name or 'moon_orbit'}: epoch {orbit.epoch!r}: {error}"
            ) from error
        self._epoch_s = float(epoch.tdb_s[0])
        self._axes = epoch.moon_axes[:, :, 0]

    def at(self, instants: Instants) -> tuple[Values, Values | None]:
        """Return its place."""
        after_s = instants.tdb_s - self._epoch_s
        return instants.moon_km + position_km(self.elements, after_s, self._axes), None


def course(point: Point, instants: Instants, later: Instants) -> Course:
    """Return a point's course from its places at instants and a second later."""
    km, up = point.at(instants)
    next_km, next_up = point.at(later)
    up_s = None if up is None or next_up is None else next_up - up
    return Course(km, next_km - km, up, up_s)


def _data_folder() -> Path:
    try:
        import skyfield_data
    except ImportError as error:
        raise SettingsError(
            "the ephemeris is not installed: pip install 'farside[ground]'"
        ) from error
    with warnings.catch_warnings():
        # It warns that its table of Earth's turning has ended; skyfield's own goes on.
        warnings.simplefilter("ignore")
        return Path(skyfield_data.get_skyfield_data_path())


def _utc(dtn_ms: int) -> datetime:
    return DTN_EPOCH + timedelta(milliseconds=dtn_ms)
