"""A sampling attempt: what happened to soil, scoop and lid, the picture, the telemetry, the truth.

    case = make_case(np.random.default_rng(7))
    case.frame         # (203, 192) uint16: a picture, and below it eleven rows of telemetry
    case.truth.sealed  # whether the canister is tight

The canister is an assumption, not any mission's: 90 mm wide, 60 mm deep, closed by a lid whose
knife edge is pressed with 600 N into a soft metal, as the indium seals of the Apollo rock boxes
were. Grains on such a seal are how it fails: several of those boxes had lost their vacuum when
they were opened, and in 2022 dust on the rim of a tube kept Perseverance from closing its sample
"Mageik". An empty canister after a drive that felt right is "Roubion" (2021); grains that hold a
flap open are OSIRIS-REx (2020). Soil is Carrier et al. 1991 (Lunar Sourcebook, chapter 9):
friction 30-50 degrees, cohesion 0.1-1 kPa, 1.3-1.9 g/cm3, median grain 40-130 um.

The same seed gives the same case. A world says from what cases are drawn; ``HELD_OUT`` differ from
``TRAINING`` in light, grains, friction, sensors and kinds of fault; nothing is trained on them.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import AMOUNTS_G
from tools.sim.sample_picture import Light, picture
from tools.sim.sample_state import (
    CAPACITY_G,
    Draw,
    Lid,
    Soil,
    State,
    log_uniform,
)
from tools.sim.sample_telemetry import Sensors, telemetry

TOLERATED_UM = 80.0
"""A gap that the soft metal of the seal still closes; an assumption of the design."""
SPILL_G = 8.0
"""Less than this beside the canister is what any pour loses."""


class Fault(Enum):
    """What went wrong. Those after JAMMED_LID are never trained on."""

    NONE = "none"
    MISSED = "missed"
    """The scoop ran over rock or air: little or nothing was picked up."""
    JAMMED_SCOOP = "jammed scoop"
    SPILLED = "spilled"
    GRAIN = "grain on the seal"
    DUSTY = "dust on the seal"
    """A thin layer that the seal may or may not tolerate."""
    JAMMED_LID = "jammed lid"
    TWO_GRAINS = "two grains on the seal"
    """Far apart, so that the lid stands level on them."""
    CAKED = "caked soil on the seal"
    """A thick layer that yields slowly, without any grain's click."""
    FIBRE = "fibre across the seal"
    """Springy and thin: it carries little of the force."""
    SLIPPED = "slipped gap sensor"
    """A grain lies on the seal, and the sensor next to it lost counts on the way down."""
    STIFF = "stiff seal"
    """Cold metal: the force is there before the lid is down."""


TRAINED = {
    Fault.NONE: 0.34,
    Fault.MISSED: 0.08,
    Fault.JAMMED_SCOOP: 0.07,
    Fault.SPILLED: 0.10,
    Fault.GRAIN: 0.24,
    Fault.DUSTY: 0.08,
    Fault.JAMMED_LID: 0.09,
}
"""How often each happens where a model learns: far more often than on any mission."""


@dataclass(frozen=True, slots=True)
class World:
    """From what cases are drawn."""

    draw: Draw = field(default_factory=Draw)
    light: Light = field(default_factory=Light)
    sensors: Sensors = field(default_factory=Sensors)
    faults: tuple[tuple[Fault, float], ...] = tuple(TRAINED.items())
    """With their weights."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so, whatever picture and telemetry show."""

    fault: Fault
    mass_g: float
    """In the canister."""
    spilled_g: float
    gap_um: float
    """The widest gap between lid and seal; infinite where the lid jammed on its way."""
    bracket: int
    """How many of AMOUNTS_G are reached; 0: nothing was acquired."""
    spilled: bool
    jammed: bool
    obstructed: bool
    """The lid was pressed down and something holds it off its seal."""
    sealed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One attempt."""

    frame: NDArray[np.uint16]
    """(192 + 11, 192): picture, then telemetry."""
    truth: Truth


TRAINING = World()

STRESS = World(
    draw=Draw(grain_um=(30.0, 200.0), friction_deg=(27.0, 52.0), drive_friction=(0.5, 2.6),
              seal_stiffness=(0.75, 1.3)),
    light=Light(elevation_deg=((8.0, 75.0),), blur_px=(0.4, 1.6), read_electrons=(10.0, 45.0),
                veil=(0.0, 0.35), sparkles=(0.0, 120.0)),
    sensors=Sensors(gap_offset_um=9.0, gap_noise_um=8.0, gain_error=0.04, lost=(0.0, 0.08)),
)  # fmt: skip
"""Rougher in every way, for calibration: thresholds must hold here too. No fault is new."""

_UNSEEN_LIGHT = Light(
    elevation_deg=((4.0, 10.0), (24.0, 28.0), (62.0, 76.0)),
    laws=("hapke",),
    glow=(0.0, 0.015),
    sparkles=(80.0, 300.0),
    veil=(0.1, 0.5),
)
_UNSEEN_FAULTS = {
    Fault.NONE: 0.36,
    Fault.TWO_GRAINS: 0.16,
    Fault.CAKED: 0.14,
    Fault.FIBRE: 0.12,
    Fault.SLIPPED: 0.10,
    Fault.STIFF: 0.12,
}

HELD_OUT = {
    "lighting": World(light=_UNSEEN_LIGHT),
    "fine_grains": World(draw=Draw(grain_um=(8.0, 35.0), coarse=(0.2, 0.5))),
    "coarse_grains": World(draw=Draw(grain_um=(160.0, 900.0), coarse=(1.6, 3.0))),
    "friction": World(
        draw=Draw(friction_deg=(22.0, 29.0), cohesion_kpa=(1.1, 3.0), drive_friction=(1.7, 3.2))
    ),
    "sensors": World(
        sensors=Sensors(gap_offset_um=8.0, gap_noise_um=9.0, gain_error=0.05, drift=2.5,
                        lost=(0.05, 0.15))
    ),
    "faults": World(faults=tuple(_UNSEEN_FAULTS.items())),
}  # fmt: skip
"""Regimes that no training and no calibration draws from."""
HELD_OUT["together"] = World(
    draw=replace(HELD_OUT["coarse_grains"].draw, drive_friction=(1.4, 2.4)),
    light=_UNSEEN_LIGHT,
    sensors=HELD_OUT["sensors"].sensors,
    faults=tuple({**TRAINED, **{f: w / 2 for f, w in _UNSEEN_FAULTS.items()}}.items()),
)


def make_case(rng: np.random.Generator, world: World = TRAINING) -> Case:
    """Return a random attempt."""
    kinds, weights = zip(*world.faults, strict=True)
    fault = kinds[int(rng.choice(len(kinds), p=np.array(weights) / sum(weights)))]
    state = happen(rng, world.draw, fault)
    image = picture(rng, state, world.light)
    rows = telemetry(rng, state, world.sensors)
    return Case(np.concatenate([image, rows]), judge(state, fault))


def judge(state: State, fault: Fault) -> Truth:
    """Return what is so of a state."""
    lid = state.lid
    gap_um = float("inf") if lid.jam_um is not None else lid.gap_um
    pressed = lid.jam_um is None
    return Truth(
        fault=fault,
        mass_g=state.mass_g,
        spilled_g=state.spilled_g,
        gap_um=gap_um,
        bracket=sum(state.mass_g >= amount for amount in AMOUNTS_G),
        spilled=state.spilled_g >= SPILL_G,
        jammed=not pressed or state.scoop_stall is not None,
        obstructed=pressed and gap_um > TOLERATED_UM,
        sealed=pressed and gap_um <= TOLERATED_UM,
    )


def happen(rng: np.random.Generator, draw: Draw, fault: Fault) -> State:
    """Return what a fault makes of an attempt."""
    soil = draw.soil(rng)
    scooped_g = float(rng.uniform(30.0, 1.1 * CAPACITY_G))
    stall = None
    if fault is Fault.MISSED:
        scooped_g = float(rng.choice([0.0, rng.exponential(12.0)]))
    elif fault is Fault.JAMMED_SCOOP:
        stall = float(rng.uniform(0.1, 0.9))
        scooped_g *= stall * float(rng.choice([0.0, rng.uniform(0.2, 0.8)]))
    lost = float(rng.uniform(0.05, 0.7)) if fault is Fault.SPILLED else 0.01 * rng.exponential()
    spilled_g = min(scooped_g * lost, scooped_g)
    mass_g = min(scooped_g - spilled_g, CAPACITY_G)
    # What does not fit falls over the rim.
    spilled_g = scooped_g - mass_g
    return State(soil, mass_g, spilled_g, stall, _lid(rng, draw, fault, soil))


def _lid(rng: np.random.Generator, draw: Draw, fault: Fault, soil: Soil) -> Lid:
    """Return how the lid comes to rest."""
    lid = Lid(
        dust_um=float(min(rng.exponential(8.0), 40.0)),
        azimuth=float(rng.uniform(0, 2 * np.pi)),
        stiffness=float(rng.uniform(*draw.seal_stiffness)),
        friction=float(rng.uniform(*draw.drive_friction)),
    )
    if fault is Fault.GRAIN:
        size = log_uniform(rng, 60.0, 3000.0) * soil.coarse
        return replace(lid, grain_um=max(size, 60.0), crush=float(rng.uniform(0.05, 0.4)))
    if fault is Fault.DUSTY:
        return replace(lid, dust_um=float(rng.uniform(20.0, 200.0)))
    if fault is Fault.JAMMED_LID:
        return replace(lid, jam_um=log_uniform(rng, 250.0, 18_000.0))
    if fault is Fault.TWO_GRAINS:
        size = log_uniform(rng, 110.0, 2500.0)
        return replace(lid, level=True, grain_um=size, crush=float(rng.uniform(0.05, 0.3)))
    if fault is Fault.CAKED:
        return replace(lid, dust_um=log_uniform(rng, 60.0, 1200.0), soft=float(rng.uniform(2, 4)))
    if fault is Fault.FIBRE:
        size = log_uniform(rng, 100.0, 800.0)
        return replace(lid, grain_um=size, crush=float(rng.uniform(0.3, 0.6)), soft=3.0)
    if fault is Fault.SLIPPED:
        slip = log_uniform(rng, 60.0, 1500.0)
        size = log_uniform(rng, 110.0, 3000.0)
        return replace(lid, grain_um=size, crush=float(rng.uniform(0.05, 0.3)), slip_um=slip)
    if fault is Fault.STIFF:
        return replace(lid, stiffness=lid.stiffness * float(rng.uniform(1.3, 2.0)))
    return lid
