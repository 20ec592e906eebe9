"""The journal on the disk: durable before a decision acts, read back after any reboot.

    file   := record*
    record := kind (1 byte) || length (4) || CRC-32 of body (4) || body

A torn or damaged tail is cut off at open and reported. One thread packs, writes and syncs, so
that a slow card never holds up the control loop; the loop learns through a file descriptor.
"""

import contextlib
import os
import queue
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import msgpack
import numpy as np

from flight.autonomy.decide import Memory, SensorMemory, remember
from flight.product.errors import WireError
from flight.product.journal import GENESIS, JournalEntry, decode_entry
from flight.product.records import Fields
from flight.product.values import Tensor, Verdict

COMPACT_BYTES = 64 << 20
"""A journal larger than this is rewritten without what is already in the store."""
MAX_RECORD_BYTES = 64 << 20
_HEAD = struct.Struct(">BII")
_CHECKPOINT, _ENTRY, _DONE = 1, 2, 3
_NO_STEP = -1


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """An entry with the raw tensors it was concluded from (none for a frame without a model)."""

    entry: JournalEntry
    outputs: tuple[Tensor, ...]


@dataclass(slots=True)
class Past:
    """What an earlier life left behind."""

    memory: Memory = field(default_factory=Memory)
    digest: bytes = GENESIS
    next_step: int = 0
    last_boot: int = 0
    """The latest boot that made a step; the count of boots may be damaged, this is beside it."""
    next_frames: dict[str, int] = field(default_factory=dict)
    undone: dict[int, Recorded] = field(default_factory=dict)
    """Steps whose products may not all be in the store, by number."""
    problem: str = ""
    """What was wrong with the file; empty if nothing."""

    def add(self, recorded: Recorded, memory: Memory) -> None:
        """Take one more entry into account."""
        step = recorded.entry.step
        self.memory, self.digest = memory, recorded.entry.digest
        self.next_step = step.number + 1
        self.last_boot = max(self.last_boot, step.boot)
        self.next_frames[step.sensor] = step.frame_number + 1
        self.undone[step.number] = recorded


class Recorder:
    """Appends entries durably, off the control thread, and says when each is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal"
        self.past = Past()
        self._recover()
        self._file = self._path.open("ab", buffering=0)
        self._jobs: queue.SimpleQueue[tuple[int, Callable[[], bytes]] | None] = queue.SimpleQueue()
        self._durable_step = self.past.next_step - 1
        self._failure: OSError | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def append(self, recorded: Recorded, memory: Memory) -> None:
        """Queue one entry; is_durable says when it is on the disk."""
        self.past.add(recorded, memory)
        number = recorded.entry.step.number
        self._jobs.put((number, lambda: _frame(_ENTRY, _recorded_body(recorded))))

    def done(self, step: int) -> None:
        """Note that every product of a step is in the store; losing this note is harmless."""
        self.past.undone.pop(step, None)
        self._jobs.put((_NO_STEP, lambda: _frame(_DONE, step.to_bytes(8, "big"))))

    def do(self, work: Callable[[], None]) -> None:
        """Do work off the control thread, before any entry that is appended later is durable."""

        def nothing_to_write() -> bytes:
            work()
            return b""

        self._jobs.put((_NO_STEP, nothing_to_write))

    def fileno(self) -> int:
        """Return a descriptor that is readable when take_durable has news."""
        return self._wake_read

    def take_durable(self) -> None:
        """Take note of what became durable, and empty the descriptor.

        Raises:
            OSError: the disk refused; nothing queued since is durable.
        """
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        if self._failure is not None:
            raise self._failure

    def is_durable(self, recorded: Recorded) -> bool:
        """Return whether an appended entry is on the disk, as of the last take_durable."""
        return recorded.entry.step.number <= self._durable_step

    def close(self) -> None:
        """Write what is queued, then let go of the file."""
        self._jobs.put(None)
        self._thread.join()
        self._file.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _write_all(self) -> None:
        while True:
            batch = [self._jobs.get()]
            while not self._jobs.empty():
                batch.append(self._jobs.get())
            jobs = [job for job in batch if job is not None]
            try:
                data = b"".join(made() for _, made in jobs)
                if data:
                    _write_whole(self._file.fileno(), data)
                    os.fdatasync(self._file.fileno())
                steps = [step for step, _ in jobs if step != _NO_STEP]
                self._durable_step = max(steps, default=self._durable_step)
            except OSError as error:
                self._failure = error
            os.write(self._wake_write, b"\0")
            if None in batch or self._failure:
                return

    def _recover(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            self._path.touch()
            _sync_folder(self._path.parent)
            return
        good = 0
        with self._path.open("rb") as file:
            try:
                for kind, body, end in _frames(file.fileno(), size):
                    self._restore(kind, body)
                    good = end
            except WireError as error:
                self.past.problem = f"cut off at byte {good} of {size}: {error}"
        if good < size:
            self.past.problem = self.past.problem or f"torn tail of {size - good} bytes cut off"
            os.truncate(self._path, good)
        if good > COMPACT_BYTES:
            self._compact()

    def _restore(self, kind: int, body: bytes) -> None:
        if kind == _ENTRY:
            recorded = _read_recorded(body)
            step, decision = recorded.entry.step, recorded.entry.decision
            self.past.add(recorded, remember(self.past.memory, step.sensor, decision))
        elif kind == _DONE:
            self.past.undone.pop(int.from_bytes(body, "big"), None)
        elif kind == _CHECKPOINT:
            self.past = _read_checkpoint(body, self.past.undone)
        else:
            raise WireError(f"record kind {kind} is not known")

    def _compact(self) -> None:
        """Rewrite the file as the undone entries and one checkpoint; rename when synced."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            for recorded in self.past.undone.values():
                file.write(_frame(_ENTRY, _recorded_body(recorded)))
            file.write(_frame(_CHECKPOINT, _checkpoint_body(self.past)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        _sync_folder(self._path.parent)


def _frame(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(kind, len(body), crc32(body)) + body


def _frames(descriptor: int, size: int) -> Iterator[tuple[int, bytes, int]]:
    offset = 0
    while offset + _HEAD.size <= size:
        kind, length, crc = _HEAD.unpack(os.pread(descriptor, _HEAD.size, offset))
        end = offset + _HEAD.size + length
        if length > MAX_RECORD_BYTES or end > size:
            raise WireError(f"a record of {length} bytes does not fit")
        body = os.pread(descriptor, length, offset + _HEAD.size)
        if crc32(body) != crc:
            raise WireError("a record does not match its CRC-32")
        yield kind, body, end
        offset = end


def _recorded_body(recorded: Recorded) -> bytes:
    head = recorded.entry.encode()
    tensors = [output.tobytes() for output in recorded.outputs]
    return b"".join([len(head).to_bytes(4, "big"), head, *tensors])


def _read_recorded(body: bytes) -> Recorded:
    length = int.from_bytes(body[:4], "big")
    entry = decode_entry(body[4 : 4 + length])
    outputs, at = [], 4 + length
    if entry.step.model_digest and not entry.step.no_answer:
        for stamp in entry.step.outputs:
            count = int(np.prod(stamp.shape, dtype=np.int64))
            if at + count > len(body):
                raise WireError("an output tensor is cut short")
            outputs.append(np.frombuffer(body, np.int8, count, at).reshape(stamp.shape))
            at += count
    return Recorded(entry, tuple(outputs))


def _checkpoint_body(past: Past) -> bytes:
    sensors = [[name, m.since_kept, int(m.last)] for name, m in past.memory.sensors]
    frames = [[name, number] for name, number in past.next_frames.items()]
    fields = [past.next_step, past.last_boot, past.digest, sensors, frames]
    return bytes(msgpack.packb(fields, use_bin_type=True))


def _read_checkpoint(body: bytes, undone: dict[int, Recorded]) -> Past:
    fields = Fields(msgpack.unpackb(body, raw=False))
    next_step, last_boot = fields.integer("step"), fields.integer("boot")
    digest = fields.binary("digest", size=32)
    past = Past(digest=digest, next_step=next_step, last_boot=last_boot, undone=undone)
    rows = fields.array("sensors")
    for _ in range(rows.left()):
        row = rows.array("sensor", most=3)
        name, since = row.text("name"), row.integer("since kept", -1)
        memory = SensorMemory(since, row.enum(Verdict, "last verdict"))
        past.memory = past.memory.with_sensor(name, memory)
    rows = fields.array("frames")
    for _ in range(rows.left()):
        row = rows.array("frame", most=2)
        name = row.text("name")
        past.next_frames[name] = row.integer("next frame")
    return past


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
