"""Where measured frames come from: the folder beside the checkout, or their origin, checked.

No data live in this repository. Each file is named by its place in the data folder, its origin
at a pinned commit, and its SHA-256; a file that does not match is not used.
"""

import hashlib
import re
import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED = Path(__file__).parents[2] / "shared" / "data"
FETCH_TIMEOUT_S = 6
MAX_FILE_BYTES = 8 << 20
REFLECTANCE_COUNTS = 20_000
"""Counts that stand for reflectance 1.0 where a float cube is made into sensor integers."""

_ORIGIN = "https://raw.githubusercontent.com"
_CRATERS = "yizuifangxiuyh/Lunar_Crater_Detection_Data/ed5464dc1ac5973b86277157b04d2c17e599f3cf"
_PYHAT = "USGS-Astrogeology/PyHAT/60007c9af4f9a28dec0b69847a023711c69fb84c"
_PIQUANT = "pixlise/piquant/e855f614fa9e5baa789e34e619ac1c45cbb12422"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One measured file."""

    local: str
    """Path in the data folder."""
    origin: str
    """Path at the origin: repository, commit, path."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.local.rsplit("/", 1)[-1]


def _nac(name: str, sha256: str) -> DataFile:
    file = f"{name}_mosaic_train_small.png"
    return DataFile(
        f"terrain/lroc_nac_ce4_craters/train/{file}", f"{_CRATERS}/LRO_DATA/train/{file}", sha256
    )


CAMERA = (
    _nac("M115143943", "25dc53d3f8d99c94896d33a111ddd0cde528a6fa6f1bc2fc8dc37afd4137555e"),
    _nac("M1155395732", "66de57f1a582fc499c7ebc07c253646cd235d96cd1fe1b6927d27ee7f39e0f20"),
    _nac("M1183658592", "23bd53f99a1c86927c9289ba795ec40e0728c2cdd99213ce2060cea29b43fb71"),
    _nac("M1229577647", "94a49d331147e159cda9f10416f734b0d1942c232f94aa25200be47f0411af85"),
    _nac("M1231933714", "e8e74133a29785870e79258b6d067424ffbd2670000ca5851c2bd9b35d2ecf24"),
    _nac("M1266003170", "46602aafa269547f614dd9b0462c4acdc0a97d9b71c098e6865324d82f488a92"),
    _nac("M1275410097", "4c4ac70095360bd38ee807bf6053bafcc6c2fee7b9a54e28e1a157f536ea38e7"),
    _nac("M134022629", "6f02a4b9e483c8ed283380160800fd222393cde187c70c6e615fed4873bc6aa7"),
    _nac("M161142858", "79514ddb11bc66a9ddcfc9349008bb1df12a09b7732e1eb8e6f04f0f5a702242"),
    _nac("M161149639", "66492445fa5dd34e90f0258f36693b8865eaf4969cc5751141bc121b49fdafdd"),
    _nac("M180000082", "7b611c2f7b3a458ca808e0dfe1874aab45baf3f832cae04ea28185510434b074"),
    _nac("M180007222", "a72e6a95f00121e0ab88589e34c5ddbb2c368bb8cd32a2654d9fe560475369ed"),
)
"""LROC NAC images of the far side near the Chang'e-4 site, 800x800 8 bit (NASA/ASU)."""

CUBE = DataFile(
    "cubes/M3_4030seg_L2_aristcrater.tif",
    f"{_PYHAT}/libpyhat/examples/M3/M3_4030seg_L2_aristcrater.tif",
    "b74833746892c4d45ee7f7198df9a99c2f5585eaec29202bdb47dd2dcc212363",
)
"""Moon Mineralogy Mapper reflectance, Aristarchus, 50x50x83 (NASA/ISRO, by USGS)."""

_MSA = "Calibration_box_BHVO-2G_28kV_230uA_03_28_2019_bulk_sum.msa"
XRAY = DataFile(
    f"xrf/pixl_breadboard/standards/{_MSA}",
    f"{_PIQUANT}/test/data/PIQUANT_test_data_May2020/Input_files/{_MSA}",
    "0233d9655a102ad4c9a8ee9f9d76741f8510f4f247163822446f19868dd99b61",
)
"""X-ray fluorescence of the basalt glass BHVO-2G, PIXL breadboard (NASA-JPL)."""

ALL = (*CAMERA, CUBE, XRAY)


def gather(
    cache: Path, *, allow_fetch: bool, told: Callable[[str], None]
) -> tuple[str, dict[str, Path]]:
    """Return where the frames come from and the path of each file by its name.

    "shared": beside the checkout; "fetched": from the origin into ``cache``; "simulated": neither
    could be had, and the dict is empty.
    """
    here = {file.name: SHARED / file.local for file in ALL}
    if all(_matches(here[file.name], file.sha256) for file in ALL):
        return "shared", here
    if allow_fetch:
        cache.mkdir(parents=True, exist_ok=True)
        try:
            return "fetched", {file.name: _fetch(file, cache, told) for file in ALL}
        except OSError as error:
            told(f"cannot fetch measured frames ({error}); frames will be simulated")
    return "simulated", {}


def _fetch(file: DataFile, cache: Path, told: Callable[[str], None]) -> Path:
    path = cache / file.name
    if _matches(path, file.sha256):
        return path
    told(f"fetching {file.name}")
    request = f"{_ORIGIN}/{file.origin}"
    with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as answer:
        data = answer.read(MAX_FILE_BYTES + 1)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise OSError(f"{file.name} from its origin does not match its SHA-256")
    path.write_bytes(data)
    return path


def _matches(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def read_gdal_cube(path: Path) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Return (lines, samples, bands) float32 and the wavelengths in nm of a GDAL TIFF.

    Reads what the M3 file is: little-endian, uncompressed strips, pixel-interleaved float32, with
    the band names in GDAL's metadata tag 42112.
    """
    data = path.read_bytes()
    tags = _tiff_tags(data)
    columns, rows, bands = (int(tags[tag][0]) for tag in (256, 257, 277))
    strips = zip(tags[273], tags[279], strict=True)
    pixels = b"".join(data[start : start + size] for start, size in strips)
    cube = np.frombuffer(pixels, "<f4").reshape(rows, columns, bands)
    return cube, _band_wavelengths(bytes(tags[42112]).decode("ascii", "replace"), bands)


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...] | bytes]:
    formats = {1: ("B", 1), 2: ("s", 1), 3: ("H", 2), 4: ("I", 4)}
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    tags: dict[int, tuple[int, ...] | bytes] = {}
    for index in range(count):
        at = directory + 2 + 12 * index
        tag, kind, length = struct.unpack_from("<HHI", data, at)
        code, size = formats[kind]
        place = at + 8 if length * size <= 4 else struct.unpack_from("<I", data, at + 8)[0]
        if code == "s":
            tags[tag] = data[place : place + length]
        else:
            tags[tag] = struct.unpack_from(f"<{length}{code}", data, place)
    return tags


def _band_wavelengths(xml: str, bands: int) -> tuple[float, ...]:
    """Return the numbers that stand in the metadata as Band_1, Band_2, ..."""
    found = dict(re.findall(r'name="Band_(\d+)">[^<]*\(([0-9.]+)\)<', xml))
    return tuple(float(found[str(band)]) for band in range(1, bands + 1))


def write_envi(folder: Path, name: str, counts: NDArray[np.uint16], nm: Iterable[float]) -> Path:
    """Write (bands, lines, samples) uint16 as an ENVI cube; return the header's path."""
    bands, lines, samples = counts.shape
    (folder / f"{name}.img").write_bytes(counts.astype("<u2").tobytes())
    header = folder / f"{name}.hdr"
    wavelengths = ", ".join(f"{value:.2f}" for value in nm)
    header.write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\n"
        "data type = 12\ninterleave = bsq\nbyte order = 0\nwavelength units = Nanometers\n"
        f"reflectance scale factor = {REFLECTANCE_COUNTS}\nwavelength = {{{wavelengths}}}\n"
    )
    return header
