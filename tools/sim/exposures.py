"""Frames drawn for the ground's tests, each with what a model would have said of it."""

from dataclasses import dataclass

import numpy as np

from flight.autonomy import oxides
from flight.autonomy.mineral import (
    MARGIN_ENTRIES,
    PHASES,
    SCORE_BITS,
    MineralPolicy,
)
from flight.autonomy.oxides import BINS, DECADES, METALS, VOTES
from flight.autonomy.sample import HEADS, STEPS, Head, SamplePolicy, prepare
from flight.autonomy.tasks import Policy
from flight.autonomy.terrain import CELLS, TerrainPolicy
from flight.autonomy.xrf import XrfPolicy
from flight.instant import Instant
from flight.product.values import Frame, SensorKind, Tensor
from tools.sim.sample import make_case

START_MS = 848_620_800_000
"""2026-11-22T00:00:00Z."""

POLICIES: dict[str, Policy] = {
    "terrain": TerrainPolicy(),
    "mineral": MineralPolicy(
        confidence_permille=tuple(min(1000, 300 + 30 * n) for n in range(MARGIN_ENTRIES)),
        strange_weight=0,
        angle_weight=1 << SCORE_BITS,
        usual_angle=0,
        anomaly_threshold=200,
    ),
    "xrf": XrfPolicy(
        centre=(67_000, 17_000, 37_000, 39_000, 30_000, 33_000, 6_300, 3_900),
        step=(100_000,) * len(METALS),
        sigma=(1_100, 900, 850, 800, 340, 290, 270, 260) * (len(METALS) // 2),
        typical=(45_000, 4_000, 16_000, 15_000, 10_000, 12_000, 500, 200),
        redrawn=(0, 1000),
        most_misfit=(100,) * len(DECADES),
    ),
    "sample": SamplePolicy(sealed_threshold=20, open_threshold=-20),
}


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """A frame with what a model would have said of it."""

    frame: Frame
    task: str
    outputs: tuple[Tensor, ...]


def camera(number: int, *, side: int = 256) -> Exposure:
    """Return craters under a low sun, and a model that sees them."""
    draw = np.random.default_rng(number)
    row, column = np.mgrid[0:side, 0:side] / side
    height = np.zeros((side, side))
    for _ in range(40):
        y, x, radius = draw.random(), draw.random(), 0.01 + 0.09 * draw.random() ** 3
        distance = np.hypot(row - y, column - x) / radius
        height += radius * (np.minimum(distance**2, 1) + 0.3 * np.exp(-((distance - 1) ** 2) * 8))
    light = 90 + 6_000 * np.gradient(height, axis=1) + draw.normal(0, 4, (side, side))
    samples = np.clip(light, 2, 255).astype(np.uint8)
    taken = Instant(number * 10**10, START_MS + number * 10_000)
    frame = Frame(
        "camera", SensorKind.CAMERA, number, taken, samples, axis=(500_000,),
        name=f"drawn-{number:03d}.png",
    )  # fmt: skip
    cells = samples.reshape(CELLS, side // CELLS, CELLS, side // CELLS).astype(np.int64)
    rough = cells.max(axis=(1, 3)) - cells.min(axis=(1, 3))
    dark = cells.mean(axis=(1, 3))
    hazard = np.clip(rough - 70, -128, 127)
    shadow = np.clip(30 - dark, -128, 127)
    output = np.stack([hazard, shadow, hazard], axis=-1).astype(np.int8)[None]
    return Exposure(frame, "terrain", (output,))


def cube(number: int, *, lines: int = 24, samples: int = 20, bands: int = 40) -> Exposure:
    """Return a reflectance cube of four soils and one strange pixel."""
    draw = np.random.default_rng(1000 + number)
    axis = tuple(range(500_000, 500_000 + 50_000 * bands, 50_000))
    nm = np.array(axis) / 1000
    label = np.clip((np.mgrid[0:lines, 0:samples][1] * 4) // samples, 0, 3)
    relief = 1 + 0.2 * np.sin(np.mgrid[0:lines, 0:samples][0] / 3)
    slope = 0.06 + 0.00006 * (nm - 500)
    depth = np.array([0.0, 0.1, 0.2, 0.3])[label]
    band = np.exp(-(((nm - 1000) / 120) ** 2))
    reflectance = relief * slope[:, None, None] * (1 - depth[None] * band[:, None, None])
    strange = (lines // 3, samples // 2)
    reflectance[:, strange[0], strange[1]] += 0.1 * np.exp(-(((nm - 1900) / 60) ** 2))
    counts = reflectance * 20_000 + draw.normal(0, 8, reflectance.shape)
    taken = Instant(number * 10**10, START_MS + number * 10_000)
    frame = Frame(
        "spectrometer", SensorKind.CUBE, number, taken, counts.astype(np.uint16), axis=axis,
        unit_counts=20_000, name=f"drawn-{number:03d}.hdr",
    )  # fmt: skip
    pixels = lines * samples
    logits = draw.integers(-90, -60, (pixels, len(PHASES) + 1))
    logits[np.arange(pixels), label.reshape(-1)] = draw.integers(0, 100, pixels)
    likeness = draw.integers(90, 127, (pixels, 1))
    likeness[strange[0] * samples + strange[1]] = -100
    outputs = (logits.astype(np.int8), likeness.astype(np.int8))
    return Exposure(frame, "mineral", outputs)


def xray(number: int, *, channels: int = 1024) -> Exposure:
    """Return a spectrum of a basalt's main lines on a falling background."""
    draw = np.random.default_rng(2000 + number)
    energy = np.arange(channels) * 0.010
    lines = {1.254: 900, 1.487: 2500, 1.740: 9000, 3.690: 12_000, 4.509: 3000, 6.400: 20_000}
    expected = 60 * np.exp(-energy / 3) + 1
    for centre, counts in lines.items():
        expected += counts / 15 * np.exp(-(((energy - centre) / 0.06) ** 2))
    taken = Instant(number * 10**10, START_MS + number * 10_000)
    frame = Frame(
        "xray", SensorKind.XRAY, number, taken, draw.poisson(expected).astype(np.uint32),
        axis=(0, 10_000), live_ms=120_000, name=f"drawn-{number:03d}.msa",
    )  # fmt: skip
    votes = draw.integers(-20, 20, (1, VOTES * len(METALS))).astype(np.int8)
    redrawn = oxides.prepare(frame)
    assert redrawn is not None
    return Exposure(frame, "xrf", (votes, redrawn.reshape(1, BINS)))


def sample(number: int) -> Exposure:
    """Return a sampling attempt, with heads that say what is so."""
    case = make_case(np.random.default_rng(3000 + number))
    taken = Instant(number * 10**10, START_MS + number * 10_000)
    frame = Frame(
        "canister", SensorKind.SAMPLE, number, taken, case.frame, name=f"drawn-{number:03d}.npy"
    )
    tensor = prepare(frame)
    if tensor is None:
        raise AssertionError("the simulated frame is unusable")
    heads = np.full((1, HEADS, 1, 1), -80, np.int8)
    heads[0, : case.truth.bracket] = 80
    for head, so in (
        (Head.SPILL, case.truth.spilled),
        (Head.JAM, case.truth.jammed),
        (Head.OBSTRUCTED, case.truth.obstructed),
        (Head.SEALED, case.truth.sealed),
    ):
        heads[0, head] = 80 if so else -80
    return Exposure(frame, "sample", (heads, tensor[:, STEPS:]))
