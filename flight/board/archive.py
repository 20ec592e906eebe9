"""Frames kept aboard until the quota needs their place, so that the ground may still ask.

One file a frame: a record of what it is, then its samples. Written without sync: after a power
cut a missing or torn frame is a reported loss of pixels, never of a decision.
"""

import math
from pathlib import Path
from zlib import crc32

import numpy as np

from flight.product.errors import WireError
from flight.product.journal import as_samples
from flight.product.records import Schema, pack_record, read_record
from flight.product.values import Frame, SensorKind


class FrameArchive:
    """A folder of frames with a quota; the oldest go first."""

    def __init__(self, folder: Path, *, quota_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._quota_bytes = quota_bytes
        found = [(path.stat(), path) for path in folder.glob("*.frame")]
        found.sort(key=lambda pair: (pair[0].st_mtime_ns, pair[1].name))
        self._sizes = {path.name: stat.st_size for stat, path in found}
        for torn in folder.glob("*.new"):
            torn.unlink()

    def put(self, frame: Frame) -> int:
        """Keep a frame; return how many older ones had to go.

        Raises:
            OSError: the disk refused.
        """
        data = _encode(frame)
        name = _name(frame.sensor, frame.number)
        evicted = self._make_room(len(data))
        fresh = self._folder / (name + ".new")
        fresh.write_bytes(data)
        fresh.replace(self._folder / name)
        self._sizes[name] = len(data)
        return evicted

    def get(self, sensor: str, number: int) -> Frame | None:
        """Return a frame, or None if it is gone or damaged."""
        try:
            return _decode((self._folder / _name(sensor, number)).read_bytes())
        except (OSError, WireError):
            return None

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


def _encode(frame: Frame) -> bytes:
    samples = np.ascontiguousarray(frame.samples).tobytes()
    head = pack_record(
        Schema.FRAME,
        1,
        [
            frame.sensor,
            int(frame.kind),
            frame.number,
            *frame.taken,
            list(frame.samples.shape),
            frame.samples.dtype.itemsize,
            list(frame.axis),
            frame.unit_counts,
            frame.live_ms,
            frame.name[:255],
            crc32(samples),
        ],
    )
    return len(head).to_bytes(4, "big") + head + samples


def _decode(data: bytes) -> Frame:
    length = int.from_bytes(data[:4], "big")
    fields = read_record(data[4 : 4 + length], Schema.FRAME, 1, 12)
    sensor, kind = fields.text("sensor"), fields.enum(SensorKind, "sensor kind")
    number, taken = fields.integer("frame number"), fields.instant("taken")
    shape = fields.integers("shape", 0, 1 << 24, most=4)
    width = fields.integer("sample bytes", 1, 4)
    axis = fields.integers("axis", -(2**63), most=1024)
    unit_counts, live_ms = fields.integer("unit counts"), fields.integer("live time")
    name, crc = fields.text("name"), fields.integer("crc")
    samples = data[4 + length :]
    if crc32(samples) != crc:
        raise WireError("kept frame does not match its CRC-32")
    if math.prod(shape) * width != len(samples):
        raise WireError("kept frame does not have its shape")
    pixels = as_samples(np.frombuffer(samples, f"<u{width}").reshape(shape), width)
    return Frame(sensor, kind, number, taken, pixels, axis, unit_counts, live_ms, name)
