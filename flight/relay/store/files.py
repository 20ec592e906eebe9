"""The file calls that the store makes besides sqlite's, in one place: tests make them fail."""

import os
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

    def size(self, descriptor: int) -> int:
        """Return the file's length in bytes."""
        ...

    def reserve(self, descriptor: int, length: int) -> None:
        """Have the file system set bytes aside, so that writing them later cannot fail."""
        ...

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of data at offset."""
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

    def size(self, descriptor: int) -> int:
        """Return the file's length in bytes."""
        return os.fstat(descriptor).st_size

    def reserve(self, descriptor: int, length: int) -> None:
        """Have the file system set bytes aside, so that writing them later cannot fail."""
        os.posix_fallocate(descriptor, 0, length)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of data at offset."""
        written = os.pwrite(descriptor, data, offset)
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], offset + written)

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
