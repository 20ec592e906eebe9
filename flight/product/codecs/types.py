"""What codecs take and give: parts, boxes, options, and the row of the codec table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = (
    NDArray[np.uint8]
    | NDArray[np.uint16]
    | NDArray[np.uint32]
    | NDArray[np.int8]
    | NDArray[np.int16]
    | NDArray[np.int32]
    | NDArray[np.int64]
)
Dtype: TypeAlias = (
    np.dtype[np.uint8]
    | np.dtype[np.uint16]
    | np.dtype[np.uint32]
    | np.dtype[np.int8]
    | np.dtype[np.int16]
    | np.dtype[np.int32]
    | np.dtype[np.int64]
)
Mask: TypeAlias = NDArray[np.bool_]
Shape: TypeAlias = tuple[int, ...]


def as_integers(samples: NDArray[np.generic], dtype: Dtype) -> Integers:
    """Return the samples in one of the dtypes that codecs handle."""
    # mypy forgets which of a union a dtype is; the table of dtype codes is what guarantees it.
    return cast("Integers", samples.astype(dtype, copy=False))


DEFAULT_LIMIT_BYTES = 64 << 20
"""Largest array that ``decode`` allocates unless its caller says otherwise."""

MAXIMUM_DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """One part of a product: a box of the array that decodes without any other part."""

    geometry: tuple[int, ...]
    """(dtype code, then the whole array's shape, the box's first index and the box's shape)."""
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An array put together from the parts that arrived."""

    samples: Integers
    present: Mask
    """Same shape; False where no part delivered, and the sample there is 0 and means nothing."""

    @property
    def complete(self) -> bool:
        """Whether every sample was delivered."""
        return bool(self.present.all())


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a fixed-length packet, from the packet dictionary. Big-endian, whole bytes."""

    kind: str
    """"u" unsigned, "i" signed, "f" IEEE float."""
    width_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """What a codec may be told. A codec ignores what does not concern it."""

    maximum_error: int = 0
    """Largest absolute difference between a sample and its decoded value; 0: lossless."""
    part_lines: int = 0
    """Cubes: lines of a part. Spectra and packets: how many of them a part holds. 0: as the codec
    thinks best."""
    tile: int = 512
    """Images: rows and columns of a part."""
    template: NDArray[np.uint32] | None = None
    """X-ray spectra: (channels,) expected counts, known to both ends."""
    fields: tuple[Field, ...] = ()
    """Housekeeping: the packet's fields in order; (): unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One decoded box."""

    samples: Integers
    present: Mask | None = None
    """Which samples are data; None: all."""


Box: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Codec:
    """One row of the codec table: how an array is cut, and how a box becomes bytes."""

    name: str
    version: int
    cut: Callable[[Shape, Options], Iterator[Box]]
    encode: Callable[[Integers, Options], bytes]
    decode: Callable[[bytes, Shape, Dtype, Options], Block]
    """Raises WireError and nothing else, whatever the bytes are."""
    join: Callable[[Sequence[bytes]], bytes] | None = None
    """How pieces of one part, sent at different times, become its data; None: never cut."""
