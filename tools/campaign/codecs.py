"""Hostile streams against every codec: one error type, bounded time, bounded memory.

    python -m tools.campaign.codecs                       # 1,000,000 inputs each
    python -m tools.campaign.codecs CUBE --inputs 10000 --seed 7

Inputs are good parts with a few things wrong, in their bytes and sometimes in their geometry.
"""

import argparse
import math
import sys
import time
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import numpy as np

from flight.product.codecs import CODECS, CodecId, Encoded, Integers, decode, encode
from flight.product.errors import WireError
from tools.campaign.fuzz import hostile_inputs

MAX_CPU_S = 0.05
SAMPLE_CPU_S = {CodecId.SPECTRA: 200e-6}
USUAL_SAMPLE_CPU_S = 4e-6
"""More for each sample of the box that a stream claims: a sound part of that size takes as long.
A spectrum is a wavefront of one channel a step."""
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
    smooth = np.add.outer(np.arange(12), 2 * np.arange(10)) + rng.integers(0, 2, (12, 10))
    bands = np.stack([smooth[:5], smooth[:5] + 9, smooth[:5] + 20])
    counts = rng.poisson(0.5, (3, 60)).astype(np.uint32)
    labels = np.kron(rng.integers(0, 4, (5, 5), np.uint8), np.ones((4, 6), np.uint8))
    packets = rng.integers(0, 4, (30, 6), np.uint8).cumsum(axis=0).astype(np.uint8)
    logits = rng.integers(-9, 9, (12, 12)).cumsum(axis=1)[None, :, :, None] + np.array([9, -7])
    return {
        CodecId.RAW: [smooth.astype(np.uint16), counts],
        CodecId.IMAGE: [smooth.astype(np.uint16), smooth.astype(np.uint8)],
        CodecId.LATTICE: [smooth.astype(np.uint16), smooth.astype(np.uint8)],
        CodecId.CUBE: [bands.astype(np.uint16)],
        CodecId.SPECTRA: [counts, counts[:1]],
        CodecId.CLASS_MAP: [labels, labels[:9, :11] + np.uint8(3)],
        CodecId.HOUSEKEEPING: [packets],
        CodecId.TENSOR: [logits.clip(-128, 127).astype(np.int8)],
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
        claimed = math.prod(geometry[-((len(geometry) - 1) // 3) :])
        sample_s = SAMPLE_CPU_S.get(codec, USUAL_SAMPLE_CPU_S)
        allowed_s = most_seconds + sample_s * min(claimed, LIMIT_BYTES)
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
