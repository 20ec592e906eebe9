"""Segment files: where blobs lie, beside the database.

A row in sqlite is written twice (log, then database); a blob here once. Files are made whole
(reserve, sync, rename, sync the directory) and then written in place, so a commit waits for its
bytes and for no file system journal. Blobs and the rows that name them are synced side by side:
a power cut between the two leaves a row whose blob fails its CRC, in the last commit only, and
that commit was not acknowledged yet. Which extents are taken is not written down: the rows say
it. An extent freed by a commit is given out again only after that commit, since until then a
power cut brings its owner back.
"""

from pathlib import Path

from flight.relay.store.files import Files
from flight.relay.store.syncer import Syncer
from flight.relay.store.values import Extent

ALIGNMENT = 4096
"""Extents begin at multiples of it, so that two blobs never share a block of the medium."""


class SegmentFiles:
    """Equal files named by number, with first-fit allocation inside each."""

    def __init__(self, files: Files, directory: Path, segment_bytes: int) -> None:
        """Work in ``directory``; set a limit before allocating."""
        self.limit = 0
        """Files at most; those that are there stay in use whatever it says."""
        self._files = files
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._descriptors: dict[int, int] = {}
        self._free: dict[int, list[tuple[int, int]]] = {}
        self._written: set[int] = set()
        self._syncer = Syncer(files)

    def claim(self, extents: list[Extent]) -> None:
        """Open the files present and take note of the extents that rows own."""
        numbers = {int(path.stem) for path in self._directory.glob("*.segment")}
        for number in sorted(numbers | {extent.segment for extent in extents}):
            if number not in self._descriptors:
                self._descriptors[number] = self._files.open(self._path(number))
            self._free[number] = _gaps(
                sorted((e.offset, _whole(e.length)) for e in extents if e.segment == number),
                self._segment_bytes,
            )

    def allocate(self, length: int) -> Extent | None:
        """Return a free place, making a file where none has room; None: no room at all.

        Raises:
            OSError: a new file cannot be made.
        """
        need = _whole(length)
        if need > self._segment_bytes:
            return None
        for number, gaps in self._free.items():
            for index, (offset, size) in enumerate(gaps):
                if size >= need:
                    gaps[index : index + 1] = [(offset + need, size - need)] if size > need else []
                    return Extent(number, offset, length)
        if len(self._descriptors) >= self.limit:
            return None
        number = max(self._descriptors, default=-1) + 1
        self._make(number)
        self._free[number] = (
            [(need, self._segment_bytes - need)] if need < self._segment_bytes else []
        )
        return Extent(number, 0, length)

    def write(self, extent: Extent, data: bytes) -> None:
        """Write a blob's bytes; durable after sync."""
        self._files.write(self._descriptors[extent.segment], data, extent.offset)
        self._written.add(extent.segment)

    def start_sync(self) -> None:
        """Begin to bring every blob written onto the medium."""
        if self._written:
            self._syncer.start([self._descriptors[number] for number in sorted(self._written)])
            self._written.clear()

    def finish_sync(self) -> None:
        """Return once what start_sync began is done.

        Raises:
            OSError: it cannot be done; which of the blobs are on the medium is unknown.
        """
        self._syncer.finish()

    def read(self, extent: Extent) -> bytes:
        """Return a blob's bytes, unchecked; fewer where the file is cut short."""
        descriptor = self._descriptors.get(extent.segment)
        if descriptor is None:
            return b""
        return self._files.read(descriptor, extent.length, extent.offset)

    def free(self, extent: Extent) -> None:
        """Give a place back, once the commit that freed it is durable."""
        gaps = self._free[extent.segment]
        gaps.append((extent.offset, _whole(extent.length)))
        gaps.sort()
        merged = [gaps[0]]
        for offset, size in gaps[1:]:
            last_offset, last_size = merged[-1]
            if last_offset + last_size == offset:
                merged[-1] = (last_offset, last_size + size)
            else:
                merged.append((offset, size))
        self._free[extent.segment] = merged

    def close(self) -> None:
        """Close every file."""
        self._syncer.close()
        while self._descriptors:
            self._files.close(self._descriptors.popitem()[1])

    def _make(self, number: int) -> None:
        temporary = self._directory / "new.part"
        descriptor = self._files.open(temporary)
        try:
            self._files.reserve(descriptor, self._segment_bytes)
            self._files.sync(descriptor)
            self._files.rename(temporary, self._path(number))
            self._files.sync_directory(self._directory)
        except OSError:
            self._files.close(descriptor)
            self._files.remove(temporary)
            raise
        self._descriptors[number] = descriptor

    def _path(self, number: int) -> Path:
        return self._directory / f"{number}.segment"


def _whole(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _gaps(taken: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    gaps = []
    at = 0
    for offset, length in taken:
        if offset > at:
            gaps.append((at, offset - at))
        at = max(at, offset + length)
    if at < size:
        gaps.append((at, size - at))
    return gaps
