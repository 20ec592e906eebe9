"""ENVI cubes: what the reader returns, and the words in which it refuses."""

from pathlib import Path

import numpy as np
import pytest

from flight.board.sensors.envi import read_envi, read_envi_header
from flight.board.sensors.reading import FrameError

LIMIT = 1 << 20
CUBE = (np.arange(2 * 3 * 4) * 100).astype(np.uint16).reshape(2, 3, 4)
HEADER = """ENVI
description = { a cube,
  of two bands }
samples = 4
lines   = 3
bands   = 2
header offset = {offset}
data type = {type}
interleave = {interleave}
byte order = {order}
wavelength units = Nanometers
wavelength = { 540.84,
  2976.2 }
"""


def envi(
    folder: Path, cube: np.ndarray, header: str, suffix: str = ".img", **values: object
) -> Path:
    fields = {"offset": 0, "type": 12, "interleave": "bsq", "order": 0, **values}
    for key, value in fields.items():
        header = header.replace(f"{{{key}}}", str(value))
    (folder / "cube.hdr").write_text(header)
    (folder / f"cube{suffix}").write_bytes(bytes(int(str(fields["offset"]))) + cube.tobytes())
    return folder / "cube.hdr"


@pytest.mark.parametrize(
    ("interleave", "axes"), [("bsq", (0, 1, 2)), ("bil", (1, 0, 2)), ("bip", (1, 2, 0))]
)
@pytest.mark.parametrize(("order", "dtype"), [(0, "<u2"), (1, ">u2")])
def test_every_interleave_and_byte_order_gives_the_same_cube(
    tmp_path: Path, interleave: str, axes: tuple[int, ...], order: int, dtype: str
) -> None:
    stored = CUBE.transpose(axes).astype(dtype)
    path = envi(tmp_path, stored, HEADER, interleave=interleave, order=order, offset=7)
    reading = read_envi(path, LIMIT, float_unit_counts=1)
    assert np.array_equal(reading.samples, CUBE)
    assert reading.axis == (540_840, 2_976_200)


def test_float_reflectance_with_holes_is_quantised(tmp_path: Path) -> None:
    cube = (CUBE / 10_000).astype("<f4")
    cube[1, 2, 3] = np.nan
    cube[0, 0, 0] = -999
    header = HEADER + "data ignore value = -999\n"
    reading = read_envi(envi(tmp_path, cube, header, type=4), LIMIT, float_unit_counts=20_000)
    assert reading.bad_samples == 2
    assert reading.unit_counts == 20_000
    assert reading.samples[1, 0, 0] == 2 * CUBE[1, 0, 0]
    assert reading.samples[0, 0, 0] == 0


def test_a_reflectance_scale_factor_is_the_unit(tmp_path: Path) -> None:
    header = HEADER + "reflectance scale factor = 10000.0\n"
    path = envi(tmp_path, CUBE.astype("<i2"), header, ".dat", type=2)
    assert read_envi(path, LIMIT, float_unit_counts=1).unit_counts == 10_000


def test_wavelengths_in_micrometres_are_told_by_unit_or_size(tmp_path: Path) -> None:
    for units in ("Micrometers", "Unknown"):
        header = HEADER.replace("Nanometers", units).replace("540.84", "0.54084")
        path = envi(tmp_path, CUBE, header.replace("2976.2", "2.9762"))
        assert read_envi(path, LIMIT, float_unit_counts=1).axis == (540_840, 2_976_200)


def test_a_truncated_cube_names_both_sizes(tmp_path: Path) -> None:
    path = envi(tmp_path, CUBE.reshape(-1)[:-1], HEADER)
    with pytest.raises(FrameError, match=r"cube\.img: 46 bytes of samples, cube\.hdr promises 48"):
        read_envi(path, LIMIT, float_unit_counts=1)


def test_a_header_without_its_samples_names_what_is_missing(tmp_path: Path) -> None:
    path = envi(tmp_path, CUBE, HEADER)
    (tmp_path / "cube.img").unlink()
    with pytest.raises(FrameError, match=r"put cube\.img beside it"):
        read_envi(path, LIMIT, float_unit_counts=1)


def test_a_cube_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="48 bytes of samples; the limit is 40"):
        read_envi(envi(tmp_path, CUBE, HEADER), 40, float_unit_counts=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ENVI", "INVE", 'its first line must be "ENVI"'),
        ("bands   = 2", "", "bands is ''"),
        ("bands   = 2", "bands = \u00b2", "bands is '\u00b2'"),
        ("header offset = 0", "header offset = \u00b2", "header offset is"),
        ("bands   = 2", "bands = 3", "2 wavelengths for 3 bands"),
        ("interleave = bsq", "interleave = bxq", "interleave is 'bxq'; it must be one of bsq"),
        ("data type = 12", "data type = 6", "data type is '6'"),
        ("data type = 12", "", "data type is missing"),
        ("byte order = 0", "byte order = 2", "byte order is '2'"),
        ("header offset = 0", "header offset = -1", "header offset is '-1'"),
        ("540.84", "blue", "wavelength holds a word"),
        ("540.84", "-1", "a wavelength is not above 0"),
    ],
)
def test_a_bad_envi_header_is_refused_by_key(old: str, new: str, message: str) -> None:
    header = HEADER
    for key, value in (("offset", "0"), ("type", "12"), ("interleave", "bsq"), ("order", "0")):
        header = header.replace(f"{{{key}}}", value)
    assert old in header
    with pytest.raises(FrameError, match=message):
        read_envi_header("cube.hdr", header.replace(old, new, 1).encode())
