""".npy arrays, and how any array becomes a frame's samples."""

import io

import numpy as np
import pytest

from flight.board.sensors.npy import NpyStream, read_npy
from flight.board.sensors.reading import FrameError, reading_of
from flight.product.values import SensorKind

LIMIT = 1 << 20
PICTURE = (np.arange(35, dtype=np.uint16).reshape(5, 7) ** 2 % 251).astype(np.uint8)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<u4", "<i2", "<f4", ">f8", "<i8"])
def test_arrays_of_every_number_type_are_read(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    assert np.array_equal(read_npy("a.npy", npy(array), LIMIT), array)
    assert np.array_equal(read_npy("a.npy", npy(np.asfortranarray(array)), LIMIT), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04 a zip file", "not a .npy array"),
        (npy(PICTURE)[:-1], "cut short"),
        (npy(PICTURE)[:20], "cut short"),
        (npy(np.array(["text"])), "numbers of type '<U4'"),
        (npy(np.zeros((2, 2), np.complex64)), "numbers of type '<c8'"),
        (npy(np.zeros((1, 1, 1, 1), np.uint8)), "4 dimensions"),
        (npy(np.zeros((0, 4), np.uint8)), "a side is '0'"),
        (npy(PICTURE).replace(b"(5, 7)", b"(5,-7]"), "no .npy header of one array"),
        (npy(PICTURE).replace(b"'shape'", b"'sharp'"), "no .npy header of one array"),
        (b"\x93NUMPY\x03\x00" + bytes(100), ".npy version 3"),
        (b"\x93NUMPY\x01\x00\xff\xff" + bytes(70000), "a header of 65545 bytes"),
        (npy(PICTURE).replace(b"(5, 7)", b"(65536, 65536)"), "4294967296 bytes of samples"),
    ],
)
def test_a_bad_npy_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        read_npy("a.npy", data, LIMIT)


def test_a_pickle_in_npy_clothes_is_not_opened() -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FrameError, match=r"numbers of type '\|O'"):
        read_npy("a.npy", file.getvalue(), LIMIT)


def test_a_stream_of_arrays_is_cut_where_each_ends() -> None:
    arrays = [PICTURE, PICTURE.astype(np.float32), np.arange(9, dtype=np.uint32)]
    data = b"".join(npy(array) for array in arrays)
    stream, found, place = NpyStream("a", LIMIT), [], 0
    while place < len(data):
        step = min(stream.wanted, 11)
        if stream.feed(data[place : place + step]):
            found.append(stream.take())
        place += step
    assert stream.empty
    assert all(np.array_equal(a, b) for a, b in zip(arrays, found, strict=True))


def test_reflectance_is_quantised_and_bad_samples_are_counted() -> None:
    values = np.array([0.5, 1.0, -0.1, np.nan, np.inf, 4.0], np.float32).reshape(6, 1, 1)
    reading = reading_of("a", SensorKind.CUBE, values, float_unit_counts=20_000)
    assert reading.samples.reshape(-1).tolist() == [10_000, 20_000, 0, 0, 65_535, 65_535]
    assert (reading.bad_samples, reading.unit_counts) == (4, 20_000)


def test_a_12_bit_detector_loses_no_step_in_quantisation() -> None:
    counts = np.arange(4096)
    for full_scale in (0.21, 0.5, 1.0, 3.0):
        reflectance = (counts * (full_scale / 4096)).astype(np.float32).reshape(-1, 1, 1)
        reading = reading_of("a", SensorKind.CUBE, reflectance, float_unit_counts=20_000)
        assert len(np.unique(reading.samples)) == 4096, full_scale


def test_signed_counts_below_zero_are_bad() -> None:
    values = np.array([[[-5, 3]]], np.int16)
    reading = reading_of("a", SensorKind.CUBE, values, float_unit_counts=1)
    assert reading.samples.tolist() == [[[0, 3]]]
    assert reading.bad_samples == 1


def test_one_spectrum_is_a_cube_of_one_pixel() -> None:
    reading = reading_of("a", SensorKind.CUBE, np.arange(9, dtype=np.uint16), float_unit_counts=1)
    assert reading.samples.shape == (9, 1, 1)


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        (SensorKind.CAMERA, np.zeros((2, 2, 3), np.uint8), "a camera frame is"),
        (SensorKind.CAMERA, np.zeros((2, 2), np.float32), "float32 samples"),
        (SensorKind.CUBE, np.zeros((2, 2), np.uint16), "a cube frame is"),
        (SensorKind.XRAY, np.zeros((2, 2), np.uint32), "an? xray frame is"),
        (SensorKind.XRAY, np.array([0.5]), "counts with fractions"),
    ],
)
def test_an_array_of_another_kind_is_refused(
    kind: SensorKind, array: np.ndarray, message: str
) -> None:
    with pytest.raises(FrameError, match=message):
        reading_of("a", kind, array, float_unit_counts=1)
