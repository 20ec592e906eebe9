r"""Raw files: every payload as it arrived, appended, synchronised, and never rewritten.

A file is a header and then records.

    header: "farside raw 1\n\0\0" (16 bytes)  mark (8 bytes), three times
    record: mark (8 bytes)  length of the body (u32)  CRC-32 of length and body (u32)  body
    body:   received (u64)  created (u64)  sequence (u64)  lengths of source and destination
            (u16, u16)  source  destination  payload

All numbers are big-endian, times are DTN milliseconds (RFC 9171 section 4.2.6). Reading it needs
nothing but the standard library, so that the oldest archive outlives the newest decoder.

The mark is there for repair: after a damaged record the scan goes on at the next mark whose
record passes its CRC, so that rot costs the records it touches and no other. It is drawn at
random for each file, so that no payload can imitate a record, and stands in the header three
times, so that rot in one is outvoted. A writer never appends behind a torn tail: each opening
starts a new file.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

MAGIC = b"farside raw 1\n\x00\x00"
MARK_BYTES = 8
HEADER_BYTES = len(MAGIC) + 3 * MARK_BYTES
SUFFIX = ".raw"

MAX_FILE_BYTES = 64 << 20
"""A new file is begun once one has grown past this, so that a copy can be taken file by file."""
MAX_BODY_BYTES = 16 << 20
"""Longest body believed on reading; a longer payload is refused on writing."""

_HEAD = struct.Struct(f">{MARK_BYTES}sII")
_BODY = struct.Struct(">QQQHH")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """One bundle's payload as the relay network delivered it."""

    source: str
    """Endpoint id of the sender, as text: ``ipn:1.64``."""
    destination: str
    """Endpoint id it was delivered to; its service number says the priority."""
    created_ms: int
    """Creation time of the bundle, DTN milliseconds; 0: the sender had no clock."""
    sequence: int
    """Tells bundles of one source and one millisecond apart."""
    received_ms: int
    """When the ground took it in, DTN milliseconds; 0: unknown."""
    payload: bytes

    @property
    def bundle_name(self) -> str:
        """What names one bundle for good (RFC 9171 section 4.3.1)."""
        return f"{self.source} {self.created_ms} {self.sequence}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies."""

    file: str
    """Name of the raw file, without its folder."""
    offset: int
    length: int
    """Bytes of the whole record, head and body."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a raw file that holds no readable record."""

    file: str
    offset: int
    length: int


class RawError(OSError):
    """A raw file cannot be used at all; the message names it and the remedy."""


def scan(path: Path, start: int = 0) -> Iterator[tuple[Place, Arrival] | Damage]:
    """Yield every record of a raw file from an offset on, and each damaged stretch, in order.

    A torn tail, which a power cut leaves behind, comes last as a Damage.

    Raises:
        RawError: the file cannot be opened.
    """
    with _open(path) as file:
        size = file.seek(0, os.SEEK_END)
        mark, sound = _read_header(file)
        if not sound and start == 0:
            yield Damage(path.name, 0, min(HEADER_BYTES, size))
        offset = max(start, HEADER_BYTES)
        while offset < size:
            body = _body_at(file, mark, offset, size)
            if body is None:
                after = _next_record(file, mark, offset + 1, size)
                yield Damage(path.name, offset, after - offset)
                offset = after
                continue
            length = _HEAD.size + len(body)
            yield Place(path.name, offset, length), _arrival(body)
            offset += length


def read_record(folder: Path, place: Place) -> Arrival:
    """Return the arrival at one place.

    Raises:
        RawError: the record is not there any more, or fails its CRC.
    """
    with _open(folder / place.file) as file:
        mark, _ = _read_header(file)
        body = _body_at(file, mark, place.offset, place.offset + place.length)
    if body is None:
        raise RawError(f"{folder / place.file}: no readable record at byte {place.offset}")
    return _arrival(body)


def raw_files(folder: Path) -> tuple[Path, ...]:
    """Return the raw files of a folder, oldest first."""
    return tuple(sorted(path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit()))


class RawWriter:
    """Appends records to a folder's newest raw file, of which it alone is the writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: FileIO | None = None
        self._mark = b""
        self._name = ""
        self._offset = 0

    def append(self, arrivals: tuple[Arrival, ...]) -> tuple[Place, ...]:
        """Write arrivals and return their places once they are on the disk.

        Raises:
            OSError: the disk refuses; nothing of this call may be counted as kept.
        """
        places = []
        bodies = [_body(arrival) for arrival in arrivals]
        try:
            for body in bodies:
                file = self._room()
                record = _HEAD.pack(self._mark, len(body), _crc(body)) + body
                _write_all(file, record)
                places.append(Place(self._name, self._offset, len(record)))
                self._offset += len(record)
            self._synchronise()
        except OSError:
            # What reached the file is unknown now; a new file keeps later records whole.
            self.close()
            raise
        return tuple(places)

    def close(self) -> None:
        """Close the current file; the next append begins a new one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _room(self) -> FileIO:
        if self._file is not None and self._offset >= MAX_FILE_BYTES:
            self._synchronise()
            self.close()
        if self._file is None:
            files = raw_files(self._folder)
            number = int(files[-1].stem) + 1 if files else 1
            path = self._folder / f"{number:08d}{SUFFIX}"
            self._file = FileIO(path, "xb")
            self._mark = os.urandom(MARK_BYTES)
            self._name = path.name
            _write_all(self._file, MAGIC + 3 * self._mark)
            self._offset = HEADER_BYTES
            _synchronise_folder(self._folder)
        return self._file

    def _synchronise(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())


def _crc(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(len(body).to_bytes(4, "big")))


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise RawError(f"{path}: {reason}; restore it from a copy") from error


def _read_header(file: BinaryIO) -> tuple[bytes, bool]:
    """Return a file's mark, by majority of its three copies, and whether the header is sound."""
    file.seek(0)
    header = file.read(HEADER_BYTES).ljust(HEADER_BYTES, b"\0")
    copies = [header[at : at + MARK_BYTES] for at in range(len(MAGIC), HEADER_BYTES, MARK_BYTES)]
    a, b, c = (int.from_bytes(copy, "big") for copy in copies)
    mark = (a & b | a & c | b & c).to_bytes(MARK_BYTES, "big")
    return mark, header == MAGIC + 3 * mark


def _body_at(file: BinaryIO, mark: bytes, offset: int, size: int) -> bytes | None:
    """Return the body of a whole and sound record at an offset, or None."""
    file.seek(offset)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    found, length, crc = _HEAD.unpack(head)
    if found != mark or not _BODY.size <= length <= MAX_BODY_BYTES:
        return None
    if offset + _HEAD.size + length > size:
        return None
    body = file.read(length)
    if len(body) != length or _crc(body) != crc:
        return None
    _, _, _, source, destination = _BODY.unpack_from(body)
    return body if _BODY.size + source + destination <= length else None


def _next_record(file: BinaryIO, mark: bytes, offset: int, size: int) -> int:
    """Return the offset of the next sound record at or after an offset; size when there is none."""
    while offset < size:
        file.seek(offset)
        chunk = file.read(_CHUNK_BYTES + MARK_BYTES - 1)
        at = chunk.find(mark)
        while at >= 0:
            if _body_at(file, mark, offset + at, size) is not None:
                return offset + at
            at = chunk.find(mark, at + 1)
        offset += _CHUNK_BYTES
    return size


def _body(arrival: Arrival) -> bytes:
    source, destination = arrival.source.encode(), arrival.destination.encode()
    numbers = (arrival.received_ms, arrival.created_ms, arrival.sequence)
    head = _BODY.pack(*numbers, len(source), len(destination))
    body = b"".join((head, source, destination, arrival.payload))
    if len(body) > MAX_BODY_BYTES:
        raise RawError(f"a payload of {len(arrival.payload)} bytes is beyond MAX_BODY_BYTES")
    return body


def _write_all(file: FileIO, data: bytes) -> None:
    # An unbuffered write may be short; a buffer would be flushed again by close after an error.
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _arrival(body: bytes) -> Arrival:
    received, created, sequence, source, destination = _BODY.unpack_from(body)
    ends = _BODY.size + source, _BODY.size + source + destination
    return Arrival(
        source=body[_BODY.size : ends[0]].decode("utf-8", "replace"),
        destination=body[ends[0] : ends[1]].decode("utf-8", "replace"),
        created_ms=created,
        sequence=sequence,
        received_ms=received,
        payload=body[ends[1] :],
    )


def _synchronise_folder(folder: Path) -> None:
    # A new name survives a power cut only when its folder is on the disk too.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
