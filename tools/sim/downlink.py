"""A board's whole downlink without a board: the payloads that its bundles would carry.

The frames and tensors are drawn, not sensed; everything after them (findings, decisions, journal,
products, parts) is made by the flight code itself. For tests of the ground, and to try it:

    python -m tools.sim.downlink archive
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from flight.autonomy import oxides
from flight.autonomy.decide import DecisionPolicy, Memory, decide
from flight.autonomy.downlink import PRODUCTS_A_STEP, Plan, plan_products, shares
from flight.autonomy.mineral import (
    MARGIN_ENTRIES,
    PHASES,
    SCORE_BITS,
    WHITENING_BITS,
    MineralPolicy,
)
from flight.autonomy.oxides import BINS, DECADES, METALS, VOTES
from flight.autonomy.sample import HEADS, STEPS, Head, SamplePolicy, prepare
from flight.autonomy.tasks import Policy, conclude, policy_integers
from flight.autonomy.terrain import CELLS, TerrainPolicy
from flight.autonomy.xrf import XrfPolicy
from flight.instant import Instant
from flight.product.codecs import CODECS, encode
from flight.product.events import Event, EventReport, encode_events
from flight.product.journal import GENESIS, Step, enter, stamp
from flight.product.part import (
    CODEC_BYTES,
    DIGEST_PREFIX_BYTES,
    Header,
    Part,
    ProductId,
    ProductKind,
    cut_bytes,
)
from flight.product.status import Boot, Health, ModelStamp, Reply
from flight.product.values import ROOM_UNKNOWN, Frame, SensorKind, Tensor
from ground.archive import open_archive
from ground.raw import Arrival
from tools.sim.sample import make_case

NODE, GROUND_NODE = 1, 3
START_MS = 848_620_800_000
"""2026-11-22T00:00:00Z."""
LIGHT_MS = 1_350
MODEL_DIGEST = bytes(range(32))
CONFIG_DIGEST = bytes(range(32, 64))
FEATURES = 4

_POLICIES: dict[str, Policy] = {
    "terrain": TerrainPolicy(),
    "mineral": MineralPolicy(
        confidence_permille=tuple(min(1000, 300 + 30 * n) for n in range(MARGIN_ENTRIES)),
        whitening=tuple(int(v) << WHITENING_BITS - 2 for v in np.eye(FEATURES).reshape(-1)),
        centres=(0,) * (len(PHASES) * FEATURES),
        distance_weight=1 << SCORE_BITS,
        strange_weight=0,
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


class Board:
    """Makes the arrivals of one board, in the order in which they would leave it."""

    def __init__(self, *, boot: int = 1, room_bytes: int = ROOM_UNKNOWN) -> None:
        self._boot = boot
        self._room_bytes = room_bytes
        self._memory = Memory()
        self._digest = GENESIS
        self._step = 0
        self._next_product = 0
        self._sequence = 0

    def start(self) -> list[Arrival]:
        """Return the boot record's arrivals."""
        policies = [(name, policy_integers(policy)) for name, policy in _POLICIES.items()]
        policies.append(("decisions", policy_integers(DecisionPolicy())))
        models = (
            ModelStamp("terrain", "terrain", "1.0.0", MODEL_DIGEST),
            ModelStamp("mineral", "mineral", "1.0.0", MODEL_DIGEST),
            ModelStamp("xrf", "xrf", "1.0.0", MODEL_DIGEST),
            ModelStamp("sample", "sample", "1.0.0", MODEL_DIGEST),
        )
        boot = Boot(
            NODE, self._boot, self._now(), "0.1.0", CONFIG_DIGEST, self._step, models,
            tuple(policies),
        )  # fmt: skip
        return self.record(ProductKind.BOOT, boot.encode())

    def record(self, kind: ProductKind, data: bytes) -> list[Arrival]:
        """Return a record's arrivals."""
        plan = Plan(0, kind, CODEC_BYTES, data)
        return self._send(plan, self._take_numbers(1), None)

    def expose(self, exposure: Exposure) -> list[Arrival]:
        """Return all arrivals of one frame."""
        frame, policy = exposure.frame, _POLICIES[exposure.task]
        findings = conclude(frame, exposure.outputs, 0, policy)
        self._memory, decision = decide(
            self._memory, DecisionPolicy(), sensor=frame.sensor, frame_number=frame.number,
            findings=findings, frame_bytes=frame.samples.nbytes, room_bytes=self._room_bytes,
        )  # fmt: skip
        first = self._take_numbers(PRODUCTS_A_STEP)
        step = Step(
            number=self._step,
            boot=self._boot,
            now=self._now(),
            sensor=frame.sensor,
            kind=frame.kind,
            task=exposure.task,
            frame_number=frame.number,
            taken=frame.taken,
            frame=stamp(frame.samples),
            sample_bytes=frame.samples.dtype.itemsize,
            axis=frame.axis,
            unit_counts=frame.unit_counts,
            live_ms=frame.live_ms,
            frame_name=frame.name,
            model_digest=MODEL_DIGEST if exposure.outputs else b"",
            no_answer=0,
            outputs=tuple(stamp(output) for output in exposure.outputs),
            room_bytes=self._room_bytes,
            first_product=first.number,
        )
        entry = enter(self._digest, step, decision)
        self._digest, self._step = entry.digest, self._step + 1
        arrivals: list[Arrival] = []
        for plan in plan_products(entry, frame, exposure.outputs, policy):
            product = ProductId(NODE, self._boot, first.number + plan.slot)
            arrivals += self._send(plan, product, frame)
        return arrivals

    def _send(self, plan: Plan, product: ProductId, frame: Frame | None) -> list[Arrival]:
        if isinstance(plan.content, bytes):
            return self._send_parts(plan, product, frame, 1, cut_bytes(plan.content))
        encoded = encode(
            plan.codec,
            plan.content,
            maximum_error=plan.maximum_error,
            part_lines=plan.part_lines,
            tile=plan.tile,
        )
        version, arrivals = CODECS[plan.codec].version, []
        for share, parts in shares(plan, encoded):
            number = product.number - plan.slot + share.slot
            cut = tuple((part.geometry, part.data) for part in parts)
            arrivals += self._send_parts(
                share, replace(product, number=number), frame, version, cut
            )
        return arrivals

    def _send_parts(
        self,
        plan: Plan,
        product: ProductId,
        frame: Frame | None,
        version: int,
        cut: tuple[tuple[tuple[int, ...], bytes], ...],
    ) -> list[Arrival]:
        header = Header(
            id=product,
            kind=plan.kind,
            sensor=frame.sensor if frame else "board",
            frame_number=frame.number if frame else 0,
            taken=frame.taken if frame else self._now(),
            model_digest=MODEL_DIGEST[:DIGEST_PREFIX_BYTES] if frame else b"",
            config_digest=CONFIG_DIGEST[:DIGEST_PREFIX_BYTES],
            codec=plan.codec,
            codec_version=version,
            count=len(cut),
        )
        parts = [Part(header, index, *part) for index, part in enumerate(cut)]
        return [self._arrive(part.encode(), plan.kind.priority) for part in parts]

    def _arrive(self, payload: bytes, priority: int) -> Arrival:
        self._sequence += 1
        created = self._now().dtn_ms
        return Arrival(
            source=f"ipn:{NODE}.64",
            destination=f"ipn:{GROUND_NODE}.{64 + priority}",
            created_ms=created,
            sequence=self._sequence,
            received_ms=created + LIGHT_MS + 40 * self._sequence,
            payload=payload,
        )

    def _take_numbers(self, count: int) -> ProductId:
        first, self._next_product = self._next_product, self._next_product + count
        return ProductId(NODE, self._boot, first)

    def _now(self) -> Instant:
        return Instant(self._step * 10**10, START_MS + self._step * 10_000)


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
    output = np.stack([hazard, shadow], axis=-1).astype(np.int8)[None]
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
    features = draw.integers(-12, 12, (pixels, FEATURES))
    features[strange[0] * samples + strange[1]] = 120
    return Exposure(frame, "mineral", (logits.astype(np.int8), features.astype(np.int8)))


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


def downlink(
    *, cameras: int = 4, cubes: int = 1, spectra: int = 1, side: int = 256
) -> Iterator[Arrival]:
    """Yield the arrivals of one run, in the order in which they were made."""
    board = Board()
    yield from board.start()
    for number in range(cameras):
        yield from board.expose(camera(number, side=side))
    for number in range(cubes):
        yield from board.expose(cube(number))
    for number in range(spectra):
        yield from board.expose(xray(number))
    now = Instant(10**11, START_MS + 100_000)
    reports = [
        EventReport(Event.BOOTED(boot=1, version="0.1.0"), now),
        EventReport(Event.FRAME_REFUSED(sensor="camera", what="cut short"), now, 3),
    ]
    yield from board.record(ProductKind.EVENTS, encode_events(reports))
    health = Health(now, ("store_bytes", "temperature_mc", "queued_bundles"), (81_920, -1, 12))
    yield from board.record(ProductKind.HEALTH, health.encode())
    yield from board.record(ProductKind.REPLY, Reply(7, done=True, words="sent").encode())


@lru_cache(maxsize=2)
def whole_run(*, cameras: int = 2, side: int = 128) -> tuple[Arrival, ...]:
    """Return all arrivals of one run; packing takes time, so tests share what was made."""
    return tuple(downlink(cameras=cameras, side=side))


def main() -> int:
    """Write the downlink of a small run into an archive, by priority as a link would."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    folder = Path(sys.argv[1])
    arrivals = sorted(downlink(), key=lambda arrival: arrival.destination)
    with open_archive(folder, make=True) as archive:
        archive.keep(tuple(arrivals))
    print(f"{len(arrivals)} payloads in {folder}; try `ground ls --archive {folder}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
