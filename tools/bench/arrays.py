"""Arrays of the codec bench, the user's or ours, as the codecs take them."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ArrayFileError(Exception):
    """A file holds nothing that this codec takes; says which, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a codec takes."""

    dtypes: tuple[str, ...]
    """The first that holds every value is used."""
    dimensions: tuple[int, ...]
    axes: str


KINDS = {
    "cube": Takes(("u1", "i1", "u2", "i2"), (3,), "bands, lines, samples"),
    "image": Takes(("u1", "u2"), (2,), "rows, columns"),
    "map": Takes(("u1",), (2,), "rows, columns"),
    "housekeeping": Takes(("u1",), (2,), "packets, bytes"),
    "xrf": Takes(("u4",), (1, 2), "spectra, channels"),
}


def read_array(path: Path, kind: str) -> Array:
    """Return the array of a .npy file, or ``counts`` of an .npz, in a dtype that its codec takes.

    Integers are narrowed where every value fits; nothing is rounded or cut.

    Raises:
        ArrayFileError: there is no such file, no array in it, or one of another kind.
    """
    takes = KINDS[kind]
    array = _load(path)
    shape = " x ".join(map(str, array.shape))
    if array.ndim not in takes.dimensions or not array.size:
        raise ArrayFileError(
            f"{path}: shape is ({shape}); --{kind} takes ({takes.axes}), not empty"
        )
    if array.dtype.kind not in "bui":
        raise ArrayFileError(
            f"{path}: dtype is {array.dtype}; --{kind} takes integers:"
            " scale and round first, such as np.rint(10000 * x).astype(np.uint16)"
        )
    low, high = int(array.min()), int(array.max())
    own = [name for name in takes.dtypes if np.dtype(name) == array.dtype]
    for name in own or takes.dtypes:
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return np.ascontiguousarray(array, dtype=name)
    limits = [np.iinfo(name) for name in takes.dtypes]
    least, most = min(i.min for i in limits), max(i.max for i in limits)
    raise ArrayFileError(f"{path}: values {low} to {high}; --{kind} takes {least} to {most}")


def _load(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            loaded = np.load(file)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                return np.asarray(loaded["counts"])
    except OSError as error:
        raise ArrayFileError(f"{path}: {error.strerror or error}") from error
    except KeyError as error:
        raise ArrayFileError(f"{path}: an .npz needs the array 'counts'") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArrayFileError(f"{path}: no array of numbers; write it with numpy.save") from error
    return np.asarray(loaded)
