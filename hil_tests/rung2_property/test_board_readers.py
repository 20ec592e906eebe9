"""Readers of files and streams: any bytes are read or refused, and what is written comes back."""

import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from flight.board.sensors.envi import read_envi, read_envi_header
from flight.board.sensors.msa import read_msa
from flight.board.sensors.npy import NpyStream, read_npy
from flight.board.sensors.pgm import read_pgm
from flight.board.sensors.png import read_png
from flight.board.sensors.reading import FrameError

LIMIT = 1 << 16
PICTURE = (np.arange(35) ** 2 % 251).astype(np.uint8).reshape(5, 7)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png(filters: list[int], lines: np.ndarray, depth: int = 8) -> bytes:
    """A PNG whose rows are ``lines`` as filtered already, of any filter."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    rows, columns = lines.shape[0], lines.shape[1] * 8 // depth
    header = struct.pack(">IIBBBBB", columns, rows, depth, 0, 0, 0, 0)
    body = b"".join(bytes([f]) + line.tobytes() for f, line in zip(filters, lines, strict=True))
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


MSA = b"#FORMAT : EMSA/MAS\n#NPOINTS : 3\n#XPERCHAN : 10\n#XUNITS : eV\n#SPECTRUM\n1\n2\n3\n#E"
ENVI = b"ENVI\nsamples=2\nlines=3\nbands=2\ndata type=12\ninterleave=bil\nwavelength={500,600}\n"
READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "pgm": (lambda data: read_pgm("f", data), b"P5 7 5 255\n" + PICTURE.tobytes()),
    "plain pgm": (lambda data: read_pgm("f", data), b"P2 3 1 9\n1 2 3"),
    "png": (lambda data: read_png("f", data, LIMIT), png([0, 1, 2, 3, 4], PICTURE)),
    "npy": (lambda data: read_npy("f", data, LIMIT), npy(PICTURE)),
    "msa": (lambda data: read_msa("f", data), MSA),
    "envi": (lambda data: read_envi_header("f", data), ENVI),
}


@st.composite
def spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """A good file that was cut, flipped, or had bytes put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(("cut", "flip", "put", "repeat"))):
            case "cut":
                del data[place:]
            case "flip" if data:
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "put":
                data[place:place] = draw(st.binary(max_size=8))
            case _:
                data[place:place] = data[place : place + draw(st.integers(0, 64))]
    return bytes(data)


def refusal(read: Callable[[bytes], object], data: bytes) -> str | None:
    try:
        read(data)
    except FrameError as error:
        return str(error)
    return None


def is_in_words(refused: str | None) -> bool:
    """Whether a refusal names the file, what is wrong and a remedy."""
    return refused is None or (refused.startswith("f: ") and "; " in refused)


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300))
def test_every_reader_takes_any_bytes(name: str, data: bytes) -> None:
    read, good = READERS[name]
    assert is_in_words(refusal(read, data))
    assert is_in_words(refusal(read, good[:8] + data))


@given(st.data())
def test_every_reader_takes_spoilt_files(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(READERS)))
    read, good = READERS[name]
    assert is_in_words(refusal(read, data.draw(spoilt(good))))


def test_the_good_files_are_good() -> None:
    for read, good in READERS.values():
        read(good)


@given(st.data())
def test_a_spoilt_cube_is_read_or_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "cube.hdr"
        header.write_bytes(data.draw(spoilt(ENVI)))
        header.with_suffix(".img").write_bytes(data.draw(st.binary(max_size=32)))
        try:
            reading = read_envi(header, LIMIT, float_unit_counts=20_000)
        except FrameError:
            return
        assert reading.samples.dtype == np.uint16
        assert len(reading.axis) in (0, reading.samples.shape[0])


def unfiltered(filters: list[int], lines: np.ndarray, width: int) -> np.ndarray:
    """The PNG filters undone byte by byte, as the specification says them (section 9.2)."""
    out = np.zeros_like(lines)

    def at(row: int, column: int) -> int:
        return int(out[row, column]) if row >= 0 and column >= 0 else 0

    for r, kind in enumerate(filters):
        for c in range(lines.shape[1]):
            left, up, corner = at(r, c - width), at(r - 1, c), at(r - 1, c - width)
            estimate = left + up - corner
            nearest = min((left, up, corner), key=lambda v, e=estimate: abs(e - v))
            predicted = (0, left, up, (left + up) // 2, nearest)[kind]
            out[r, c] = (int(lines[r, c]) + predicted) & 0xFF
    return out


@given(
    st.sampled_from((8, 16)),
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 6).map(lambda n: 2 * n))),
    st.data(),
)
def test_png_filters_are_undone_as_specified(
    depth: int, lines: np.ndarray, data: st.DataObject
) -> None:
    filters = data.draw(st.lists(st.integers(0, 4), min_size=len(lines), max_size=len(lines)))
    found = read_png("f", png(filters, lines, depth), LIMIT)
    wanted = unfiltered(filters, lines, depth // 8)
    assert found.astype(">u2" if depth == 16 else "u1").tobytes() == wanted.tobytes()


DTYPES = st.sampled_from(("u1", "<u2", ">u2", "<u4", "<i2", "<i4", "<f4", ">f8"))


def pieces(data: st.DataObject, stream: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(stream):
        step = data.draw(st.integers(1, 700))
        yield stream[place : place + step]
        place += step


@given(DTYPES.flatmap(lambda dtype: arrays(dtype, array_shapes(max_dims=3, max_side=6))))
def test_what_numpy_saves_is_read(array: np.ndarray) -> None:
    assert read_npy("f", npy(array), LIMIT).tobytes() == array.tobytes()


@given(st.lists(arrays(np.uint16, array_shapes(max_dims=3, max_side=8)), max_size=4), st.data())
def test_a_stream_of_arrays_may_be_cut_anywhere(
    wanted: list[np.ndarray], data: st.DataObject
) -> None:
    stream, found = NpyStream("f", LIMIT), []
    for piece in pieces(data, b"".join(npy(array) for array in wanted)):
        place = 0
        while place < len(piece):
            taken = piece[place : place + stream.wanted]
            place += len(taken)
            if stream.feed(taken):
                found.append(stream.take())
    assert stream.empty
    assert len(found) == len(wanted)
    assert all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))


@given(st.binary(max_size=200))
def test_a_stream_of_anything_is_bounded(data: bytes) -> None:
    stream = NpyStream("f", LIMIT)
    try:
        for byte in data:
            assert 1 <= stream.wanted <= LIMIT + 2048
            if stream.feed(bytes([byte])):
                stream.take()
    except FrameError:
        pass
