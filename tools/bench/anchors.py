"""The compressors that farside's codecs are measured against, each as (encode, decode).

zlib and lzma are Python's own. The rest comes from ``imagecodecs``; where it is not installed
those anchors are left out, and the figures say which were there.
"""

import lzma
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import imagecodecs
except ImportError:
    imagecodecs = None

Array = NDArray[Any]
Anchor = tuple[Callable[[Array], bytes], Callable[[bytes], Any] | None]
"""The decoder is None where none is timed."""

INSTALLED = imagecodecs is not None


def _bytes(samples: Array) -> bytes:
    return np.ascontiguousarray(samples).tobytes()


def _plane(samples: Array) -> Array:
    """Return the samples as one wide picture of unsigned 8 or 16 bits."""
    plane = samples.reshape(-1, samples.shape[-1])
    if plane.dtype.kind == "i":
        plane = (plane.astype(np.int64) - int(plane.min())).astype(np.uint16)
    if plane.dtype.itemsize > 2:
        plane = plane.astype(np.uint16)
    return np.ascontiguousarray(plane)


def _aec(samples: Array) -> bytes:
    plane = _plane(samples)
    bits = 8 * plane.dtype.itemsize
    return min(
        (
            imagecodecs.aec_encode(
                plane,
                bitspersample=bits,
                blocksize=size,
                rsi=128,
                flags=imagecodecs.AEC.FLAG.DATA_PREPROCESS,
            )
            for size in (8, 16, 32)
        ),
        key=len,
    )


def anchors(*, slow: bool = True) -> dict[str, Anchor]:
    """Return the anchors that are installed; ``slow``: JPEG XL and JPEG 2000, too."""
    found: dict[str, Anchor] = {
        "zlib": (lambda samples: zlib.compress(_bytes(samples), 9), zlib.decompress),
        "lzma": (
            lambda samples: lzma.compress(_bytes(samples), preset=6 | lzma.PRESET_EXTREME),
            lzma.decompress,
        ),
    }
    if imagecodecs is None:
        return found
    codecs = imagecodecs
    found |= {
        "zstd": (lambda samples: codecs.zstd_encode(_bytes(samples), 19), codecs.zstd_decode),
        "blosc2": (
            lambda samples: codecs.blosc2_encode(
                _bytes(samples),
                level=9,
                compressor="zstd",
                shuffle="bitshuffle",
                typesize=samples.dtype.itemsize,
                numthreads=1,
            ),
            codecs.blosc2_decode,
        ),
        # The stream does not carry its length, which this decoder would have to be told.
        "ccsds121": (_aec, None),
        "jpegls": (lambda samples: codecs.jpegls_encode(_plane(samples)), codecs.jpegls_decode),
    }
    if slow:
        found |= {
            "jpegxl": (
                lambda samples: codecs.jpegxl_encode(
                    _plane(samples), lossless=True, effort=7, numthreads=1
                ),
                lambda data: codecs.jpegxl_decode(data, numthreads=1),
            ),
            "jpeg2000": (
                lambda samples: codecs.jpeg2k_encode(
                    _plane(samples), level=0, codecformat="j2k", reversible=True
                ),
                codecs.jpeg2k_decode,
            ),
        }
    return found


def map_anchors() -> dict[str, Anchor]:
    """Return the anchors for label maps: the byte coders, and JPEG XL at its best effort."""
    found = {name: anchor for name, anchor in anchors(slow=False).items() if name != "ccsds121"}
    if imagecodecs is not None:
        found["jpegxl_e9"] = (
            lambda samples: imagecodecs.jpegxl_encode(
                samples, lossless=True, effort=9, numthreads=1
            ),
            imagecodecs.jpegxl_decode,
        )
    return found
