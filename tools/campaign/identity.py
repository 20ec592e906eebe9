"""One SHA-256 a codec over streams of fixed samples: equal digests are equal bits.

    python -m tools.campaign.identity      # here, on the board, with another numpy: compare

The samples come from integers alone, so that a difference is the codec's, not the samples'. Every
stream is decoded, too, and compared.
"""

import hashlib
import platform
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs import CODECS, CodecId, Field, Integers, decode, encode

CASES = 4
FIELDS = (Field("u", 2), Field("i", 4), Field("f", 4), Field("u", 1), Field("f", 8))
TEMPLATE = (3000 // (1 + np.abs(np.arange(700) - 150) // 9)).astype(np.uint32)


def _noise(chance: np.random.Generator, shape: tuple[int, ...], spread: int) -> NDArray[np.int64]:
    """Return bell-shaped integers of mean 0."""
    noise: NDArray[np.int64] = chance.integers(-spread, spread + 1, (4, *shape)).sum(axis=0)
    return noise


def _plane(chance: np.random.Generator, rows: int, columns: int, spread: int) -> NDArray[np.int64]:
    """Return a landscape between 0 and about 4,000."""
    walk = _noise(chance, (rows, columns), spread)
    slopes = walk.cumsum(axis=0) // 3 + walk.cumsum(axis=1) // 3
    return (2000 + slopes + _noise(chance, (rows, columns), 2)).clip(0, 4095)


def _samples(codec: CodecId, case: int) -> tuple[Integers, dict[str, Any], dict[str, Any]]:
    """Return samples, options of the encoder, and what both ends know."""
    chance = np.random.default_rng((codec, case))
    spread = (1, 6, 0, 40)[case]
    bound = {"maximum_error": (0, 0, 1, 2)[case]}
    plane = _plane(chance, 150, 170, spread)
    image = (plane >> 4).astype(np.uint8) if case == 1 else plane.astype(np.uint16)
    ramp = (plane[0] // 5)[:, None] + _noise(chance, (170, 19), 1).cumsum(axis=0)
    if codec is CodecId.CUBE:
        bands = [plane[:60, :70] * (9 + band) // 9 for band in range(24)]
        cube = np.stack(bands) + _noise(chance, (24, 60, 70), 3) - 2000
        return cube.astype(np.int16), bound, {}
    if codec in (CodecId.IMAGE, CodecId.LATTICE):
        return image, {**bound, "tile": 96}, {}
    if codec is CodecId.SPECTRA:
        noise = _noise(chance, (9, 700), 1 + spread)
        counts = (TEMPLATE // 40 + noise).clip(0).astype(np.uint32)
        return counts, {}, {"template": TEMPLATE} if case % 2 else {}
    if codec is CodecId.CLASS_MAP:
        # An outline, outlines and noise, and two busy ones, one of them with a label far off.
        labels = (plane // (64, 90, 3, 600)[case] % (2, 9, 40, 9)[case]).astype(np.uint8)
        labels[:9, :50] = (0, 0, 255, 0)[case]
        return labels, {}, {}
    if codec is CodecId.HOUSEKEEPING:
        return ramp.astype(np.uint8), {}, {"fields": FIELDS} if case % 2 else {}
    if codec is CodecId.TENSOR:
        return (plane // 32 - 64).reshape(1, 75, 170, 2).astype(np.int8), {}, {}
    return plane.astype(np.int32), {}, {}


def digest(codec: CodecId) -> str:
    """Return the SHA-256 of a codec's streams.

    Raises:
        ValueError: a stream does not decode to its samples.
    """
    total = hashlib.sha256()
    for case in range(CASES):
        samples, options, known = _samples(codec, case)
        parts = encode(codec, samples, **options, **known)
        for part in parts:
            total.update(repr((part.geometry, len(part.data))).encode())
            total.update(part.data)
        decoded = decode(codec, CODECS[codec].version, parts, **known)
        error = np.abs(decoded.samples.astype(np.int64) - samples.astype(np.int64))
        if not decoded.complete or error.max() > options.get("maximum_error", 0):
            raise ValueError(f"{codec.name} does not come back")
    return total.hexdigest()


def main() -> int:
    """Print each codec's digest."""
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    for codec in CodecId:
        print(f"{codec.name:12} {digest(codec)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
