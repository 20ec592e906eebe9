"""PGM images (netpbm P2 and P5), 8 and 16 bit.

Source: the netpbm "pgm" format page. Samples above 8 bit are big-endian; comments run from "#"
to the end of a line in the header.
"""

import re

import numpy as np

from flight.board.sensors.reading import FrameError, read_dimension
from flight.product.values import Samples

_MAX_HEADER_BYTES = 4096
_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*([^\s#]+)")


def read_pgm(name: str, data: bytes) -> Samples:
    """Return (rows, columns) uint8, or uint16 where maxval is above 255.

    Raises:
        FrameError: not a PGM image, cut short, or a sample above its maxval.
    """
    if data[:2] not in (b"P2", b"P5"):
        raise FrameError(name, "not a grayscale PGM (P2 or P5)", "save it as PGM, one channel")
    head, place, words = data[:_MAX_HEADER_BYTES], 2, []
    for what in ("width", "height", "maxval"):
        token = _TOKEN.match(head, place)
        if token is None:
            raise FrameError(name, f"the header ends before {what}", "copy the file again")
        words.append(read_dimension(name, what, token[1]))
        place = token.end()
    columns, rows, most = words
    if most > 0xFFFF:
        raise FrameError(name, f"maxval is {most}", "PGM allows 65535")
    wide = most > 0xFF
    samples = (
        _plain(name, data[place:], rows * columns)
        if data[:2] == b"P2"
        else _raw(name, data[place + 1 :], rows * columns, np.dtype(">u2" if wide else np.uint8))
    )
    if int(samples.max()) > most:
        raise FrameError(name, f"a sample is above maxval {most}", "copy the file again")
    shaped = samples.reshape(rows, columns)
    return shaped.astype(np.uint16) if wide else shaped.astype(np.uint8)


def _raw(name: str, data: bytes, count: int, dtype: np.dtype[np.generic]) -> Samples:
    if len(data) < count * dtype.itemsize:
        raise FrameError(
            name,
            f"{len(data)} bytes of samples, its header promises {count * dtype.itemsize}",
            "the file is cut short: copy it again",
        )
    return np.frombuffer(data, dtype, count).astype(np.uint16)


def _plain(name: str, data: bytes, count: int) -> Samples:
    words = re.sub(rb"#[^\n]*", b"", data).split(maxsplit=count)[:count]
    if len(words) < count:
        raise FrameError(
            name,
            f"{len(words)} samples, its header promises {count}",
            "the file is cut short: copy it again",
        )
    if not all(word.isdigit() and len(word) <= 5 for word in words):
        raise FrameError(name, "a sample is not a number up to 65535", "copy the file again")
    # Five digits reach 99999, which the caller compares with maxval.
    return np.array([int(word) for word in words], np.uint32)
