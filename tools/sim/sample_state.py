"""What an attempt comes to, before any sensor looks: soil, masses, the lid at rest."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Range: TypeAlias = tuple[float, float]

RADIUS_MM = 45.0
FLANGE_MM = 7.0
"""Width of the ring on which the lid seals."""
DEPTH_MM = 60.0
CAPACITY_G = 480.0
"""The canister's volume, 382 cm3, of soil as loose as a pour leaves it, less room for the lid."""
SEAL_MM = 0.8
"""How far the knife edge goes into the soft metal."""
SEAL_N = 500.0
"""Force that a seal of the design's stiffness needs to go all the way in."""
PRESS_N = 600.0
"""At this force the drive stops."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number whose logarithm is drawn evenly."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True, slots=True)
class Soil:
    """What is sampled."""

    grain_um: float
    """Median grain by mass."""
    spread: float
    """Geometric standard deviation of the grains."""
    coarse: float
    """Size of the stones that come along, relative to training's."""
    friction_deg: float
    cohesion_kpa: float
    density_g_cm3: float
    """In place."""
    albedo: float


@dataclass(frozen=True, slots=True)
class Lid:
    """How the lid is held when the drive has stopped."""

    dust_um: float
    """A layer all around, as pressed."""
    azimuth: float
    """Where a grain lies, in radians from gap sensor A; B is opposite."""
    stiffness: float
    """Of the seal, relative to the design."""
    friction: float
    """Of the drive, relative to the design."""
    grain_um: float = 0.0
    """As it fell."""
    crush: float = 0.0
    """Share of the grain that the press takes off."""
    level: bool = False
    """Two such grains lie opposite each other."""
    jam_um: float | None = None
    """The drive stalled at this gap."""
    soft: float = 1.5
    """Exponent of force over travel of what lies on the seal; a hard sphere's is 1.5."""
    slip_um: float = 0.0
    """Counts that the sensor nearer to the grain lost: it shows so much less."""

    @property
    def grain_left_um(self) -> float:
        """How far the grain holds the lid off where it lies."""
        return self.grain_um * (1 - self.crush)

    @property
    def rest_um(self) -> float:
        """The gap that the seal's own stiffness leaves under the press, all around."""
        return max(SEAL_MM * 1000 * (1 - PRESS_N / (SEAL_N * self.stiffness)), 0.0)

    @property
    def gap_um(self) -> float:
        """The widest gap."""
        return self.dust_um + max(self.grain_left_um, self.rest_um)


@dataclass(frozen=True, slots=True)
class State:
    """What is so."""

    soil: Soil
    mass_g: float
    spilled_g: float
    scoop_stall: float | None
    """Share of its travel after which the scoop stalled."""
    lid: Lid


@dataclass(frozen=True, slots=True)
class Draw:
    """From what soil and mechanism are drawn: ranges of uniform draws unless said."""

    grain_um: Range = (40.0, 130.0)
    """Median grain, log-uniform."""
    spread: Range = (3.5, 5.0)
    coarse: Range = (0.6, 1.4)
    friction_deg: Range = (30.0, 50.0)
    cohesion_kpa: Range = (0.1, 1.0)
    density_g_cm3: Range = (1.3, 1.9)
    albedo: Range = (0.08, 0.2)
    seal_stiffness: Range = (0.85, 1.15)
    drive_friction: Range = (0.7, 1.6)

    def soil(self, rng: np.random.Generator) -> Soil:
        """Return a soil."""
        return Soil(
            grain_um=log_uniform(rng, *self.grain_um),
            spread=float(rng.uniform(*self.spread)),
            coarse=float(rng.uniform(*self.coarse)),
            friction_deg=float(rng.uniform(*self.friction_deg)),
            cohesion_kpa=float(rng.uniform(*self.cohesion_kpa)),
            density_g_cm3=float(rng.uniform(*self.density_g_cm3)),
            albedo=float(rng.uniform(*self.albedo)),
        )
