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
from flight.product.codecs.geometry import DTYPES
from flight.product.errors import WireError
from tools.campaign.fuzz import hostile_inputs

MAX_CPU_S = 0.05
LEAST_BYTES_A_S = 500_000
"""More time for an array that comes out, for a sound part of that size takes as long."""
MAX_PEAK_BYTES = 16 << 20
"""Beyond the array that comes out."""
LIMIT_BYTES = 4 << 20
"""What the caller allows an array to be."""
MEMORY_SAMPLE = 97
SMALL_TO_LARGE = 99
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
    over: int
    """Inputs that took longer than MAX_CPU_S, as the size of their array allows."""
    largest_peak_bytes: int
    failures: tuple[str, ...]


def _small(codec: CodecId) -> list[Integers]:
    """Return small arrays of the kind a codec is for."""
    rng = np.random.default_rng(8)
    smooth = np.add.outer(np.arange(8), 2 * np.arange(7)) + rng.integers(0, 2, (8, 7))
    bands = np.stack([smooth[:5], smooth[:5] + 9, smooth[:5] + 20])
    deep = np.arange(9)[:, None, None] * smooth // 3 + rng.integers(0, 3, (9, 8, 7))
    counts = rng.poisson(3, (2, 20)).astype(np.uint32)
    labels = np.kron(rng.integers(0, 4, (3, 3), np.uint8), np.ones((3, 4), np.uint8))
    busy = np.where(rng.random((9, 12)) < 0.3, rng.integers(0, 4, (9, 12)), labels)
    packets = rng.integers(0, 4, (12, 5), np.uint8).cumsum(axis=0).astype(np.uint8)
    logits = rng.integers(-9, 9, (9, 9)).cumsum(axis=1)[None, :, :, None] + np.array([9, -7])
    image = smooth.astype(np.uint16)
    wide = np.tile(image, (1, 2))
    return {
        CodecId.RAW: [image, counts],
        CodecId.IMAGE: [image, smooth.astype(np.uint8), image * np.uint16(16)],
        CodecId.LATTICE: [wide, wide.astype(np.uint8)],
        CodecId.CUBE: [part.astype(np.uint16) for part in (bands, deep, np.stack([smooth] * 9))],
        CodecId.SPECTRA: [counts, counts[:1]],
        CodecId.CLASS_MAP: [labels, labels + np.uint8(3), busy.astype(np.uint8)],
        CodecId.HOUSEKEEPING: [packets],
        CodecId.TENSOR: [logits.clip(-128, 127).astype(np.int8)],
    }[codec]


def _large(codec: CodecId) -> list[Integers]:
    """Return arrays whose parts have about MAX_INPUT_BYTES, or that are large for their parts."""
    rng = np.random.default_rng(9)
    image = (np.add.outer(np.arange(70), np.arange(75)) + rng.normal(0, 9, (70, 75)) + 50).clip(0)
    counts = rng.poisson(2 + 9 * np.sin(np.arange(2000) / 90) ** 2, (4, 2000)).astype(np.uint32)
    labels = np.kron(rng.integers(0, 9, (12, 12), np.uint8), np.ones((6, 6), np.uint8))
    busy = np.where(rng.random(labels.shape) < 0.3, rng.integers(0, 9, labels.shape), labels)
    pattern = (np.indices((200, 200)) % 8 == 3).all(axis=0)
    maps = [labels, busy, pattern, np.tri(1000)]
    return {
        CodecId.IMAGE: [image.astype(np.uint16)],
        CodecId.LATTICE: [image.astype(np.uint8)],
        CodecId.SPECTRA: [counts],
        CodecId.CLASS_MAP: [each.astype(np.uint8) for each in maps],
    }.get(codec, [])


def _parts(codec: CodecId) -> list[Encoded]:
    """Return sound parts, most of them small: those are quick."""
    small = [part for samples in _small(codec) for part in encode(codec, samples)]
    large = [part for samples in _large(codec) for part in encode(codec, samples)]
    return small * SMALL_TO_LARGE + large


def attack(codec: CodecId, *, inputs: int, seed: int, most_seconds: float = MAX_CPU_S) -> Verdict:
    """Return what so many inputs, the same for the same seed, did to a codec."""
    parts = _parts(codec)
    geometries = [part.geometry for part in parts]
    chance = Random(seed)
    refused = over = largest_peak = 0
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
        allowed_s = most_seconds + _claimed_bytes(geometry) / LEAST_BYTES_A_S
        if spent_s > most_seconds:
            spent_s = min(_seconds(codec, part) for _ in range(RETRIES))
        over += spent_s > most_seconds
        slowest_s = max(slowest_s, spent_s)
        if spent_s > allowed_s:
            failures.append(f"{spent_s:.3f} s: {geometry} {data.hex()}")
    return Verdict(inputs, refused, slowest_s, over, largest_peak, tuple(failures))


def _claimed_bytes(geometry: tuple[int, ...]) -> int:
    """Return the size of the array that a part claims to fill, as far as its caller allows it."""
    dtype = DTYPES.get(geometry[0], DTYPES[1])
    count = math.prod(geometry[-((len(geometry) - 1) // 3) :])
    return min(count * dtype.itemsize, LIMIT_BYTES)


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


def _codec(name: str) -> CodecId:
    if name not in CodecId.__members__:
        raise argparse.ArgumentTypeError(
            f"no codec {name!r}; there are {', '.join(CodecId.__members__)}"
        )
    return CodecId[name]


def main() -> int:
    """Attack the named codecs, or all, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        type=_codec,
        help=f"of {', '.join(CodecId.__members__)}; all by default",
    )
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = False
    for codec in arguments.names or list(CodecId):
        verdict = attack(codec, inputs=arguments.inputs, seed=arguments.seed)
        print(
            f"{codec.name}: {verdict.inputs} inputs, {verdict.refused} refused, slowest "
            f"{1000 * verdict.slowest_s:.1f} ms, {verdict.over} over {1000 * MAX_CPU_S:.0f} ms, "
            f"most memory {verdict.largest_peak_bytes >> 10} KiB, "
            f"{len(verdict.failures)} failures",
            flush=True,
        )
        for failure in verdict.failures[:5]:
            print(f"  {failure[:300]}")
        found = found or bool(verdict.failures)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
