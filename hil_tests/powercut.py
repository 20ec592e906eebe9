"""What a medium may hold after the power went, drawn from a trace of writes and syncs.

The model, for each file: what was written before its last finished sync is there. Of what came
later, each 512-byte sector is there or is not, each on its own, whatever the order. Names (a new
file, a rename, a removal) are there up to some point between the directory's last sync and the
cut, in their order.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - this file is where seeded chance is made

from hil_tests.faults import OK

SECTOR = 512


@dataclass(frozen=True)
class Call:
    kind: str
    path: str
    offset: int
    data: bytes


class Recorder:
    """An observer that keeps every call, and marks between them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, kind: str, path: str, offset: int, data: bytes) -> int:
        if kind == "open" and not Path(path).exists():
            kind = "create"
        if kind in {"create", "write", "synced", "rename", "delete", "synced directory"}:
            self.calls.append(Call(kind, path, offset, data))
        return OK


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)


class Medium:
    """Files and names as the calls so far have left them, durable and pending apart."""

    def __init__(self, start: dict[str, bytes]) -> None:
        """Begin with files that are there, durable."""
        self._files = {n: _File(bytearray(start[path])) for n, path in enumerate(start)}
        self._names = {path: n for n, path in enumerate(start)}
        self._durable_names = self._names
        self._pending_names: list[dict[str, int]] = []
        self._count = len(start)

    def take(self, call: Call) -> None:
        """Follow one call."""
        if call.kind == "create":
            self._count += 1
            self._files[self._count] = _File()
            self._rename({**self._names, call.path: self._count})
        elif call.kind == "rename":
            names = dict(self._names)
            names[call.data.decode()] = names.pop(call.path)
            self._rename(names)
        elif call.kind == "delete":
            self._rename({k: v for k, v in self._names.items() if k != call.path})
        elif call.kind == "synced directory":
            self._sync_names()
        elif call.path in self._names:
            file = self._files[self._names[call.path]]
            if call.kind == "synced":
                for pending in file.pending:
                    _do(file.durable, pending)
                file.pending.clear()
            else:
                file.pending.append(call)

    def image(self, random: Random) -> dict[str, bytes]:
        """Return files that the medium may show after a power cut now."""
        names = random.choice([self._durable_names, *self._pending_names])
        share = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        return {
            path: self._torn(self._files[number], random, share) for path, number in names.items()
        }

    def _torn(self, file: _File, random: Random, share: float) -> bytes:
        content = bytearray(file.durable)
        for call in file.pending:
            at = 0
            while at < len(call.data):
                size = min(SECTOR - (call.offset + at) % SECTOR, len(call.data) - at)
                if random.random() < share:
                    piece = call.data[at : at + size]
                    _do(content, Call("write", call.path, call.offset + at, piece))
                at += size
        return bytes(content)

    def _rename(self, names: dict[str, int]) -> None:
        self._names = names
        self._pending_names.append(names)

    def _sync_names(self) -> None:
        self._durable_names = self._names
        self._pending_names.clear()


def _do(content: bytearray, call: Call) -> None:
    end = call.offset + len(call.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[call.offset : end] = call.data
