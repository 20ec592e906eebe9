"""numpy's .npy files, from a file or a stream, without pickle.

Source: numpy.lib.format, versions 1.0 and 2.0. Written afresh because a stream must know an
array's size before its bytes have come, and because a header is bounded here before it is read.
"""

import ast
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from flight.board.sensors.reading import MAX_DIMENSION, FrameError, Number

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 1024
_PREFIX_BYTES = 12
"""Magic, version and the header's length; a version 1 file has two bytes of header in it."""
_DTYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "i8", "f4", "f8")
_AGAIN = "write it with numpy.save, allow_pickle=False"


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What stands before the numbers."""

    dtype: str
    """numpy's short form, such as "<u2"."""
    shape: tuple[int, ...]
    fortran_order: bool
    offset: int
    """Bytes before the first number."""

    @property
    def size_bytes(self) -> int:
        """Bytes that the numbers take."""
        return prod(self.shape) * int(self.dtype[2:])


def read_npy(name: str, data: bytes, max_bytes: int) -> NDArray[Number]:
    """Return the array in the bytes of a .npy file.

    Raises:
        FrameError: not a .npy file of plain numbers, cut short, or larger than ``max_bytes``.
    """
    header = read_npy_header(name, data, max_bytes)
    if header is None or len(data) < header.offset + header.size_bytes:
        want = f"{header.offset + header.size_bytes}" if header else "a whole header"
        raise FrameError(
            name, f"{len(data)} bytes, its header promises {want}", "it is cut short: copy it again"
        )
    return array_of(header, data)


def array_of(header: NpyHeader, data: bytes | bytearray) -> NDArray[Number]:
    """Return the array whose header stands at the start of ``data``; all its bytes are there."""
    flat: NDArray[Number] = np.frombuffer(
        data, np.dtype(header.dtype), prod(header.shape), header.offset
    )
    return flat.reshape(header.shape, order="F" if header.fortran_order else "C")


class NpyStream:
    """Puts arrays together from a stream of .npy files, however it is cut.

    It never asks for a byte beyond the array at hand, so what follows waits in the pipe and its
    writer waits with it.
    """

    def __init__(self, name: str, max_bytes: int) -> None:
        self._name = name
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._header: NpyHeader | None = None

    @property
    def empty(self) -> bool:
        """Whether no byte of an unfinished array is held."""
        return not self._data

    @property
    def wanted(self) -> int:
        """How many bytes may be fed at most, at least 1."""
        if self._header:
            return self._header.offset + self._header.size_bytes - len(self._data)
        if len(self._data) < _PREFIX_BYTES:
            return _PREFIX_BYTES - len(self._data)
        return max(1, _header_end(self._data) - len(self._data))

    def feed(self, data: bytes) -> bool:
        """Take in up to ``wanted`` bytes; True when an array is complete.

        Raises:
            FrameError: the stream is not one of .npy files; it cannot be read on.
        """
        self._data += data
        if self._header is None:
            self._header = read_npy_header(self._name, bytes(self._data), self._max_bytes)
        header = self._header
        return header is not None and len(self._data) == header.offset + header.size_bytes

    def take(self) -> NDArray[Number]:
        """Return, and forget, the complete array."""
        assert self._header is not None, "feed said that no array is complete"
        array = array_of(self._header, self._data)
        self._data, self._header = bytearray(), None
        return array


def read_npy_header(name: str, data: bytes, max_bytes: int) -> NpyHeader | None:
    """Return the header at the start of ``data``, or None while it is not all there.

    Raises:
        FrameError: it is no .npy header, or promises more than ``max_bytes``.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise FrameError(name, "not a .npy array", _AGAIN)
    if len(data) < _PREFIX_BYTES:
        return None
    if data[6] not in (1, 2):
        raise FrameError(name, f".npy version {data[6]}", _AGAIN)
    end = _header_end(data)
    if end > MAX_HEADER_BYTES:
        raise FrameError(name, f"a header of {end} bytes", f"the limit is {MAX_HEADER_BYTES}")
    if len(data) < end:
        return None
    header = _parse(name, data[10 if data[6] == 1 else 12 : end], end)
    if header.size_bytes > max_bytes:
        raise FrameError(
            name, f"{header.size_bytes} bytes of samples", f"the limit is {max_bytes} bytes a frame"
        )
    return header


def _header_end(data: bytes | bytearray) -> int:
    """Return where the header ends, from its first _PREFIX_BYTES bytes."""
    start = 10 if data[6] == 1 else 12  # version 2 has a length of four bytes, not two
    return start + int.from_bytes(data[8:start], "little")


def _parse(name: str, text: bytes, offset: int) -> NpyHeader:
    try:
        # A literal and nothing else; the header is short, so nesting cannot exhaust the parser.
        table: object = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise FrameError(name, "its header is damaged", _AGAIN) from error
    if not isinstance(table, dict) or set(table) != {"descr", "fortran_order", "shape"}:
        raise FrameError(name, "its header lacks or adds a key", _AGAIN)
    dtype, order, shape = table["descr"], table["fortran_order"], table["shape"]
    if not isinstance(dtype, str) or dtype[:1] not in ("<", ">", "|") or dtype[1:] not in _DTYPES:
        raise FrameError(name, f"numbers of type {str(dtype)[:20]!r}", f"use one of {_DTYPES}")
    if not isinstance(order, bool) or not isinstance(shape, tuple):
        raise FrameError(name, "its header is damaged", _AGAIN)
    sides: list[int] = []
    for side in shape:
        if type(side) is not int or not 1 <= side <= MAX_DIMENSION:
            raise FrameError(name, f"a side of {str(side)[:20]}", f"1 to {MAX_DIMENSION}")
        sides.append(side)
    if not 1 <= len(sides) <= 3:
        raise FrameError(name, f"{len(sides)} dimensions", "a frame has one to three")
    return NpyHeader(dtype, tuple(sides), order, offset)
