"""Contact windows: when what one node sends reaches another over a free line of sight.

What is sent at t arrives at t + light time, so the sender is looked at at t and the receiver when
it arrives. Over a second or two everything moves in a straight line (a satellite of the Moon
strays a metre), which makes the light time a quadratic equation. A window counts in the sender's
time. The frame moves with Earth's centre: that shifts light times by a ten-thousandth part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ground.sky.bodies import Course, Point, Sky, course
from ground.sky.moon import RADIUS_KM, Values

Flags: TypeAlias = NDArray[np.bool_]

LIGHT_KM_S = 299_792.458
EARTH_RADIUS_KM = 6378.137
STEP_S, QUICK_STEP_S = 120.0, 20.0
"""Windows and gaps that are shorter may be missed; the latter where a satellite circles Earth."""
SHARP_S = 0.001
"""How sharply the edges of a window are found."""
_KM_A_DEGREE = 100.0
"""Only the sign of a margin counts; this brings lengths and angles to one size."""


@dataclass(frozen=True, slots=True)
class Window:
    """An interval in which one node can send to another."""

    start_ms: int
    """DTN time by the sender."""
    end_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One direction of a link, at some instants."""

    margin: Values
    """Above 0: free. In degrees, or kilometres over 100."""
    light_s: Values
    """From the sender to where the receiver is by then."""


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """One direction of a link: any point of one node to any of another."""

    senders: tuple[Point, ...]
    receivers: tuple[Point, ...]
    least_elevation_deg: float
    most_range_km: float


def look(sky: Sky, beam: Beam, start_ms: int, after_s: Values) -> Sight:
    """Return how the best of a beam's pairs of points sees the other at each instant."""
    instants = sky.instants(start_ms, after_s)
    later = instants.later(1.0)
    moon = Course(instants.moon_km, later.moon_km - instants.moon_km)
    senders = [course(point, instants, later) for point in beam.senders]
    receivers = [course(point, instants, later) for point in beam.receivers]
    sights = [
        _see(beam, moon, (point, one), (other_point, other))
        for point, one in zip(beam.senders, senders, strict=True)
        for other_point, other in zip(beam.receivers, receivers, strict=True)
    ]
    best = np.argmax([sight.margin for sight in sights], axis=0)
    pick = np.arange(len(after_s))
    margins = np.array([sight.margin for sight in sights])
    lights = np.array([sight.light_s for sight in sights])
    return Sight(margins[best, pick], lights[best, pick])


def find_windows(sky: Sky, beam: Beam, start_ms: int, end_ms: int) -> tuple[Window, ...]:
    """Return the windows of a beam between two instants, in order."""
    whole_s = (end_ms - start_ms) / 1000
    is_quick = any(point.is_quick for point in (*beam.senders, *beam.receivers))
    after_s = np.append(np.arange(0, whole_s, QUICK_STEP_S if is_quick else STEP_S), whole_s)
    free = look(sky, beam, start_ms, after_s).margin > 0
    changes = np.flatnonzero(free[1:] != free[:-1])
    brackets = after_s[changes], after_s[changes + 1]
    edges = _edges(lambda at_s: look(sky, beam, start_ms, at_s).margin > 0, *brackets)
    times = [0.0] * bool(free[0]) + list(edges) + [float(after_s[-1])] * bool(free[-1])
    # A window is what is surely free: its edges are rounded inwards.
    windows = (
        Window(start_ms + int(np.ceil(start * 1000)), start_ms + int(end * 1000))
        for start, end in zip(times[::2], times[1::2], strict=True)
    )
    return tuple(window for window in windows if window.start_ms < window.end_ms)


def _edges(is_free: Callable[[Values], Flags], low_s: Values, high_s: Values) -> Values:
    """Return where each bracket's freedom begins or ends, on the free side, by halving them all."""
    was_free = is_free(low_s)
    while low_s.size and float((high_s - low_s).max()) > SHARP_S:
        middle_s = (low_s + high_s) / 2
        same = is_free(middle_s) == was_free
        low_s, high_s = np.where(same, middle_s, low_s), np.where(same, high_s, middle_s)
    return np.where(was_free, low_s, high_s)


def _see(beam: Beam, moon: Course, sent: tuple[Point, Course], got: tuple[Point, Course]) -> Sight:
    (point, sender), (other_point, receiver) = sent, got
    light_s = _light_s(receiver.km - sender.km, receiver.km_s)
    arrival = receiver.km + receiver.km_s * light_s
    line = arrival - sender.km
    distance = np.linalg.norm(line, axis=0)
    margins = [
        _elevation_deg(sender.up, None, line, light_s) - beam.least_elevation_deg,
        _elevation_deg(receiver.up, receiver.up_s, -line, light_s) - beam.least_elevation_deg,
    ]
    if not (point.on_moon or other_point.on_moon):
        margins.append(_clearance_km(moon.km - sender.km, line, RADIUS_KM) / _KM_A_DEGREE)
    if not (point.on_earth or other_point.on_earth):
        margins.append(_clearance_km(-sender.km, line, EARTH_RADIUS_KM) / _KM_A_DEGREE)
    if beam.most_range_km:
        margins.append((beam.most_range_km - distance) / _KM_A_DEGREE)
    return Sight(np.min(np.broadcast_arrays(*margins), axis=0), light_s)


def _light_s(apart: Values, speed: Values) -> Values:
    """Return how long light takes to something that moves on in a straight line."""
    a = np.sum(speed * speed, axis=0) - LIGHT_KM_S**2
    b = 2 * np.sum(apart * speed, axis=0)
    c = np.sum(apart * apart, axis=0)
    return np.asarray((-b - np.sqrt(b * b - 4 * a * c)) / (2 * a))


def _elevation_deg(up: Values | None, up_s: Values | None, line: Values, light_s: Values) -> Values:
    """Return how high over the horizon the other end stands; 90 where there is no horizon."""
    if up is None:
        return np.full(light_s.shape, 90.0)
    if up_s is not None:
        up = up + up_s * light_s
    sine = np.sum(up * line, axis=0) / np.linalg.norm(up, axis=0) / np.linalg.norm(line, axis=0)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))))


def _clearance_km(centre: Values, line: Values, radius_km: float) -> Values:
    """Return how far a line of sight passes from a sphere; its centre is seen from the sender."""
    share = np.clip(np.sum(centre * line, axis=0) / np.sum(line * line, axis=0), 0, 1)
    return np.asarray(np.linalg.norm(centre - share * line, axis=0) - radius_km)


def range_ms(
    sky: Sky, beam: Beam, windows: Sequence[Window], piece_s: float
) -> list[tuple[Window, int]]:
    """Return pieces of windows, each with the longest light time in it, in whole milliseconds."""
    pieces = []
    for window in windows:
        count = max(1, round((window.end_ms - window.start_ms) / 1000 / piece_s))
        edges = np.linspace(window.start_ms, window.end_ms, count + 1).round().astype(int)
        for start, end in pairwise(edges):
            after_s = np.linspace(0, (end - start) / 1000, 5)
            light_s = float(look(sky, beam, int(start), after_s).light_s.max())
            pieces.append((Window(int(start), int(end)), int(np.ceil(light_s * 1000))))
    return pieces
