"""Where damaged files go: kept for inspection, in bounded number, out of the way."""

import shutil
from pathlib import Path

from flight.relay.store.files import Files


class Quarantine:
    """A folder of damaged files, numbered in the order of their arrival."""

    def __init__(self, files: Files, directory: Path, limit: int) -> None:
        """Keep at most ``limit`` files in ``directory``; the oldest go first."""
        self._files = files
        self._directory = directory
        self._limit = limit

    def move(self, *paths: Path) -> int:
        """Take files away from where they are, and return how many."""
        for path in paths:
            self._files.rename(path, self._next(path))
        self._prune()
        return len(paths)

    def copy(self, *paths: Path) -> None:
        """Keep the files as they are now; absent ones are passed over, and a full disk too."""
        for path in paths:
            if path.exists():
                target = self._next(path)
                try:
                    shutil.copyfile(path, target)
                except OSError:
                    self._files.remove(target)
        self._prune()

    def _next(self, path: Path) -> Path:
        self._directory.mkdir(exist_ok=True)
        return self._directory / f"{self._last() + 1:06}.{path.name}"

    def _last(self) -> int:
        return max((int(path.name[:6]) for path in self._kept()), default=0)

    def _kept(self) -> list[Path]:
        return sorted(self._directory.glob("[0-9][0-9][0-9][0-9][0-9][0-9].*"))

    def _prune(self) -> None:
        for path in self._kept()[: -self._limit]:
            self._files.remove(path)
