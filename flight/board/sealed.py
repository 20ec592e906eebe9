"""Sealed memory: what several processes hold and none of them can change any more.

Whoever makes an array writes it into a memory file and seals it (memfd_create(2), fcntl(2)
F_ADD_SEALS). From then on the kernel refuses to write, shrink and grow it, whoever holds it. Its
descriptor travels over a socket, so no sample is copied on the way; and a reader that has looked
at the seals can map it: nobody can cut the memory off under its feet.
"""

import fcntl
import mmap
import os
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flight.product.errors import WireError

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Sealed:
    """Holds a descriptor of sealed memory, and closes it when nobody needs this object."""

    def __init__(self, descriptor: int, *, most_bytes: int) -> None:
        """Take the descriptor over.

        Raises:
            WireError: it is no sealed memory, or larger than ``most_bytes``; it is closed then.
        """
        self.descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        except OSError as error:
            self._close()
            raise WireError("a descriptor that is no memory") from error
        self.size_bytes = os.fstat(descriptor).st_size
        if seals & _SEALS != _SEALS or self.size_bytes > most_bytes:
            self._close()
            raise WireError(f"memory without seals, or of more than {most_bytes} bytes")

    def view(self) -> memoryview:
        """Return the memory, mapped for reading; no page of it is touched."""
        if not self.size_bytes:
            return memoryview(b"")
        return memoryview(mmap.mmap(self.descriptor, self.size_bytes, prot=mmap.PROT_READ))


def seal(arrays: Sequence[NDArray[np.generic] | bytes]) -> Sealed:
    """Return new sealed memory that holds the arrays' bytes, in C order, one after the other.

    Raises:
        OSError: there is no memory or no descriptor to be had.
    """
    descriptor = os.memfd_create("flight", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for array in arrays:
            data = array if isinstance(array, bytes) else _bytes_of(array)
            _write_whole(descriptor, memoryview(data))
        size = os.fstat(descriptor).st_size
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return Sealed(descriptor, most_bytes=size)


def _bytes_of(array: NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _write_whole(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
