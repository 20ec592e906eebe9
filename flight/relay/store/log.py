"""The log: equal files, filled one after the other and used again, one sync a commit.

A file is written whole with zeros when it is made, and from then on in place: a commit waits for
its bytes and for no file system journal, and a full file system cannot fail it. Each use of a file
is a generation; the log is the generations from the oldest needed to the newest, without a gap.
The oldest is given up once its living entries have moved to the newest, and its file is used again
only after a commit has said so on the medium.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from flight.relay.store.files import Files
from flight.relay.store.records import (
    MAGIC,
    PAGE_BYTES,
    commit_bytes,
    head_bytes,
    length_of_head,
    pack_head,
    read_head,
)

Place: TypeAlias = tuple[int, int, int, int]
"""Where an entry's data lies: generation, offset of its commit, of its data, their CRC-32C."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file, open."""

    path: Path
    descriptor: int
    size: int


class Log:
    """The files of one directory."""

    def __init__(self, files: Files, directory: Path, segment_bytes: int) -> None:
        """Open what is there; ``begin`` says what of it is in use."""
        self.present: list[LogFile] = []
        """All files, until begin sorts them."""
        self._files = files
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._used: dict[int, LogFile] = {}
        self._free: list[LogFile] = []
        self._leaving: list[LogFile] = []
        self._at = 0
        self._generation = 0
        # Whoever sends bundles cannot know it, and so cannot forge a head.
        self._next = 1 + secrets.randbelow(1 << 62)
        for path in sorted(directory.glob("*.log")):
            descriptor = files.open(path)
            self.present.append(LogFile(path, descriptor, files.size(descriptor)))

    def begin(self, used: Mapping[int, LogFile], at: int, *, newest: int) -> None:
        """Go on at an offset of the last generation used; what is in no generation is free.

        ``newest`` is a generation that may have been begun, and will not be given again.

        Raises:
            OSError: a file of another size than asked for cannot be removed.
        """
        self._used = dict(sorted(used.items()))
        self._generation = max(self._used, default=0)
        self._next = newest + 1 if newest else self._next
        self._at = at
        taken = {file.path for file in used.values()}
        unused = [file for file in self.present if file.path not in taken]
        self.present = []
        self._let_go(unused)

    @property
    def spare(self) -> int:
        """Files that are free, now or after the next commit."""
        return len(self._free) + len(self._leaving)

    @property
    def filled_bytes(self) -> int:
        """The size of all files in use but the newest."""
        return sum(file.size for file in self._used.values()) - self._newest_size

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        files = (*self._used.values(), *self._free, *self._leaving)
        return sum(file.size for file in files)

    @property
    def oldest(self) -> int:
        """The oldest generation in use, or the one to come."""
        return min(self._used, default=self._next)

    @property
    def generations(self) -> int:
        """How many files are in use."""
        return len(self._used)

    @property
    def portion_bytes(self) -> int:
        """What a commit brings at most, unless it is one bundle: most of a file."""
        return self._segment_bytes * 3 // 4

    def make(self, size: int) -> None:
        """Make a free file.

        Raises:
            OSError: it cannot be made; nothing has changed.
        """
        numbers = {int(path.stem) for path in self._directory.glob("*.log")}
        number = next(n for n in range(len(numbers) + 1) if n not in numbers)
        path = self._directory / f"{number}.log"
        descriptor = self._files.open(path)
        try:
            for start in range(0, size, _ZEROS_BYTES):
                zeros = bytes(min(_ZEROS_BYTES, size - start))
                self._files.write(descriptor, (zeros,), start)
            self._files.sync(descriptor)
            self._files.sync_directory(self._directory)
        except OSError:
            self._files.close(descriptor)
            self._files.remove(path)
            raise
        self._free.append(LogFile(path, descriptor, size))

    def append(self, body: bytes, data: Sequence[bytes], data_bytes: int) -> tuple[int, int, int]:
        """Write one commit; return, once it is on the medium, where.

        That is its generation, its offset, and the offset of its first data.

        Raises:
            OSError: what of the commit is on the medium is unknown.
        """
        size = commit_bytes(head_bytes(body), data_bytes)
        if self._at + size > self._newest_size:
            self._take(size)
        generation, page = self._generation, self._at
        head = pack_head(body, generation=generation, offset=page, data_bytes=data_bytes)
        rest = bytes(size - 2 * len(head) - data_bytes)
        descriptor = self._used[generation].descriptor
        self._files.write(descriptor, (head, *data, head, rest), page)
        self._files.sync(descriptor)
        self._at = page + size
        if self._leaving:
            leaving, self._leaving = self._leaving, []
            self._let_go(leaving)
        return generation, page, page + len(head)

    def retire(self) -> None:
        """Give up the oldest generation: the next commit says so, and frees its file."""
        self._leaving.append(self._used.pop(self.oldest))

    def read(self, generation: int, length: int, offset: int) -> bytes:
        """Return bytes, unchecked; fewer where the file is cut short."""
        return self._files.read(self._used[generation].descriptor, length, offset)

    def is_worn(self, generation: int, page: int) -> bool:
        """Whether one of the heads of the commit at a place is not as it was written."""
        says = length_of_head(self.read(generation, PAGE_BYTES, page))
        length = min(says, self._used[generation].size)
        head = read_head(self.read(generation, length, page), 0, generation=generation)
        if head is None or head.offset != page:
            return True
        return self.read(generation, length, head.data_at + head.data_bytes) != head.raw

    def path(self, generation: int) -> Path:
        """Return where a generation lies."""
        return self._used[generation].path

    def content(self, generation: int) -> bytes:
        """Return all that is in a generation's file."""
        return self.whole(self._used[generation])

    def whole(self, file: LogFile) -> bytes:
        """Return all that is in a file."""
        return self._files.read(file.descriptor, file.size, 0)

    def close(self) -> None:
        """Close every file."""
        for file in (*self.present, *self._used.values(), *self._free, *self._leaving):
            self._files.close(file.descriptor)
        self.present, self._used, self._free, self._leaving = [], {}, [], []

    @property
    def _newest_size(self) -> int:
        file = self._used.get(self._generation)
        return 0 if file is None else file.size

    def _take(self, size: int) -> None:
        """Go on in a free file; a commit larger than a file gets one of its own."""
        if not any(file.size >= size for file in self._free):
            self.make(max(size, self._segment_bytes))
        file = next(file for file in self._free if file.size >= size)
        self._free.remove(file)
        self._generation, self._next = self._next, self._next + 1
        self._used[self._generation] = file
        self._at = 0

    def _let_go(self, files: Sequence[LogFile]) -> None:
        """Keep files of the usual size for later use, and remove the others."""
        self._free += files
        for file in files:
            if file.size != self._segment_bytes:
                self._free.remove(file)
                self._files.close(file.descriptor)
                self._files.remove(file.path)


_ZEROS_BYTES = 1 << 20


def strangers_in(files: Files, directory: Path) -> list[Path]:
    """Return the files of a store that this software cannot read: of another layout, or older."""
    strangers = [*directory.glob("bundles.db*"), *directory.glob("*.segment")]
    for path in directory.glob("*.log"):
        descriptor = files.open(path)
        content = files.read(descriptor, len(MAGIC), 0)
        if content[:3] == MAGIC[:3] and content[3:].isdigit() and content != MAGIC:
            content = files.read(descriptor, files.size(descriptor), 0)
            if MAGIC not in content:  # else it is ours, with a flipped bit in its first head
                strangers.append(path)
        files.close(descriptor)
    return sorted(strangers)
