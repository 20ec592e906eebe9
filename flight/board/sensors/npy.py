"""numpy's .npy files, from a file or a stream, without pickle.

Source: numpy.lib.format, versions 1.0 and 2.0. Written afresh because a stream must know an
array's size before its bytes have come, and because a header is bounded here before it is read.
"""

import re
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from flight.board.sensors.reading import FrameError, Number, read_dimension

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 1024
_PREFIX_BYTES = 12
"""Magic, version and the header's length; a version 1 file has two bytes of header in it."""
_ENTRY = (
    r"""['"](?:descr['"]\s*:\s*['"](?P<dtype>[^'"]*)['"]"""
    r"""|fortran_order['"]\s*:\s*(?P<order>True|False)"""
    r"""|shape['"]\s*:\s*\((?P<shape>[\d,\s]*)\))"""
)
_HEADER = re.compile(rf"\s*\{{\s*(?:{_ENTRY}\s*,?\s*){{3}}\}}\s*")
"""A Python dictionary of three entries in any order; no evaluator need see it."""
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
    found = _HEADER.fullmatch(text.decode("latin-1"))
    if found is None or None in found.groups():
        raise FrameError(name, "its header is no .npy header of one array", _AGAIN)
    dtype, order, shape = found["dtype"], found["order"], found["shape"]
    if dtype[:1] not in ("<", ">", "|") or dtype[1:] not in _DTYPES:
        raise FrameError(name, f"numbers of type {dtype[:20]!r}", f"use one of {_DTYPES}")
    words = [word.strip() for word in shape.split(",") if word.strip()]
    sides = tuple(read_dimension(name, "a side", word) for word in words)
    if not 1 <= len(sides) <= 3:
        raise FrameError(name, f"{len(sides)} dimensions", "a frame has one to three")
    return NpyHeader(dtype, sides, order == "True", offset)
