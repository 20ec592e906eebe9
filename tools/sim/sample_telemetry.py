"""Telemetry of a sampling attempt: rest, dig, pour, close, hold, as the eleven sensors show it.

Digging follows the earthmoving equation of McKyes (1985): the blade's force grows with its depth
as rho g d^2 N_g + c d N_c, the two numbers from friction angle and rake. Closing is a slow
approach: the seal pushes back in proportion to how far it is in, a hard grain between lid and
seal by Hertz's law until it carries what is left of the press, with clicks where it chips. One
hard grain tilts the lid, so that two gap sensors on opposite sides add up to its height wherever
it lies.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import CHANNELS
from tools.sim.sample_state import (
    DEPTH_MM,
    PRESS_N,
    RADIUS_MM,
    SEAL_MM,
    SEAL_N,
    Lid,
    Range,
    Soil,
    State,
)

Series: TypeAlias = NDArray[np.float64]

TIMES = 192
DIG, POUR, CLOSE, PRESSED = 16, 69, 108, 184
"""Columns at which the phases begin; the lid is at rest at the last at the latest."""
FAST = 18
"""Columns that the lid takes to come near."""
OPEN_UM = 20_000.0
SLOW_UM = 3_000.0
"""From here on the lid goes slowly."""
GRAVITY = 1.62
BLADE_M, ARM_M = 0.10, 0.35
DEEPEST_M = 0.06
STALL_MA = 2_200.0
IDLE_MA = 90.0
MA_PER_NM = 110.0
MA_PER_N = 0.75
GRAIN_WITHOUT_SEAL_G_CM3 = 1.45
"""Density of poured soil."""


@dataclass(frozen=True, slots=True)
class Sensors:
    """How the sensors err: standard deviations unless said."""

    gap_offset_um: float = 6.0
    gap_noise_um: float = 5.0
    gain_error: float = 0.03
    """Of force, torque, current and mass."""
    mass_noise_g: float = 2.5
    drift: float = 1.0
    """Of offsets with temperature and time, relative to the design."""
    lost: Range = (0.0, 0.04)
    """Share of values that do not arrive."""


def telemetry(rng: np.random.Generator, state: State, sensors: Sensors) -> NDArray[np.uint16]:
    """Return (11, 192) counts, rows as flight.autonomy.sample.CHANNELS, 0 where a value is lost."""
    time = np.arange(TIMES)
    kelvin = float(rng.uniform(210.0, 370.0))
    depth_m, torque_nm, arm_deg = _dig(rng, state.soil, state.scoop_stall, time)
    gap_a, gap_b, force_n, closing_ma = _close(rng, state.lid, sensors, kelvin, time)
    digging_ma = IDLE_MA + MA_PER_NM * torque_nm * (1 + 0.1 * (state.lid.friction - 1))
    if state.scoop_stall is not None:
        digging_ma = np.where(_stalled(state.scoop_stall, time), STALL_MA, digging_ma)
    current = np.where(time < DIG, 5.0, np.where(time < POUR, digging_ma, closing_ma))
    poured = 1 / (1 + np.exp(-(time - rng.uniform(81, 90)) / rng.uniform(1.5, 4)))
    fill_mm = state.mass_g / GRAIN_WITHOUT_SEAL_G_CM3 / (np.pi * RADIUS_MM**2) * 1000
    # The level sensor looks at one spot of a cone.
    heap_mm = min(fill_mm * 0.4, 8.0) * rng.uniform(-1, 1)
    hum = 0.4 * torque_nm + np.where((time >= DIG) & (time < CLOSE), 0.5, 0.0)
    gains = 1 + sensors.gain_error * rng.standard_normal(5)
    drift = sensors.drift * (time / TIMES)
    grams = state.mass_g * poured * gains[0]
    courses = (
        current * gains[1] + 15 * rng.standard_normal(TIMES),
        1000 * torque_nm * gains[2] + rng.normal(0, 150) + 40 * rng.standard_normal(TIMES),
        1000 * depth_m + rng.normal(0, 2) + 0.3 * rng.standard_normal(TIMES),
        arm_deg + rng.normal(0, 1) + 0.2 * rng.standard_normal(TIMES),
        grams + rng.normal(0, 10) + drift * rng.normal(0, 2)
        + (sensors.mass_noise_g + 3 * hum) * rng.standard_normal(TIMES),
        np.clip((fill_mm + heap_mm) * poured, 0, DEPTH_MM)
        + rng.normal(0, 1.5) + 0.7 * rng.standard_normal(TIMES),
        gap_a + sensors.gap_noise_um * rng.standard_normal(TIMES),
        gap_b + sensors.gap_noise_um * rng.standard_normal(TIMES),
        force_n * gains[3] + rng.normal(0, 8) + drift * rng.normal(0, 3)
        + 2.5 * rng.standard_normal(TIMES),
        kelvin + 0.006 * np.cumsum(current) / MA_PER_NM + 0.3 * rng.standard_normal(TIMES),
        kelvin + rng.normal(0, 4) + 0.3 * rng.standard_normal(TIMES),
    )  # fmt: skip
    return _counts(rng, np.stack(courses), sensors)


def blade_force_n(soil: Soil, depth_m: Series, *, rake_deg: float = 45.0) -> Series:
    """Return the force on a blade at some depths (McKyes 1985, wide blade, no surcharge)."""
    friction = np.radians(soil.friction_deg)
    rake, steel = np.radians(rake_deg), 2 / 3 * friction
    plane = np.pi / 4 - friction / 2
    below = np.cos(rake + steel) + np.sin(rake + steel) / np.tan(plane + friction)
    weight = (1 / np.tan(rake) + 1 / np.tan(plane)) / (2 * below)
    sticking = (1 + 1 / (np.tan(plane) * np.tan(plane + friction))) / below
    heavy = soil.density_g_cm3 * 1000 * GRAVITY * depth_m**2 * weight
    force: Series = BLADE_M * (heavy + soil.cohesion_kpa * 1000 * depth_m * sticking)
    return force


def _dig(
    rng: np.random.Generator, soil: Soil, stall: float | None, time: NDArray[np.int64]
) -> tuple[Series, Series, Series]:
    """Return depth in metres, torque in newton metres and the arm's angle in degrees."""
    way = np.clip((time - DIG) / (POUR - DIG), 0, 1)
    way = way if stall is None else np.minimum(way, stall)
    depth = DEEPEST_M * rng.uniform(0.6, 1.0) * np.sin(np.pi * way) ** 0.7
    stones = 1 + 0.12 * soil.coarse * rng.standard_normal(TIMES)
    torque = blade_force_n(soil, depth) * ARM_M * np.maximum(stones, 0.3)
    if stall is not None:
        torque = np.where(_stalled(stall, time), rng.uniform(12, 16), torque)
        # After the stall the drive is switched off and the scoop lifted as it is.
        lifted = np.clip((time - POUR) / 9, 0, 1)
        depth, torque = depth * (1 - lifted), np.where(time >= POUR, 0.0, torque)
    lift = np.clip((time - POUR) / 15, 0, 1)
    return depth, torque, 90 * way + 60 * lift * (1 if stall is None else 0.3)


def _stalled(stall: float, time: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (time >= DIG + stall * (POUR - DIG)) & (time < POUR)


def _close(
    rng: np.random.Generator, lid: Lid, sensors: Sensors, kelvin: float, time: NDArray[np.int64]
) -> tuple[Series, Series, Series, Series]:
    """Return both gaps in micrometres as shown, the force in newtons and the current."""
    tilt = 0.0 if lid.level else lid.grain_left_um
    low = lid.dust_um + lid.rest_um
    # The middle of a tilted lid lies half a grain above the side that came down.
    rest = max(low, lid.dust_um + lid.grain_left_um - (tilt / 2 if tilt else 0.0))
    rest = max(rest, low) if lid.jam_um is None else lid.jam_um
    slow_from = CLOSE + FAST
    fast = OPEN_UM + (SLOW_UM - OPEN_UM) * np.clip((time - CLOSE) / FAST, 0, 1)
    speed = SLOW_UM / rng.uniform(44, 52)
    asked = np.where(time < slow_from, fast, SLOW_UM - speed * (time - slow_from))
    middle = np.maximum(asked, rest)
    force = _press(rng, lid, middle, rest)
    first = lid.dust_um + lid.grain_um
    touched = np.clip((first - middle) / max(first - rest, 1.0), 0, 1)
    lean = tilt / 2 * touched**0.7 * np.cos(lid.azimuth) * (lid.jam_um is None)
    offsets = sensors.gap_offset_um * rng.standard_normal(2) + 0.12 * (kelvin - 293) * sensors.drift
    slipped = lid.slip_um * (time > slow_from + rng.uniform(4, 30))
    near_a = np.cos(lid.azimuth) > 0
    gap_a = middle + lean + offsets[0] - slipped * near_a
    gap_b = middle - lean + offsets[1] - slipped * (not near_a)
    at_rest = asked <= rest
    moving = (time >= CLOSE) & ~at_rest
    current = 5.0 + moving * (IDLE_MA * lid.friction + MA_PER_N * force * lid.friction)
    if lid.jam_um is not None:
        # The drive pushes against the jam for a while, then is switched off.
        pushing = at_rest & (time < PRESSED)
        current = np.where(pushing, STALL_MA * rng.uniform(0.9, 1.0), current)
    return gap_a, gap_b, force, current


def _press(rng: np.random.Generator, lid: Lid, middle: Series, rest: float) -> Series:
    """Return the force on the lid while its middle comes down to ``rest``."""
    in_um = np.clip(SEAL_MM * 1000 - middle, 0, None)
    seal = SEAL_N * lid.stiffness * in_um / (SEAL_MM * 1000)
    if lid.jam_um is not None:
        return np.minimum(seal + 4 * rng.random(), PRESS_N)
    left = max(PRESS_N - float(seal[-1]), 0.0)
    # What lies between carries the rest: a grain from where it is touched, else the hard stop.
    lies = max(lid.dust_um * 1.5, lid.dust_um + lid.grain_um)
    begin = max(lies, rest + 12.0)
    way = np.clip((begin - middle) / (begin - rest), 0, 1)
    carried = left * way**lid.soft
    if lid.grain_um and lid.soft < 2:
        clicks = rng.random(TIMES) < 0.08
        carried = carried * (1 - 0.25 * clicks * (way < 0.98))
    force = seal + carried
    # Soft metal flows under the press; a grain does not.
    held = np.maximum(np.arange(TIMES) - int(np.argmax(way >= 1)), 0) * (way >= 1)
    flow = 0.012 * rng.uniform(0.6, 1.4) * np.log1p(held / 2) * (seal / PRESS_N)
    return np.minimum(force, PRESS_N) * (1 - flow)


def _counts(rng: np.random.Generator, courses: Series, sensors: Sensors) -> NDArray[np.uint16]:
    """Return the courses as a board would have them: whole counts, some of them lost."""
    unit = np.array([[channel.counts_per_unit] for channel in CHANNELS])
    zero = np.array([[channel.zero] for channel in CHANNELS])
    counts = np.clip(np.rint(courses * unit) + zero, 1, 0xFFFF)
    lost = rng.random(counts.shape) < rng.uniform(*sensors.lost)
    # Now and then a packet with all channels is missing.
    gap = int(rng.integers(0, TIMES))
    lost[:, gap : gap + int(rng.integers(0, 5))] = True
    return np.where(lost, 0, counts).astype(np.uint16)
