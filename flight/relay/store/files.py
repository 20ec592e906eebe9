"""The file calls that the store makes, in one place: tests make them fail."""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """What the store asks of a file system. Each raises OSError as the system does."""

    def open(self, path: Path) -> int:
        """Open, or create, a file for reading and writing and return its descriptor."""
        ...

    def close(self, descriptor: int) -> None:
        """Close it."""
        ...

    def lock(self, descriptor: int) -> bool:
        """Take a file for as long as it is open; False: somebody else has it."""
        ...

    def size(self, descriptor: int) -> int:
        """Return the file's length in bytes."""
        ...

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        """Write all parts, one after the other, at offset."""
        ...

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Return the bytes at offset; fewer at the file's end."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return once the file's bytes are on the medium."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return once the directory's names are on the medium."""
        ...

    def free_bytes(self, path: Path) -> int:
        """Return how much the file system around a directory can still take."""
        ...

    def rename(self, path: Path, target: Path) -> None:
        """Rename within one file system."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file that may be absent."""
        ...


class SystemFiles:
    """The real ones."""

    def open(self, path: Path) -> int:
        """Open, or create, a file for reading and writing and return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self, descriptor: int) -> None:
        """Close it."""
        os.close(descriptor)

    def lock(self, descriptor: int) -> bool:
        """Take a file for as long as it is open; False: somebody else has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def size(self, descriptor: int) -> int:
        """Return the file's length in bytes."""
        return os.fstat(descriptor).st_size

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        """Write all parts, one after the other, at offset."""
        for start in range(0, len(parts), _PARTS_A_CALL):
            some = parts[start : start + _PARTS_A_CALL]
            length = sum(map(len, some))
            written = os.pwritev(descriptor, some, offset)
            while written < length:
                written += os.pwrite(descriptor, b"".join(some)[written:], offset + written)
            offset += length

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Return the bytes at offset; fewer at the file's end."""
        return os.pread(descriptor, length, offset)

    def sync(self, descriptor: int) -> None:
        """Return once the file's bytes are on the medium."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Return once the directory's names are on the medium."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, path: Path) -> int:
        """Return how much the file system around a directory can still take."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def rename(self, path: Path, target: Path) -> None:
        """Rename within one file system."""
        path.rename(target)

    def remove(self, path: Path) -> None:
        """Remove a file that may be absent."""
        path.unlink(missing_ok=True)


_PARTS_A_CALL = 1024
"""The least IOV_MAX that POSIX systems of today have."""


def is_full(error: OSError) -> bool:
    """Whether a file call failed for want of space only."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
