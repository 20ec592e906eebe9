"""ENVI cubes: a text header (.hdr) and a file of raw samples beside it.

Source: NV5 Geospatial, "ENVI Header Files". Read are bsq, bil and bip; byte, int16, uint16,
float32 and float64; wavelengths; ``reflectance scale factor`` and ``data ignore value``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.board.sensors.reading import (
    FrameError,
    Number,
    Reading,
    read_dimension,
    reading_of,
)
from flight.product.values import SensorKind

MAX_HEADER_BYTES = 1 << 18
DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".cube", ".bsq", ".bil", ".bip")
_DTYPES = {"1": "u1", "2": "i2", "4": "f4", "5": "f8", "12": "u2"}
_ENTRY = re.compile(r"^[ \t]*([A-Za-z][^=\n{}]*?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)
_PICOMETRES = {"nanometers": 1e3, "nm": 1e3, "micrometers": 1e6, "um": 1e6, "microns": 1e6}
_MICROMETRES_BELOW = 100.0
"""Without units, wavelengths below this are micrometres: no band lies at 100 nm."""


@dataclass(frozen=True, slots=True)
class EnviHeader:
    """What the header says of the samples file."""

    shape: tuple[int, int, int]
    """(bands, lines, samples)."""
    interleave: str
    dtype: str
    offset: int
    axis: tuple[int, ...]
    """Wavelengths in picometres, or () where the header gives none."""
    unit_counts: int
    """Counts of reflectance 1.0, from ``reflectance scale factor``; 0: not given."""
    ignored: float | None
    """Samples of this value are no data."""

    @property
    def size_bytes(self) -> int:
        """Bytes of samples after the offset."""
        return int(np.prod(self.shape, dtype=np.int64)) * int(self.dtype[2:])


def read_envi(path: Path, max_bytes: int, *, float_unit_counts: int) -> Reading:
    """Return the cube whose header is at ``path``.

    Raises:
        FrameError: the header is wrong, its samples file is missing, cut short or too large.
        OSError: a file cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(MAX_HEADER_BYTES + 1)
    header = read_envi_header(path.name, text)
    if header.size_bytes > max_bytes:
        raise FrameError(
            path.name, f"{header.size_bytes} bytes of samples", f"the limit is {max_bytes} bytes"
        )
    samples = _samples_file(path)
    with samples.open("rb") as file:
        file.seek(header.offset)
        data = file.read(header.size_bytes)
    if len(data) < header.size_bytes:
        raise FrameError(
            samples.name,
            f"{len(data)} bytes of samples, {path.name} promises {header.size_bytes}",
            "the cube is cut short: copy it again",
        )
    return _reading(path.name, header, data, float_unit_counts)


def read_envi_header(name: str, data: bytes) -> EnviHeader:
    """Return the header in the bytes of a .hdr file.

    Raises:
        FrameError: not an ENVI header, or a value is missing, unknown or absurd.
    """
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if len(data) > MAX_HEADER_BYTES or not text.startswith("ENVI"):
        raise FrameError(name, "not an ENVI header", 'its first line must be "ENVI"')
    fields = {
        " ".join(key.lower().split()): value.strip(" \t{}\n") for key, value in _ENTRY.findall(text)
    }

    def choose(key: str, choices: Mapping[str, str]) -> str:
        value = fields.get(key, "").lower()
        if value not in choices:
            shown = f"is {value[:20]!r}" if value else "is missing"
            raise FrameError(name, f"{key} {shown}", f"it must be one of {', '.join(choices)}")
        return choices[value]

    shape = tuple(read_dimension(name, key, fields.get(key, "")) for key in ("bands", "lines"))
    bands, lines = shape
    samples = read_dimension(name, "samples", fields.get("samples", ""))
    dtype = choose("data type", _DTYPES)
    order = choose("byte order", {"0": "<", "1": ">"}) if "byte order" in fields else "<"
    offset = fields.get("header offset", "0")
    if not (offset.isascii() and offset.isdigit()) or len(offset) > 9:
        raise FrameError(name, f"header offset is {offset[:20]!r}", "it must be a whole number")
    scale = _numbers(name, "reflectance scale factor", fields)
    ignored = _numbers(name, "data ignore value", fields)
    return EnviHeader(
        shape=(bands, lines, samples),
        interleave=choose("interleave", {"bsq": "bsq", "bil": "bil", "bip": "bip"}),
        dtype=order + dtype,
        offset=int(offset),
        axis=_axis(name, fields, bands),
        unit_counts=round(scale[0]) if scale and 1 <= scale[0] <= 0xFFFF else 0,
        ignored=ignored[0] if ignored else None,
    )


def _axis(name: str, fields: Mapping[str, str], bands: int) -> tuple[int, ...]:
    wavelengths = _numbers(name, "wavelength", fields)
    if not wavelengths:
        return ()
    if len(wavelengths) != bands:
        raise FrameError(
            name, f"{len(wavelengths)} wavelengths for {bands} bands", "give one for each band"
        )
    if not all(0 < wavelength < 1e6 for wavelength in wavelengths):
        raise FrameError(name, "a wavelength is not above 0", "give nanometres or micrometres")
    units = fields.get("wavelength units", "").lower()
    guess = 1e6 if max(wavelengths) < _MICROMETRES_BELOW else 1e3
    factor = _PICOMETRES.get(units, guess)
    return tuple(round(wavelength * factor) for wavelength in wavelengths)


def _numbers(name: str, key: str, fields: Mapping[str, str]) -> tuple[float, ...]:
    words = fields.get(key, "").replace(",", " ").split()
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise FrameError(name, f"{key} holds a word", "it must hold numbers") from error


def _samples_file(header: Path) -> Path:
    stem = header.with_suffix("")  # cube.hdr and cube.img.hdr both occur
    for suffix in DATA_SUFFIXES:
        for path in (
            stem.with_name(stem.name + suffix),
            stem.with_name(stem.name + suffix.upper()),
        ):
            if path != header and path.is_file():
                return path
    raise FrameError(header.name, "its samples file is missing", f"put {stem.name}.img beside it")


def _reading(name: str, header: EnviHeader, data: bytes, float_unit_counts: int) -> Reading:
    bands, lines, samples = header.shape
    flat: NDArray[Number] = np.frombuffer(data, np.dtype(header.dtype))
    if header.interleave == "bsq":
        cube = flat.reshape(bands, lines, samples)
    elif header.interleave == "bil":
        cube = flat.reshape(lines, bands, samples).transpose(1, 0, 2)
    else:
        cube = flat.reshape(lines, samples, bands).transpose(2, 0, 1)
    ignored = 0
    if header.ignored is not None:
        missing = cube == header.ignored
        ignored = int(np.count_nonzero(missing))
        cube = np.where(missing, np.zeros((), cube.dtype), cube)
    reading = reading_of(name, SensorKind.CUBE, cube, float_unit_counts=float_unit_counts)
    return replace(
        reading,
        axis=header.axis,
        # Floats were just quantised to float_unit_counts; whole numbers keep the file's unit.
        unit_counts=reading.unit_counts or header.unit_counts,
        bad_samples=reading.bad_samples + ignored,
    )
