"""PNG images, grayscale, 8 and 16 bit: a strict reader that needs zlib and numpy only.

Source: W3C Portable Network Graphics (PNG) Specification, third edition: sections 5.3 (chunks),
9.2 (filter types), 11.2 (IHDR, IDAT).

A filtered byte is told from its left, upper and upper-left neighbours. Hence all bytes of one
anti-diagonal can be restored at once from the two diagonals before it, and a megapixel takes
two thousand numpy steps rather than a million turns of a Python loop.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from flight.board.sensors.reading import MAX_DIMENSION, FrameError
from flight.product.values import Samples

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY = 0
_SAVE_GRAY = "save it as grayscale, 8 or 16 bit, not interlaced"
_AGAIN = "the file is damaged: copy it again"


def read_png(name: str, data: bytes, max_bytes: int) -> Samples:
    """Return (rows, columns) uint8 or uint16.

    Raises:
        FrameError: not a grayscale PNG of 8 or 16 bit, damaged, cut short, or its samples would
            take more than ``max_bytes``.
    """
    if not data.startswith(_SIGNATURE):
        raise FrameError(name, "not a PNG image", "check the file's name and content")
    header, packed = _chunks(name, data)
    columns, rows, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    if not (1 <= columns <= MAX_DIMENSION and 1 <= rows <= MAX_DIMENSION):
        raise FrameError(name, f"an image of {rows} x {columns}", f"at most {MAX_DIMENSION} a side")
    if colour != _GRAY or depth not in (8, 16):
        kind = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}.get(colour, "?")
        raise FrameError(name, f"a PNG of {depth}-bit {kind} samples", _SAVE_GRAY)
    if interlace:
        raise FrameError(name, "an interlaced PNG", _SAVE_GRAY)
    if compression or filtering:
        raise FrameError(name, "an unknown compression or filter method", _AGAIN)
    width = depth // 8
    if rows * columns * width > max_bytes:
        raise FrameError(
            name, f"{rows} x {columns} x {width} bytes", f"the limit is {max_bytes} bytes a frame"
        )
    lines = _inflate(name, packed, rows * (1 + columns * width)).reshape(rows, -1)
    filters = lines[:, 0]
    if int(filters.max()) > 4:
        raise FrameError(name, f"row filter {int(filters.max())}", _AGAIN)
    restored = _unfilter(filters, lines[:, 1:].reshape(rows, columns, width))
    if width == 1:
        return restored[:, :, 0]
    return restored.view(">u2")[:, :, 0].astype(np.uint16)


def _chunks(name: str, data: bytes) -> tuple[bytes, bytes]:
    """Return the content of IHDR, and that of all IDAT chunks joined."""
    packed: list[bytes] = []
    header, place = b"", len(_SIGNATURE)
    while place < len(data):
        if place + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        crc = data[place + 8 + length : place + 12 + length]
        if len(crc) < 4:
            break
        if int.from_bytes(crc, "big") != zlib.crc32(body, zlib.crc32(kind)):
            raise FrameError(name, f"the CRC of chunk {kind!r} is wrong", _AGAIN)
        if (kind == b"IHDR") != (not header) or (kind == b"IHDR" and length != 13):
            raise FrameError(name, "the header chunk is missing or malformed", _AGAIN)
        if kind == b"IEND":
            return header, b"".join(packed)
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed.append(body)
        place += 12 + length
    raise FrameError(name, "the file ends before its last chunk", "it is cut short: copy it again")


def _inflate(name: str, packed: bytes, size: int) -> NDArray[np.uint8]:
    """Return exactly ``size`` bytes; a bomb is stopped at one byte more."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise FrameError(name, f"its samples do not inflate ({error})", _AGAIN) from error
    if len(found) != size:
        more = "more than " if len(found) > size else f"{len(found)} of "
        raise FrameError(name, f"its samples inflate to {more}{size} bytes", _AGAIN)
    return np.frombuffer(found, np.uint8)


def _unfilter(filters: NDArray[np.uint8], lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the bytes of ``lines``, (rows, columns, width) uint8, without their row filters."""
    rows, columns, width = lines.shape
    # Row r moves right by r: an anti-diagonal of the image is a column of that, stored as a row.
    # Row and diagonal 0 stay empty: they are the zeros that the filters see beyond the edges.
    skewed = np.zeros((rows + columns + 1, rows + 1, width), np.int16)
    row = np.arange(rows)[:, None]
    diagonal = row + np.arange(columns)
    skewed[diagonal + 2, row + 1] = lines
    takes = [(filters == kind).astype(np.int16)[:, None] for kind in range(5)]
    for step in range(rows + columns - 1):
        # The rows that this diagonal crosses; elsewhere lie other rows' edges, which stay zero.
        low, high = max(0, step - columns + 1), min(rows, step + 1)
        left = skewed[step + 1, low + 1 : high + 1]
        up, corner = skewed[step + 1, low:high], skewed[step, low:high]
        told = takes[1][low:high] * left + takes[2][low:high] * up
        told += takes[3][low:high] * ((left + up) >> 1)
        told += takes[4][low:high] * _paeth(left, up, corner)
        here = skewed[step + 2, low + 1 : high + 1]
        here += told
        here &= 0xFF
    restored: NDArray[np.int16] = skewed[diagonal + 2, row + 1]
    return restored.astype(np.uint8)


def _paeth(
    left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return the neighbour nearest to left + up - corner (section 9.4)."""
    to_left, to_up = up - corner, left - corner
    to_corner = np.abs(to_left + to_up)
    to_left, to_up = np.abs(to_left), np.abs(to_up)
    nearest = np.where(to_up <= to_corner, up, corner)
    return np.where(to_left <= np.minimum(to_up, to_corner), left, nearest)
