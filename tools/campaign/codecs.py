"""Hostile streams against every codec: one error type, bounded time, bounded memory.

    python -m tools.campaign.codecs                       # 1,000,000 inputs each
    python -m tools.campaign.codecs CUBE --inputs 10000 --seed 7

Inputs are good parts with a few things wrong, in their bytes and sometimes in their geometry.
"""

import argparse
import sys
import time
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import numpy as np

from flight.product.codecs import CODECS, CodecId, Encoded, Integers, decode, encode
from flight.product.codecs.entropy import FREE_STEPS, STEPS_A_BYTE
from flight.product.errors import WireError
from tools.campaign.fuzz import hostile_inputs

MAX_CPU_S = 0.05
STEP_CPU_S = 0.0003
"""More for each row, column, band, line, channel of the box: a wavefront takes a step for each, in
a sound part as in a hostile one."""
MAX_PEAK_BYTES = 16 << 20
"""Beyond the array that comes out."""
LIMIT_BYTES = 4 << 20
"""What the caller allows an array to be."""
MEMORY_SAMPLE = 97
GEOMETRY_SAMPLE = 4
"""One input in so many has its geometry spoilt, too."""
RETRIES = 5
"""A slow input is timed again, for the machine may have been busy."""


@dataclass(frozen=True)
class Verdict:
    """What a campaign against one codec found."""

    inputs: int
    refused: int
    slowest_s: float
    largest_peak_bytes: int
    failures: tuple[str, ...]


def _samples(codec: CodecId) -> list[Integers]:
    """Return small arrays of the kind a codec is for."""
    rng = np.random.default_rng(8)
    smooth = np.add.outer(np.arange(24), 2 * np.arange(20)) + rng.integers(0, 5, (24, 20))
    counts = rng.poisson(4, (3, 40)).astype(np.uint32)
    labels = np.kron(rng.integers(0, 4, (5, 5), np.uint8), np.ones((4, 6), np.uint8))
    return {
        CodecId.RAW: [smooth.astype(np.uint16)],
        CodecId.IMAGE: [smooth.astype(np.uint16), smooth.astype(np.uint8)],
        CodecId.LATTICE: [smooth.astype(np.uint16), smooth.astype(np.uint8)],
        CodecId.CUBE: [np.stack([smooth, smooth + 9, smooth + 20]).astype(np.uint16)],
        CodecId.SPECTRA: [counts, counts[0]],
        CodecId.CLASS_MAP: [labels],
        CodecId.HOUSEKEEPING: [smooth.astype(np.uint8)],
        CodecId.TENSOR: [np.kron(smooth, np.ones((3, 8))).reshape(1, 72, 80, 2).astype(np.int8)],
    }[codec]


def attack(codec: CodecId, *, inputs: int, seed: int, most_seconds: float = MAX_CPU_S) -> Verdict:
    """Return what so many inputs, the same for the same seed, did to a codec."""
    parts = [part for samples in _samples(codec) for part in encode(codec, samples)]
    geometries = [part.geometry for part in parts]
    chance = Random(seed)
    refused = largest_peak = 0
    slowest_s = 0.0
    failures: list[str] = []
    streams = hostile_inputs(tuple(part.data for part in parts), inputs=inputs, seed=seed)
    for number, data in enumerate(streams):
        geometry = chance.choice(geometries)
        if number % GEOMETRY_SAMPLE == 0:
            geometry = _spoil(geometry, chance)
        part = Encoded(geometry, data)
        traced = number % MEMORY_SAMPLE == 0
        if traced:
            tracemalloc.start()
        begin = time.thread_time()
        out_bytes = 0
        try:
            out_bytes = _decode(codec, part)
        except WireError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - finding these is what this is for
            failures.append(f"{type(error).__name__}: {error}: {geometry} {data.hex()}")
        spent_s = time.thread_time() - begin
        if traced:
            peak = tracemalloc.get_traced_memory()[1] - out_bytes
            tracemalloc.stop()
            largest_peak = max(largest_peak, peak)
            if peak > MAX_PEAK_BYTES:
                failures.append(f"{peak} bytes of memory: {geometry} {data.hex()}")
            continue
        sides = sum(geometry[-((len(geometry) - 1) // 3) :])
        allowed_s = most_seconds + STEP_CPU_S * min(sides, FREE_STEPS + STEPS_A_BYTE * len(data))
        if spent_s > allowed_s:
            spent_s = min(_seconds(codec, part) for _ in range(RETRIES))
        slowest_s = max(slowest_s, spent_s)
        if spent_s > allowed_s:
            failures.append(f"{spent_s:.3f} s: {geometry} {data.hex()}")
    return Verdict(inputs, refused, slowest_s, largest_peak, tuple(failures))


def _decode(codec: CodecId, part: Encoded) -> int:
    decoded = decode(codec, CODECS[codec].version, [part], limit_bytes=LIMIT_BYTES)
    return decoded.samples.nbytes + decoded.present.nbytes


def _seconds(codec: CodecId, part: Encoded) -> float:
    begin = time.thread_time()
    with suppress(WireError):
        _decode(codec, part)
    return time.thread_time() - begin


def _spoil(geometry: tuple[int, ...], chance: Random) -> tuple[int, ...]:
    numbers = list(geometry)
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(numbers))
        numbers[place] = chance.choice((0, 1, 2, 7, 60, 999, 4096, 1 << 31, numbers[place] + 1))
    return tuple(numbers)


def main() -> int:
    """Attack the named codecs, or all, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="codecs; all by default")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = False
    for codec in [CodecId[name] for name in arguments.names] or list(CodecId):
        verdict = attack(codec, inputs=arguments.inputs, seed=arguments.seed)
        print(
            f"{codec.name}: {verdict.inputs} inputs, {verdict.refused} refused, slowest "
            f"{1000 * verdict.slowest_s:.1f} ms, most memory {verdict.largest_peak_bytes >> 10} "
            f"KiB, {len(verdict.failures)} failures",
            flush=True,
        )
        for failure in verdict.failures[:5]:
            print(f"  {failure[:300]}")
        found = found or bool(verdict.failures)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
