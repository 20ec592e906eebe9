"""The store's file calls, watched and failed on purpose."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from flight.relay.store.files import SystemFiles

OK, IOERR, FULL, READONLY = 0, errno.EIO, errno.ENOSPC, errno.EROFS

Observer = Callable[[str, str, int, bytes], int]
"""(call, path, offset, bytes) -> OK, or the error number that the store gets instead."""


class WatchedFiles(SystemFiles):
    """Passes every call on, after telling an observer that may answer with an error code."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._paths: dict[int, Path] = {}

    def open(self, path: Path) -> int:
        self._tell("create" if not path.exists() else "open", path, 0, b"")
        descriptor = super().open(path)
        self._paths[descriptor] = path
        return descriptor

    def close(self, descriptor: int) -> None:
        self._paths.pop(descriptor)
        super().close(descriptor)

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        self._tell("write", self._paths[descriptor], offset, b"".join(parts))
        super().write(descriptor, parts, offset)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        self._tell("read", self._paths[descriptor], offset, b"")
        return super().read(descriptor, length, offset)

    def sync(self, descriptor: int) -> None:
        path = self._paths[descriptor]
        self._tell("sync", path, 0, b"")
        super().sync(descriptor)
        self._tell("synced", path, 0, b"")

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self._tell("synced directory", path, 0, b"")

    def free_bytes(self, path: Path) -> int:
        free = getattr(self.observer, "free_bytes", None)
        return super().free_bytes(path) if free is None else int(free)

    def rename(self, path: Path, target: Path) -> None:
        self._tell("rename", path, 0, str(target).encode())
        super().rename(path, target)
        for descriptor, known in self._paths.items():
            if known == path:
                self._paths[descriptor] = target

    def remove(self, path: Path) -> None:
        self._tell("delete", path, 0, b"")
        super().remove(path)

    def _tell(self, call: str, path: Path, offset: int, data: bytes) -> None:
        answer = self.observer(call, str(path), offset, data)
        if answer != OK:
            raise OSError(answer, os.strerror(answer), str(path))


class FullDisk:
    """An observer that lets files grow to a capacity, all together, and no further."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.sizes: dict[str, int] = {}
        self.refusals = 0

    def __call__(self, call: str, path: str, offset: int, data: bytes) -> int:
        if call == "delete":
            self.sizes.pop(path, None)
        elif call == "rename":
            self.sizes[data.decode()] = self.sizes.pop(path, 0)
        elif call == "write":
            size = self.sizes.get(path, 0)
            grown = max(offset + len(data), size)
            if grown > size and sum(self.sizes.values()) + grown - size > self.capacity_bytes:
                self.refusals += 1
                return FULL
            self.sizes[path] = grown
        return OK

    @property
    def free_bytes(self) -> int:
        return self.capacity_bytes - sum(self.sizes.values())


class FailAt:
    """An observer that fails one call, or every one from there on."""

    def __init__(self, number: int, code: int, *, lasting: bool) -> None:
        self.number, self.code, self.lasting = number, code, lasting
        self.calls = 0

    def __call__(self, call: str, _path: str, _offset: int, _data: bytes) -> int:
        if call in {"close", "synced", "synced directory"}:
            return OK
        if self.code in {FULL, READONLY} and call in {"read", "open", "sync", "delete"}:
            return OK  # a full or read-only disk can be read; nor can it undo a sync
        self.calls += 1
        fails = self.calls >= self.number if self.lasting else self.calls == self.number
        return self.code if fails else OK
