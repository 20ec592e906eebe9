"""Ballast: space held so that a full file system can still commit an eviction."""

import errno
from pathlib import Path

from flight.relay.store.files import Files


class Reserve:
    """A file of a fixed size whose bytes nobody reads."""

    def __init__(self, files: Files, path: Path, size: int) -> None:
        """Name the file; make() makes it."""
        self._files = files
        self._path = path
        self._size = size
        self.is_there = path.exists()
        """Whether there is ballast to be given."""

    @property
    def is_affordable(self) -> bool:
        """Whether the file system would have as much again left with the ballast made."""
        return self._files.free_bytes(self._path.parent) >= 2 * self._size

    def make(self) -> bool:
        """Make the ballast if it is absent; False: the file system has no room for it.

        Raises:
            OSError: the file system fails otherwise.
        """
        if self.is_there:
            return True
        descriptor = self._files.open(self._path)
        try:
            self._files.reserve(descriptor, self._size)
        except OSError as error:
            self._files.remove(self._path)
            if not is_full(error):
                raise
            return False
        finally:
            self._files.close(descriptor)
        self.is_there = True
        return True

    def give(self) -> None:
        """Give the space back."""
        self._files.remove(self._path)
        self.is_there = False


def is_full(error: OSError) -> bool:
    """Whether a file call failed for want of space only."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
