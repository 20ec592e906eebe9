"""A board's whole downlink without a board: the payloads that its bundles would carry.

The frames and tensors are drawn, not sensed; everything after them (findings, decisions, journal,
products, parts) is made by the flight code itself. For tests of the ground, and to try it:

    python -m tools.sim.downlink archive
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from flight.autonomy.decide import DecisionPolicy, Memory, decide
from flight.autonomy.downlink import PRODUCTS_A_STEP, plan_products, record_plan, shares
from flight.autonomy.plan import Content, Plan, content_of
from flight.autonomy.tasks import conclude, policy_integers
from flight.instant import Instant
from flight.product.codecs import CODECS, encode
from flight.product.events import Event, EventReport, encode_events
from flight.product.journal import GENESIS, enter, stamp, step_of
from flight.product.part import (
    DIGEST_PREFIX_BYTES,
    Header,
    Part,
    ProductId,
    ProductKind,
    cut_bytes,
)
from flight.product.status import Boot, Health, ModelStamp, Reply
from flight.product.values import ROOM_UNKNOWN, Frame
from ground.archive import open_archive
from ground.raw import Arrival
from tools.sim.exposures import POLICIES, START_MS, Exposure, camera, cube, xray

NODE, GROUND_NODE = 1, 3
LIGHT_MS = 1_350
MODEL_DIGEST = bytes(range(32))
CONFIG_DIGEST = bytes(range(32, 64))


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
        policies = [(name, policy_integers(policy)) for name, policy in POLICIES.items()]
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
        return self._send(record_plan(kind, data), self._take_numbers(1), None, data)

    def expose(self, exposure: Exposure) -> list[Arrival]:
        """Return all arrivals of one frame."""
        frame, policy = exposure.frame, POLICIES[exposure.task]
        findings = conclude(frame, exposure.outputs, 0, policy)
        self._memory, decision = decide(
            self._memory, DecisionPolicy(), sensor=frame.sensor, frame_number=frame.number,
            findings=findings, frame_bytes=frame.samples.nbytes, room_bytes=self._room_bytes,
        )  # fmt: skip
        first = self._take_numbers(PRODUCTS_A_STEP)
        step = step_of(
            frame,
            stamp(frame.samples),
            tuple(stamp(output) for output in exposure.outputs),
            number=self._step,
            boot=self._boot,
            now=self._now(),
            task=exposure.task,
            model_digest=MODEL_DIGEST if exposure.outputs else b"",
            no_answer=0,
            room_bytes=self._room_bytes,
            first_product=first.number,
        )
        entry = enter(self._digest, step, decision)
        self._digest, self._step = entry.digest, self._step + 1
        arrivals: list[Arrival] = []
        for plan in plan_products(entry, frame, exposure.outputs, policy):
            product = ProductId(NODE, self._boot, first.number + plan.slot)
            content = plan.record or content_of(plan, frame, exposure.outputs, policy)
            arrivals += self._send(plan, product, frame, content)
        return arrivals

    def _send(
        self, plan: Plan, product: ProductId, frame: Frame | None, content: bytes | Content
    ) -> list[Arrival]:
        if isinstance(content, bytes):
            return self._send_parts(plan, product, frame, 1, cut_bytes(content))
        encoded = encode(
            plan.codec,
            content,
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
