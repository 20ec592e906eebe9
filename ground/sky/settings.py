"""What is in the sky and who speaks with whom: one TOML file for `ground contacts`."""

from dataclasses import dataclass

from ground.sky.kepler import between_heights


@dataclass(frozen=True, slots=True)
class Site:
    """A place on Earth (WGS 84) or on the Moon (IAU mean Earth axes, sphere of 1737.4 km)."""

    latitude_deg: float
    longitude_deg: float
    """East; 206 and -154 are the same."""
    height_m: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what is nowhere."""
        if not (-90 <= self.latitude_deg <= 90 and -360 <= self.longitude_deg <= 360):
            raise ValueError("latitude_deg is from -90 to 90, longitude_deg from -360 to 360")


@dataclass(frozen=True, slots=True)
class MoonOrbit:
    """An orbit round the Moon, two bodies only; angles as in ground.sky.kepler.Elements."""

    periapsis_km: float
    """Lowest height over the sphere of 1737.4 km."""
    apoapsis_km: float
    inclination_deg: float
    epoch: str
    """UTC, ISO 8601: when the anomaly holds, and the Moon's axes that the angles count from."""
    node_deg: float = 0.0
    periapsis_deg: float = 90.0
    """90: lowest over the north, so that it lingers over the south."""
    anomaly_deg: float = 180.0

    def __post_init__(self) -> None:
        """Refuse what is no orbit."""
        between_heights(self.periapsis_km, self.apoapsis_km)


@dataclass(frozen=True, slots=True)
class EarthOrbit:
    """An Earth satellite by its two-line elements (SGP4)."""

    line1: str
    line2: str


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Where one node is: exactly one of the kinds."""

    node: int
    """Its node number in the contact plan."""
    name: str = ""
    moon_site: Site | None = None
    moon_orbit: MoonOrbit | None = None
    earth_orbit: EarthOrbit | None = None
    earth_sites: tuple[Site, ...] = ()
    """One node with several antennas: it is seen when any of them is."""

    def __post_init__(self) -> None:
        """Refuse a node that is nowhere or in two places."""
        kinds = (self.moon_site, self.moon_orbit, self.earth_orbit, self.earth_sites or None)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(
                f"node {self.node} needs exactly one of moon_site, moon_orbit, earth_orbit and"
                " earth_sites"
            )


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Two nodes that speak with each other when they see each other."""

    one: int
    other: int
    one_to_other_bytes_s: int
    """0: that way nothing is sent."""
    other_to_one_bytes_s: int
    least_elevation_deg: float = 5.0
    """Over the horizon, at each end that stands on ground."""
    most_range_km: float = 0.0
    """How far the radios reach; 0: any distance."""


@dataclass(frozen=True, slots=True)
class SkySettings:
    """All nodes and links."""

    nodes: tuple[NodeSettings, ...]
    links: tuple[LinkSettings, ...]
    title: str = "Contacts"

    def __post_init__(self) -> None:
        """Refuse links to nodes that are not there."""
        numbers = [node.node for node in self.nodes]
        if len(set(numbers)) != len(numbers):
            raise ValueError("two nodes have the same number")
        for link in self.links:
            if link.one == link.other or not {link.one, link.other} <= set(numbers):
                raise ValueError(f"a link leads from {link.one} to {link.other}: no such nodes")
