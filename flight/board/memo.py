"""Small files that must be right after any power cut: written beside, synced, renamed."""

import json
import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file's content so that a power cut leaves the old content or the new.

    Raises:
        OSError: the disk refused.
    """
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_integers(path: Path) -> tuple[int, ...]:
    """Return the integers in a memo; none where it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(n for n in found if type(n) is int) if isinstance(found, list) else ()


def count_boot(folder: Path, *, least: int) -> int:
    """Return this boot's number, above ``least``, and remember that it was used.

    Raises:
        OSError: the disk refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "boot"
    boot = max((least, *read_integers(path))) + 1
    write_whole(path, json.dumps([boot]).encode())
    return boot


class DoneCommands:
    """The numbers of the commands that were done, so that a repeated one is not done again."""

    LIMIT = 1024
    """Numbers remembered; the oldest go first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "commands"
        self._numbers = list(read_integers(self._path))

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def add(self, number: int) -> None:
        """Remember a number durably.

        Raises:
            OSError: the disk refused.
        """
        self._numbers = [*self._numbers, number][-self.LIMIT :]
        write_whole(self._path, json.dumps(self._numbers).encode())
