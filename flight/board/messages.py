"""What control process and worker say to each other over pipes; arrays go by shared memory.

    message := length (4 bytes, big endian) || msgpack array [Say, field, ...]

The shared memory has two halves: what goes to the worker lies at the start of the first, what
comes back at the start of the second.
"""

import mmap
from enum import IntEnum

import msgpack

from flight.product.errors import WireError
from flight.product.records import Fields

MAX_MESSAGE_BYTES = 1 << 20


class Say(IntEnum):
    """What a message is. Both ends are always of one version, so numbers may change."""

    START = 1
    """nice, memory limit in bytes, reference kernels, [[model, folder, digest], ...]"""
    INFER = 2
    """job, model, shape"""
    ENCODE = 3
    """job, codec, dtype, shape, maximum error, part lines, tile"""
    CHECK = 4
    """Run the known-answer frames."""
    READY = 5
    """runtime, [[model, "" or why it is refused], ...]"""
    OUTPUTS = 6
    """job, [shape, ...]; the arrays follow each other in the shared memory"""
    PARTS = 7
    """job, [[geometry, length], ...]; the bytes follow each other in the shared memory"""
    FAILED = 8
    """job, NoAnswer reason, why"""
    CHECKED = 9
    """"" or what disagrees"""


def pack_message(say: Say, *fields: object) -> bytes:
    """Return one message's bytes."""
    body: bytes = msgpack.packb([int(say), *fields], use_bin_type=True)
    return len(body).to_bytes(4, "big") + body


class MessageReader:
    """Finds messages in a pipe's bytes, however they are cut."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[Say, Fields]]:
        """Return each message that ``data`` completes.

        Raises:
            WireError: the other side does not speak this language; stop listening to it.
        """
        self._data += data
        found: list[tuple[Say, Fields]] = []
        while len(self._data) >= 4:
            length = int.from_bytes(self._data[:4], "big")
            if length > MAX_MESSAGE_BYTES:
                raise WireError(f"a message of {length} bytes exceeds {MAX_MESSAGE_BYTES}")
            if len(self._data) < 4 + length:
                break
            found.append(_read(bytes(self._data[4 : 4 + length])))
            del self._data[: 4 + length]
        return found


def _read(data: bytes) -> tuple[Say, Fields]:
    try:
        tree: object = msgpack.unpackb(data, raw=False, max_map_len=0, max_ext_len=0)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise WireError(f"not a message: {error}") from error
    fields = Fields(tree)
    return fields.enum(Say, "message"), fields


class SharedMemory:
    """The mapping that control process and one worker share."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._map = mmap.mmap(descriptor, size_bytes)
        self.half_bytes = size_bytes // 2

    def write(self, start: int, data: bytes) -> int:
        """Copy ``data`` to ``start`` and return where it ends.

        Raises:
            ValueError: it does not fit its half.
        """
        end = start + len(data)
        if end > self._limit(start):
            raise ValueError(f"{len(data)} bytes exceed the shared memory; raise shared_mib")
        self._map[start:end] = data
        return end

    def read(self, start: int, size_bytes: int) -> bytes:
        """Return a copy of ``size_bytes`` from ``start``.

        Raises:
            WireError: they do not lie within one half.
        """
        if size_bytes < 0 or start + size_bytes > self._limit(start):
            raise WireError("an array beyond the shared memory")
        return self._map[start : start + size_bytes]

    def close(self) -> None:
        """Unmap it."""
        self._map.close()

    def _limit(self, start: int) -> int:
        return self.half_bytes if start < self.half_bytes else 2 * self.half_bytes
