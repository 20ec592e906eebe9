"""From a sky to a contact plan."""

from collections.abc import Callable
from dataclasses import dataclass

from flight.relay.contacts import Contact, ContactPlan, Range
from ground.sky.bodies import Sky
from ground.sky.settings import LinkSettings, SkySettings
from ground.sky.windows import Beam, Window, find_windows, range_ms

RANGE_PIECE_S = 1_800.0
"""Light times are given for pieces of about this length, each with its longest."""


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link and its windows."""

    from_node: int
    to_node: int
    rate_bytes_s: int
    windows: tuple[Window, ...]
    ranges: tuple[tuple[Window, int], ...]
    """Pieces of the windows with their light times in milliseconds."""

    @property
    def open_ms(self) -> int:
        """How long it is open in all."""
        return sum(window.end_ms - window.start_ms for window in self.windows)

    @property
    def longest_gap_ms(self) -> int:
        """The longest time between two windows; 0: there are not two."""
        pairs = zip(self.windows, self.windows[1:], strict=False)
        return max((after.start_ms - before.end_ms for before, after in pairs), default=0)


def find_directions(
    settings: SkySettings,
    start_ms: int,
    end_ms: int,
    progress: Callable[[int, int], None],
) -> tuple[Direction, ...]:
    """Return every direction in which something is sent, with its windows.

    Raises:
        SettingsError: elements are wrong, or the ephemeris is not installed.
    """
    wanted = [way for link in settings.links for way in _ways(link) if way[2]]
    directions = []
    with Sky() as sky:
        points = {node.node: sky.points(node) for node in settings.nodes}
        for done, (one, other, rate_bytes_s, link) in enumerate(wanted):
            progress(done, len(wanted))
            beam = Beam(points[one], points[other], link.least_elevation_deg, link.most_range_km)
            windows = find_windows(sky, beam, start_ms, end_ms)
            pieces = range_ms(sky, beam, windows, RANGE_PIECE_S)
            directions.append(Direction(one, other, rate_bytes_s, windows, tuple(pieces)))
    progress(len(wanted), len(wanted))
    return tuple(directions)


def contact_plan(directions: tuple[Direction, ...]) -> ContactPlan:
    """Return the contact plan of all directions."""
    return ContactPlan(
        tuple(
            Contact(d.from_node, d.to_node, window.start_ms, window.end_ms, d.rate_bytes_s)
            for d in directions
            for window in d.windows
        ),
        tuple(
            Range(d.from_node, d.to_node, piece.start_ms, piece.end_ms, light_ms)
            for d in directions
            for piece, light_ms in d.ranges
        ),
    )


def _ways(link: LinkSettings) -> tuple[tuple[int, int, int, LinkSettings], ...]:
    return (
        (link.one, link.other, link.one_to_other_bytes_s, link),
        (link.other, link.one, link.other_to_one_bytes_s, link),
    )
