"""PGM and PNG images: what the readers return, and the words in which they refuse."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flight.board.sensors.pgm import read_pgm
from flight.board.sensors.png import read_png
from flight.board.sensors.reading import FrameError

LIMIT = 1 << 20
PICTURE = (np.arange(35, dtype=np.uint16).reshape(5, 7) ** 2 % 251).astype(np.uint8)


def png(array: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array, mode).save(file, "png")
    return file.getvalue()


def test_a_raw_pgm_of_8_bit_is_read() -> None:
    data = b"P5\n# by a camera\n7 5\n255\n" + PICTURE.tobytes()
    assert np.array_equal(read_pgm("a.pgm", data), PICTURE)
    assert read_pgm("a.pgm", data).dtype == np.uint8


def test_a_raw_pgm_of_12_bit_is_big_endian() -> None:
    samples = PICTURE.astype(np.uint16) * 16
    data = b"P5 7 5 4095\n" + samples.astype(">u2").tobytes()
    assert np.array_equal(read_pgm("a.pgm", data), samples)
    assert read_pgm("a.pgm", data).dtype == np.uint16


def test_a_plain_pgm_is_read() -> None:
    words = " ".join(str(value) for value in PICTURE.reshape(-1))
    data = f"P2\n7 5 # size\n255\n{words}\n".encode()
    assert np.array_equal(read_pgm("a.pgm", data), PICTURE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P6 1 1 255\nabc", "not a grayscale PGM"),
        (b"P5 7", "the header ends before height"),
        (b"P5 7 0 255\n", "height is '0'"),
        (b"P5 99999999999999999999 1 255\n", "width is '99999999999999999999'"),
        (b"P5 7 5 70000\n", "maxval is '70000'"),
        (b"P5 7 5 255\nabc", "3 bytes of samples, its header promises 35"),
        (b"P5 1 1 100\n\xff", "above maxval 100"),
        (b"P2 2 1 255\n1", "1 samples, its header promises 2"),
        (b"P2 2 1 255\n1 x", "a sample is not a number"),
    ],
)
def test_a_bad_pgm_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        read_pgm("a.pgm", data)


def test_an_8_bit_png_is_read() -> None:
    assert np.array_equal(read_png("a.png", png(PICTURE), LIMIT), PICTURE)


def test_a_16_bit_png_is_read() -> None:
    samples = PICTURE.astype(np.uint16) * 257 + 3
    assert np.array_equal(read_png("a.png", png(samples), LIMIT), samples)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered_png(kinds: list[int], lines: np.ndarray, depth: int = 8) -> bytes:
    rows, columns = lines.shape[0], lines.shape[1] * 8 // depth
    body = b"".join(bytes([kind]) + line.tobytes() for kind, line in zip(kinds, lines, strict=True))
    header = struct.pack(">IIBBBBB", columns, rows, depth, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("depth", [8, 16])
def test_every_row_filter_is_undone_as_pillow_does(depth: int) -> None:
    lines = np.random.default_rng(depth).integers(0, 256, (25, 24), np.uint8)
    data = filtered_png([row % 5 for row in range(25)], lines, depth)
    assert np.array_equal(read_png("a.png", data, LIMIT), np.array(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(np.zeros((2, 2, 3), np.uint8)), "8-bit RGB samples; save it as grayscale"),
        (png(np.zeros((2, 2, 4), np.uint8)), "8-bit RGBA samples"),
        (b"GIF89a", "not a PNG"),
        (png(PICTURE)[:-5], "the file ends before its last chunk"),
        (png(PICTURE)[:40], "the file ends before its last chunk"),
        (filtered_png([9], np.zeros((1, 4), np.uint8)), "row filter 9"),
        (filtered_png([0], np.zeros((2, 4), np.uint8)[:1]).replace(b"IEND", b"IENX"), "CRC"),
    ],
)
def test_a_bad_png_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        read_png("a.png", data, LIMIT)


def test_an_interlaced_png_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 7, 5, 8, 0, 0, 0, 1)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    with pytest.raises(FrameError, match="interlaced"):
        read_png("a.png", data, LIMIT)


def test_a_png_bomb_is_stopped_at_the_size_its_header_names() -> None:
    header = struct.pack(">IIBBBBB", 7, 5, 8, 0, 0, 0, 0)
    bomb = chunk(b"IDAT", zlib.compress(bytes(50_000_000)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + bomb + chunk(b"IEND", b"")
    with pytest.raises(FrameError, match="more than 40 bytes"):
        read_png("a.png", data, LIMIT)


def test_a_png_larger_than_the_limit_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(FrameError, match="the limit is 10 bytes"):
        read_png("a.png", png(PICTURE), 10)


def test_measured_far_side_images_are_read_as_pillow_reads_them(shared_data: Path) -> None:
    folder = shared_data / "terrain" / "lroc_nac_ce4_craters" / "train"
    path = min(folder.glob("*.png"))
    assert np.array_equal(read_png(path.name, path.read_bytes(), LIMIT), np.array(Image.open(path)))
