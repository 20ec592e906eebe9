"""Bits a sample, speed and memory of the codecs, beside the standards, on our files or yours.

Every stream is decoded and compared, outside the timed part. Times are the best of a few runs in
processor seconds of one thread; compare them with CharLS (JPEG-LS) of the same run, for machines
differ. MB are 10^6 bytes of the array as it lies in memory (16 bits a sample and more).
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flight.product.codecs import CODECS, CodecId, Decoded, Encoded, Field, decode, encode, split
from tools.bench.anchors import INSTALLED, Anchor, anchors, map_anchors
from tools.bench.arrays import KINDS, Array, ArrayFileError, read_array

Figures = dict[str, Any]

EXAMPLE = "--json --cube mine.npy --image left.npy right.npy"
NOT_INSTALLED = "imagecodecs is not installed: only zlib and lzma as anchors"
DATA = Path(__file__).parents[2].parent / "shared" / "data"
RUNS = 3
LONG_S = 1.0
"""A run of so long is not repeated: the whole bench must end within ten minutes."""
LOSSES = (1, 5, 20)
"""Percent of parts dropped."""
LOSS_DRAWS = 100
"""Patterns of loss over which the usable share is taken: a picture has few parts."""
LOSS_TILE = 128
"""Small enough for some dozens of parts, large enough for the bench to end."""
DEFAULT_FILES = {
    "cube": "compression/cubes/*.npy",
    "image": "compression/images/*.npy",
    "map": "compression/maps/*.npy",
    "housekeeping": "compression/housekeeping/*.npy",
    "xrf": "xrf/pixl_breadboard/*.npz",
}
JPSS_APID_11 = "u2 u2 u2 u2 u4 u2 u1 u2 u4 u2 f4 f4 f4 f4 f4 f4 u2 u4 u2 f4 f4 f4 f4"
"""The packet dictionary of the JPSS file, from its XTCE."""
FIELDS = {"J01_G011_LZ__11": JPSS_APID_11}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the bench's arguments."""
    for kind, takes in KINDS.items():
        parser.add_argument(
            f"--{kind}",
            nargs="+",
            type=Path,
            default=[],
            metavar="FILE",
            help=f"only these files: {kind}, .npy ({takes.axes}) of integers",
        )
    parser.add_argument("--fields", default="", help="fields of a packet, such as 'u2 u4 f4'")
    parser.add_argument(
        "--no-anchors",
        action="store_true",
        help="our own codecs only" + ("" if INSTALLED else f"; {NOT_INSTALLED}"),
    )


def run(arguments: argparse.Namespace) -> Figures:
    """Return the figures of every file."""
    if not INSTALLED and not arguments.no_anchors:
        print(NOT_INSTALLED, file=sys.stderr)
    named = {kind: getattr(arguments, kind) for kind in KINDS}
    if not any(named.values()):
        named = {kind: sorted(DATA.glob(pattern)) for kind, pattern in DEFAULT_FILES.items()}
    measure = {
        "cube": _cube,
        "image": _image,
        "map": _map,
        "housekeeping": _housekeeping,
        "xrf": _xrf,
    }
    names = {"cube": "cubes", "image": "images", "map": "maps"}
    return {
        names.get(kind, kind): [measure[kind](path, arguments) for path in named[kind]]
        for kind in KINDS
    }


def _best_seconds(act: Callable[[], Any], runs: int = RUNS) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(runs):
        begin = time.process_time()
        result = act()
        spent = time.process_time() - begin
        best = min(best, spent)
        if spent > LONG_S:
            break
    return max(best, 1e-9), result


def _size(parts: tuple[Encoded, ...]) -> int:
    return sum(len(part.data) for part in parts)


def _peak_mb(act: Callable[[], Any]) -> float:
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def _ours(
    codec: CodecId, samples: Array, more: Figures | None = None, known: Figures | None = None
) -> Figures:
    """Return size, speed, memory and proof of one codec; ``known`` goes to both ends."""
    more, known = more or {}, known or {}
    version = CODECS[codec].version
    encode_s, parts = _best_seconds(lambda: encode(codec, samples, **more, **known))
    decode_s, decoded = _best_seconds(lambda: decode(codec, version, parts, **known))
    verified = isinstance(decoded, Decoded) and decoded.complete
    return {
        "bits_per_sample": 8 * _size(parts) / samples.size,
        "encode_mb_s": samples.nbytes / encode_s / 1e6,
        "decode_mb_s": samples.nbytes / decode_s / 1e6,
        "peak_mb": _peak_mb(lambda: encode(codec, samples, **more, **known)),
        "parts": len(parts),
        "verified": bool(verified and np.array_equal(decoded.samples, samples)),
    }


def _against(samples: Array, found: dict[str, Anchor]) -> Figures:
    figures: Figures = {}
    for name, (encoder, decoder) in found.items():
        fast = name == "jpegls"
        encode_s, data = _best_seconds(
            lambda encoder=encoder: encoder(samples), RUNS if fast else 1
        )
        figures[name] = {
            "bits_per_sample": 8 * len(data) / samples.size,
            "encode_mb_s": samples.nbytes / encode_s / 1e6,
            "decode_mb_s": None,
        }
        if decoder is not None:
            decode_s, _ = _best_seconds(lambda decoder=decoder, data=data: decoder(data), 1)
            figures[name]["decode_mb_s"] = samples.nbytes / decode_s / 1e6
    return figures


def _bounded(codec: CodecId, samples: Array, bound: int, **more: Any) -> Figures:
    parts = encode(codec, samples, maximum_error=bound, **more)
    decoded = decode(codec, CODECS[codec].version, parts)
    error = np.abs(decoded.samples.astype(np.int64) - samples.astype(np.int64))
    return {
        f"bits_per_sample_m{bound}": 8 * _size(parts) / samples.size,
        f"max_error_m{bound}": int(error.max()) if decoded.complete else -1,
    }


def _usable(codec: CodecId, samples: Array, **more: Any) -> Figures:
    """Return what share of the samples is there when parts are lost: on average, and at worst.

    -1 where something of what is there is not true, or something of what is lost looks like data.
    """
    parts = encode(codec, samples, **more)
    figures: Figures = {"parts": len(parts)}
    shares = np.array([_true_share(codec, samples, [part]) for part in parts])
    chance = np.random.default_rng(1)
    for percent in LOSSES:
        lost = chance.random((LOSS_DRAWS, len(parts))) * 100 < percent
        kept = [part for part, gone in zip(parts, lost[0], strict=True) if not gone]
        sound = not kept or _true_share(codec, samples, kept) >= 0
        usable = (~lost * shares).sum(axis=1)
        honest = sound and shares.min() >= 0
        figures[f"usable_{percent}"] = float(usable.mean()) if honest else -1.0
        figures[f"usable_{percent}_worst"] = float(usable.min()) if honest else -1.0
    return figures


def _true_share(codec: CodecId, samples: Array, parts: list[Encoded]) -> float:
    """Return what share of the samples these parts bring; -1 if they bring anything else."""
    decoded = decode(codec, CODECS[codec].version, parts)
    there = decoded.present
    true = np.array_equal(decoded.samples[there], samples[there])
    return float(there.mean()) if true and not decoded.samples[~there].any() else -1.0


def _cube(path: Path, arguments: argparse.Namespace) -> Figures:
    cube = read_array(path, "cube")
    whole = {"part_lines": cube.shape[1]}
    segmented = encode(CodecId.CUBE, cube, part_lines=32)
    return {
        "file": path.name,
        "shape": list(cube.shape),
        **_ours(CodecId.CUBE, cube, whole),
        **_bounded(CodecId.CUBE, cube, 2, **whole),
        "bits_per_sample_32_lines": 8 * _size(segmented) / cube.size,
        "loss": _usable(CodecId.CUBE, cube, part_lines=4),
        "anchors": {} if arguments.no_anchors else _against(cube, anchors()),
    }


def _image(path: Path, arguments: argparse.Namespace) -> Figures:
    image = read_array(path, "image")
    lattice = _ours(CodecId.LATTICE, image)
    parts = encode(CodecId.LATTICE, image)
    prefixes = {
        f"prefix_1_{spacing}": _size(split(parts, spacing)[0]) / _size(parts)
        for spacing in (8, 4, 2)
    }
    return {
        "file": path.name,
        "shape": list(image.shape),
        **_ours(CodecId.IMAGE, image),
        **_bounded(CodecId.IMAGE, image, 2),
        "progressive": {**lattice, **prefixes},
        "loss": _usable(CodecId.LATTICE, image, tile=LOSS_TILE),
        "anchors": {} if arguments.no_anchors else _against(image, anchors()),
    }


def _map(path: Path, arguments: argparse.Namespace) -> Figures:
    labels = read_array(path, "map")
    figures = _ours(CodecId.CLASS_MAP, labels)
    return {
        "file": path.name,
        "shape": list(labels.shape),
        **figures,
        "encode_us_per_pixel": 1 / figures["encode_mb_s"],
        "decode_us_per_pixel": 1 / figures["decode_mb_s"],
        "anchors": {} if arguments.no_anchors else _against(labels, map_anchors()),
    }


def _housekeeping(path: Path, arguments: argparse.Namespace) -> Figures:
    packets = read_array(path, "housekeeping")
    found = _ours(CodecId.HOUSEKEEPING, packets)
    figures = {"file": path.name, "shape": list(packets.shape), **found}
    figures["ratio_unknown"] = found["bits_per_sample"] / 8
    fields = _fields(arguments.fields or FIELDS.get(path.stem, ""))
    width = sum(field.width_bytes for field in fields)
    if arguments.fields and width != packets.shape[1]:
        raise ArrayFileError(
            f"{path}: --fields describes {width} bytes, a packet has {packets.shape[1]}"
        )
    if width == packets.shape[1]:
        typed = _ours(CodecId.HOUSEKEEPING, packets, known={"fields": fields})
        figures |= typed
        figures["ratio_typed"] = typed["bits_per_sample"] / 8
    if not arguments.no_anchors:
        chosen = anchors(slow=False)
        figures["anchors"] = _against(packets, {name: chosen[name] for name in ("zlib", "lzma")})
    return figures


def _fields(words: str) -> tuple[Field, ...]:
    for word in words.split():
        if word[0] not in "uif" or not word[1:].isdigit():
            raise ArrayFileError(f"--fields: {word!r} is no field: u, i or f and bytes, such as u2")
    return tuple(Field(word[0], int(word[1:])) for word in words.split())


def _xrf(path: Path, arguments: argparse.Namespace) -> Figures:
    """Measure spectra together, and one by one with the sum of the first half as template."""
    counts = np.atleast_2d(read_array(path, "xrf"))
    figures = {"file": path.name, "shape": list(counts.shape), **_ours(CodecId.SPECTRA, counts)}
    half = len(counts) // 2
    singles = counts[half :: max(1, half // 8)]
    template = counts[:half].sum(axis=0).astype(np.uint32) if half else None
    known = {"template": template} if half else {}
    sizes = [_size(encode(CodecId.SPECTRA, spectrum, **known)) for spectrum in singles]
    figures["bits_per_sample_single_with_template"] = 8 * sum(sizes) / singles.size
    if not arguments.no_anchors:
        chosen = anchors(slow=False)
        narrow = counts.astype(np.uint16) if counts.max() < 1 << 16 else counts
        figures["anchors"] = _against(narrow, chosen)
        each = [_against(spectrum[None].astype(narrow.dtype), chosen) for spectrum in singles]
        figures["anchors_single"] = {
            name: float(np.mean([single[name]["bits_per_sample"] for single in each]))
            for name in chosen
        }
    return figures
