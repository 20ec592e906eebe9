"""Hostile bytes against every decoder: one error type, bounded time, bounded memory.

    python -m tools.campaign.fuzz                        # 1,000,000 inputs each
    python -m tools.campaign.fuzz bundle --inputs 10000 --seed 7

Half of the inputs are good ones with a few things wrong, the rest is noise behind a good start.
To have a decoder fuzzed, add a row to the table in decoders.py.
"""

import argparse
import json
import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tools.campaign.decoders import DECODERS, Decoder

MAX_GROWTH_BYTES = 64 << 20
"""Most that the process may grow over a whole campaign."""

MAX_INPUT_BYTES = 4096

MEMORY_SAMPLE = 97
"""One input in so many has its memory traced, which is slow."""


@dataclass(frozen=True)
class Verdict:
    """What a campaign against one decoder found."""

    inputs: int
    refused: int
    slowest_s: float
    largest_peak_bytes: int
    growth_bytes: int
    failures: tuple[str, ...]


def attack(decoder: Decoder, *, inputs: int, seed: int) -> Verdict:
    """Return what so many inputs, the same for the same seed, did to a decoder."""
    refused = largest_peak = 0
    slowest_s = 0.0
    failures: list[str] = []
    before_bytes = _peak_resident_bytes()
    for number, data in enumerate(hostile_inputs(decoder.seeds(), inputs=inputs, seed=seed)):
        traced = number % MEMORY_SAMPLE == 0
        if traced:
            tracemalloc.start()
        start_s = time.thread_time()
        try:
            decoder.decode(data)
        except decoder.error:
            refused += 1
        except Exception as error:  # noqa: BLE001 - finding these is what this is for
            failures.append(f"{type(error).__name__}: {error}: {data.hex()}")
        spent_s = time.thread_time() - start_s
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            largest_peak = max(largest_peak, peak)
            if peak > decoder.peak_bytes:
                failures.append(f"{peak} bytes of memory: {data.hex()}")
        else:
            if spent_s > decoder.cpu_s and _least_cpu_s(decoder, data) > decoder.cpu_s:
                failures.append(f"{spent_s:.3f} s: {data.hex()}")
            slowest_s = max(slowest_s, spent_s)
    growth_bytes = _peak_resident_bytes() - before_bytes
    if growth_bytes > MAX_GROWTH_BYTES:
        failures.append(f"the process grew by {growth_bytes} bytes")
    return Verdict(inputs, refused, slowest_s, largest_peak, growth_bytes, tuple(failures))


def hostile_inputs(seeds: tuple[bytes, ...], *, inputs: int, seed: int) -> Iterator[bytes]:
    """Yield so many inputs made from good ones; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(inputs):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
            data = chance.choice(_MUTATIONS)(data, chance)
        yield bytes(data[:MAX_INPUT_BYTES])


def _flip(data: bytearray, chance: random.Random) -> bytearray:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _overwrite(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    value = chance.choice(_INTERESTING)
    data[at : at + len(value)] = value
    return data


def _insert(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(_INTERESTING)
    return data


def _delete(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.choice((1, 2, 3, 16))]
    return data


def _repeat(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    piece = data[at : at + chance.randrange(1, 64)]
    data[at:at] = piece * chance.choice((1, 2, 50))
    return data


def _cut(data: bytearray, chance: random.Random) -> bytearray:
    del data[chance.randrange(len(data) + 1) :]
    return data


def _noise(data: bytearray, chance: random.Random) -> bytearray:
    del data[chance.randrange(len(data) + 1) :]
    return data + chance.randbytes(chance.choice((1, 10, 100, 1000)))


_MUTATIONS = (_flip, _flip, _overwrite, _overwrite, _insert, _delete, _repeat, _cut, _noise)

_INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x9f",  # CBOR: indefinite and huge arrays, maps and strings, tags, deep nesting
    b"\x5f",
    b"\xbf",
    b"\x1b" + b"\xff" * 8,
    b"\x3b" + b"\xff" * 8,
    b"\x5b" + b"\x7f" + b"\xff" * 7,
    b"\x7b" + b"\x00" * 7 + b"\x01",
    b"\x9b" + b"\x00" * 4 + b"\xff" * 4,
    b"\xba\xff\xff\xff\xff",
    b"\xc1" * 40,
    b"\x81" * 40,
    b"\x18\x00",
    b"\xdd" + b"\xff" * 4,  # msgpack: huge arrays, maps, strings, extensions
    b"\xdf" + b"\xff" * 4,
    b"\xdb" + b"\xff" * 4,
    b"\xc9" + b"\xff" * 4,
    b"\x91" * 40,
    b"\xff" * 9 + b"\x7f",  # SDNV: the largest, and one that never ends
    b"\x80" * 40,
)


def _least_cpu_s(decoder: Decoder, data: bytes) -> float:
    """Return the least time of a few tries: only what is always slow counts."""
    times = []
    for _ in range(3):
        start_s = time.thread_time()
        with suppress(decoder.error):
            decoder.decode(data)
        times.append(time.thread_time() - start_s)
    return min(times)


def _peak_resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(arguments: list[str] | None = None) -> int:
    """Run campaigns and print their verdicts; 1 when a decoder failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.campaign.fuzz", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DECODERS))
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(DECODERS))
    if unknown:
        parser.error(f"no decoder {unknown[0]!r}; there are {', '.join(DECODERS)}")
    verdicts = {}
    for name in options.names or DECODERS:
        verdict = attack(DECODERS[name], inputs=options.inputs, seed=options.seed)
        verdicts[name] = verdict
        if not options.json:
            print(
                f"{name}: {verdict.inputs} inputs, {verdict.refused} refused, "
                f"{len(verdict.failures)} failures, slowest {verdict.slowest_s * 1e3:.2f} ms, "
                f"peak {verdict.largest_peak_bytes} B, growth {verdict.growth_bytes} B"
            )
            for failure in verdict.failures[:5]:
                print(f"  {failure[:300]}")
    if options.json:
        print(json.dumps({name: vars(verdict) for name, verdict in verdicts.items()}, indent=1))
    return 1 if any(verdict.failures for verdict in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
