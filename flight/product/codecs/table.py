"""The codec table, and the two functions that everyone else calls."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.classmap import CLASS_MAP
from flight.product.codecs.cube import CUBE
from flight.product.codecs.geometry import read_geometry, write_geometry
from flight.product.codecs.housekeeping import HOUSEKEEPING
from flight.product.codecs.image import IMAGE
from flight.product.codecs.lattice import LATTICE
from flight.product.codecs.raw import RAW
from flight.product.codecs.tensor import TENSOR
from flight.product.codecs.types import (
    DEFAULT_LIMIT_BYTES,
    Codec,
    Decoded,
    Encoded,
    Field,
    Integers,
    Options,
    as_integers,
)
from flight.product.codecs.xrf import SPECTRA
from flight.product.errors import WireError


class CodecId(IntEnum):
    """How a part's bytes are packed. Numbers are on the wire: add, never renumber.

    128 and above are for users' own instruments and will not be taken here.
    """

    RAW = 1
    """Any shape and dtype."""
    IMAGE = 2
    """(rows, columns) uint8 or uint16, lossless or bounded error."""
    LATTICE = 3
    """(rows, columns) uint8 or uint16, coarse levels first: a prefix is a smaller picture."""
    CUBE = 4
    """(bands, lines, samples) uint8, uint16 or int16, lossless or bounded error."""
    SPECTRA = 5
    """(channels,) or (spectra, channels) uint32 counts."""
    CLASS_MAP = 6
    """(rows, columns) uint8 labels or masks."""
    HOUSEKEEPING = 7
    """(packets, bytes) uint8 of one packet type."""
    TENSOR = 8
    """Any shape, int8: a model's raw output."""


CODECS: Mapping[int, Codec] = {
    CodecId.RAW: RAW,
    CodecId.IMAGE: IMAGE,
    CodecId.LATTICE: LATTICE,
    CodecId.CUBE: CUBE,
    CodecId.SPECTRA: SPECTRA,
    CodecId.CLASS_MAP: CLASS_MAP,
    CodecId.HOUSEKEEPING: HOUSEKEEPING,
    CodecId.TENSOR: TENSOR,
}


def _codec(number: int, table: Mapping[int, Codec]) -> Codec:
    codec = table.get(number)
    if codec is None:
        raise WireError(f"codec {number} is not known")
    return codec


def _gather(row: Codec, parts: Sequence[Encoded]) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield geometry and data of each part; pieces of one part become one where a codec joins."""
    pieces: dict[tuple[int, ...], list[bytes]] = {}
    for part in parts:
        pieces.setdefault(part.geometry, []).append(part.data)
    for geometry, data in pieces.items():
        if row.join is not None and len(data) > 1:
            yield geometry, row.join(data)
        else:
            yield geometry, data[0]


def encode_parts(
    codec: int, samples: Integers, options: Options, *, table: Mapping[int, Codec] = CODECS
) -> Iterator[Encoded]:
    """Yield the parts of an array one by one, so that a caller may pause between them."""
    row = table[codec]
    for box in row.cut(samples.shape, options):
        yield Encoded(write_geometry(samples, box), row.encode(samples[box], options))


def encode(
    codec: int,
    samples: Integers,
    *,
    maximum_error: int = 0,
    part_lines: int = 0,
    tile: int = 512,
    template: NDArray[np.uint32] | None = None,
    fields: tuple[Field, ...] = (),
    table: Mapping[int, Codec] = CODECS,
) -> tuple[Encoded, ...]:
    """Return an array as parts, each of which decodes alone; see Options for the arguments."""
    options = Options(maximum_error, part_lines, tile, template, fields)
    return tuple(encode_parts(codec, samples, options, table=table))


def decode(
    codec: int,
    version: int,
    parts: Sequence[Encoded],
    *,
    template: NDArray[np.uint32] | None = None,
    fields: tuple[Field, ...] = (),
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    table: Mapping[int, Codec] = CODECS,
) -> Decoded:
    """Return the array that the parts belong to, as far as they arrived, in any order.

    Raises:
        WireError: a part is broken, the parts disagree about their array, no part was given,
            the codec or its version is not known, or the array exceeds ``limit_bytes``.
    """
    row = _codec(codec, table)
    if version != row.version:
        raise WireError(f"version {version} of codec {row.name} is not known")
    if not parts:
        raise WireError("no part arrived, so the array's shape is not known")
    options = Options(template=template, fields=fields)
    whole = read_geometry(parts[0].geometry, limit_bytes)
    samples = as_integers(np.zeros(whole.shape, whole.dtype), whole.dtype)
    present = np.zeros(whole.shape, np.bool_)
    for geometry, data in _gather(row, parts):
        place = read_geometry(geometry, limit_bytes)
        if (place.dtype, place.shape) != (whole.dtype, whole.shape):
            raise WireError("parts of different arrays")
        block = row.decode(data, place.size, place.dtype, options)
        samples[place.box] = block.samples
        present[place.box] = True if block.present is None else block.present
    return Decoded(samples, present)
