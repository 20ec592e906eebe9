"""Frames kept aboard until the quota needs their place, so that the ground may still ask.

One file a frame: a record of what it is, then its samples. Written without sync: after a power
cut a missing or torn frame is a reported loss of pixels, never of a decision. Files are written
and read off the control thread, in the order in which they were asked for.
"""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from flight.board.sealedvalues import SealedFrame, frame_fields, frame_of_fields, seal_frame
from flight.product.errors import WireError
from flight.product.events import Event, Happening
from flight.product.records import Schema, pack_record, read_record

Later: TypeAlias = Callable[[Callable[[], None]], None]
"""Does work off the control thread, one after the other: Recorder.do."""


class FrameArchive:
    """A folder of frames with a quota; the oldest go first."""

    def __init__(self, folder: Path, *, quota_bytes: int, later: Later) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._later = later
        found = [(path.stat(), path) for path in folder.glob("*.frame")]
        found.sort(key=lambda pair: (pair[0].st_mtime_ns, pair[1].name))
        self._sizes = {path.name: stat.st_size for stat, path in found}
        self._happenings: deque[Happening] = deque()
        self._fetched: deque[SealedFrame | None] = deque()
        for torn in folder.glob("*.new"):
            torn.unlink()

    def put(self, frame: SealedFrame) -> None:
        """Keep a frame; an event tells how many older ones had to go, or that the disk refused."""
        self._later(lambda: self._keep(frame))

    def fetch(self, sensor: str, number: int) -> None:
        """Have a frame read; it comes with take_fetched."""
        self._later(lambda: self._fetched.append(self.get(sensor, number)))

    def take_fetched(self) -> tuple[SealedFrame | None, ...]:
        """Return what was read since the last call, in order; None: a frame is gone or damaged."""
        return tuple(self._fetched.popleft() for _ in range(len(self._fetched)))

    def take_events(self) -> tuple[Happening, ...]:
        """Return, and forget, what happened."""
        return tuple(self._happenings.popleft() for _ in range(len(self._happenings)))

    def get(self, sensor: str, number: int) -> SealedFrame | None:
        """Return a frame, or None if it is gone or damaged. Waits for the disk."""
        try:
            return _decode((self._folder / _name(sensor, number)).read_bytes())
        except (OSError, WireError):
            return None

    def _keep(self, frame: SealedFrame) -> None:
        try:
            evicted = self._write(frame)
        except OSError as error:
            failed = Event.STORE_FAILED(what=f"frame archive: {error.strerror}")
            self._happenings.append(failed)
            return
        if evicted:
            self._happenings.append(Event.ARCHIVE_EVICTED(frames=evicted))

    def _write(self, frame: SealedFrame) -> int:
        name = _name(frame.frame.sensor, frame.frame.number)
        fields = [*frame_fields(frame.frame), frame.crc]
        head = pack_record(Schema.FRAME, 1, fields)
        head = len(head).to_bytes(4, "big") + head
        size = len(head) + frame.memory.size_bytes
        evicted = self._make_room(size)
        fresh = self._folder / (name + ".new")
        with fresh.open("wb", buffering=0) as file:
            file.write(head)
            # From memory to file inside the kernel: the interpreter is free meanwhile.
            sent = 0
            while sent < frame.memory.size_bytes:
                left = frame.memory.size_bytes - sent
                sent += os.sendfile(file.fileno(), frame.memory.descriptor, sent, left)
        fresh.replace(self._folder / name)
        self._sizes[name] = size
        return evicted

    def _make_room(self, size: int) -> int:
        evicted = 0
        while self._sizes and sum(self._sizes.values()) + size > self._quota_bytes:
            name = next(iter(self._sizes))
            (self._folder / name).unlink(missing_ok=True)
            del self._sizes[name]
            evicted += 1
        return evicted


def _name(sensor: str, number: int) -> str:
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in sensor)
    return f"{safe}-{number:08d}.frame"


def _decode(data: bytes) -> SealedFrame:
    length = int.from_bytes(data[:4], "big")
    fields = read_record(data[4 : 4 + length], Schema.FRAME, 1, 12)
    samples = memoryview(data)[4 + length :]
    frame = frame_of_fields(fields, samples)
    if crc32(samples) != fields.integer("crc"):
        raise WireError("kept frame does not match its CRC-32")
    return seal_frame(frame)
