"""The archive: a folder with the raw files, and the catalogue that is made from them.

    archive/raw/00000001.raw ...   what arrived, for good
    archive/catalogue.sqlite       what it means, rebuilt at will

What arrives is raw first: it is on the disk before anything looks into it. Taking it into the
catalogue reads it back from there, so that a live archive and a rebuilt one cannot differ.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from flight.product.errors import WireError
from flight.product.part import Header, Part, ProductId, decode_part
from flight.relay.endpoint import parse_endpoint
from flight.relay.errors import WireError as RelayError
from flight.relay.node.labels import DEFAULT_PRIORITY, priority_of
from ground.catalogue import KEPT, NOTICE, REFUSED, REPEATED, Catalogue
from ground.notices import read_notice
from ground.raw import (
    Arrival,
    Damage,
    Place,
    RawError,
    RawWriter,
    raw_files,
    read_record,
    scan,
)
from ground.rows import Filter, Row

RAW_FOLDER = "raw"
CATALOGUE_FILE = "catalogue.sqlite"

BATCH = 512
"""Records taken in within one transaction."""

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then."""


class Archive:
    """One open archive; many processes may have it open, of which one may keep arrivals."""

    def __init__(self, folder: Path, *, anew: bool = False) -> None:
        self.folder = folder
        self._raw = folder / RAW_FOLDER
        self.catalogue = Catalogue(folder / CATALOGUE_FILE, anew=anew)
        self._writer = RawWriter(self._raw)

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
        self.catalogue.close()

    def __enter__(self) -> "Archive":
        """Close it when the block is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()

    def keep(self, arrivals: tuple[Arrival, ...]) -> None:
        """Put arrivals on the disk for good, then take them into the catalogue.

        Raises:
            OSError: the disk refuses; none of these arrivals may be counted as ours.
        """
        self._writer.append(arrivals)
        self.catch_up()

    def catch_up(self, progress: Progress | None = None) -> None:
        """Take in what the raw files hold beyond the catalogue.

        Raises:
            RawError: a raw file cannot be read.
        """
        files = raw_files(self._raw)
        sizes = {path: path.stat().st_size for path in files}
        total, done = sum(sizes.values()), 0
        for path in files:
            start = self.catalogue.indexed_bytes(path.name)
            done += start
            if start < sizes[path]:
                for end in self._take_in(path, start, newest=path == files[-1]):
                    if progress is not None:
                        progress(done + end - start, total)
                done += sizes[path] - start

    def products(self, chosen: Filter | None = None) -> tuple[Row, ...]:
        """Return the products that a filter lets through, in the order they were made."""
        return self.catalogue.products(chosen or Filter())

    def parts(self, product: ProductId) -> tuple[Part, ...]:
        """Return the parts of a product that have arrived and can still be read."""
        found = (self._read_part(place) for place in self.catalogue.places(product))
        return tuple(part for part in found if part is not None)

    def _read_part(self, place: Place) -> Part | None:
        try:
            return decode_part(read_record(self._raw, place).payload)
        except (RawError, WireError):
            return None  # Rot since it was taken in: the part counts as missing.

    def _take_in(self, path: Path, start: int, *, newest: bool) -> Iterator[int]:
        """Take in one raw file from an offset on; yield how far after each batch."""
        found = scan(path, start)
        ended = False
        while not ended:
            with self.catalogue.transaction():
                # Another process may have been here since: what it took in is not ours to repeat.
                end = self.catalogue.indexed_bytes(path.name)
                for _ in range(BATCH):
                    item = next(found, None)
                    if item is None:
                        ended = True
                        break
                    end = max(end, self._take_item(path, item, after=end, newest=newest))
                self.catalogue.set_indexed_bytes(path.name, end)
            yield end

    def _take_item(
        self, path: Path, item: tuple[Place, Arrival] | Damage, *, after: int, newest: bool
    ) -> int:
        """Take in one record or damage that lies after a place; return where it ends."""
        if isinstance(item, Damage):
            end = item.offset + item.length
            if newest and end >= path.stat().st_size:
                return after  # Perhaps only half written yet: look again next time.
            self.catalogue.add_damage(item)
            return end
        place, arrival = item
        if place.offset >= after:
            self._classify(place, arrival)
        return place.offset + place.length

    def _classify(self, place: Place, arrival: Arrival) -> None:
        """Note what an arrival is. Nothing it says may stop the next one."""
        priority = _priority(arrival)
        try:
            notice = read_notice(arrival)
            if notice is not None:
                number = self.catalogue.add_arrival(
                    place, arrival, priority=priority, outcome=NOTICE
                )
                self.catalogue.notices.add(notice, arrival, number)
                return
            part = decode_part(arrival.payload)
            _check_sender(part, arrival)
            repeated = self._check(part)
        except (WireError, RelayError) as error:
            reason = str(error)[:300]
            # A station that was killed between archiving and releasing is handed it once more.
            outcome = REPEATED if self.catalogue.is_refused(arrival, reason) else REFUSED
            self.catalogue.add_arrival(
                place, arrival, priority=priority, outcome=outcome, reason=reason
            )
            return
        outcome = REPEATED if repeated else KEPT
        number = self.catalogue.add_arrival(place, arrival, priority=priority, outcome=outcome)
        if not repeated:
            self.catalogue.add_part(part, arrival=number, priority=priority, digest=_digest(part))

    def _check(self, part: Part) -> bool:
        """Return whether we have this very part.

        Raises:
            WireError: it contradicts a part of the same product that came first.
        """
        known = self.catalogue.header(part.header.id)
        if known is not None and known != part.header:
            raise WireError(f"product {part.header.id}: {_difference(known, part.header)}")
        digest = self.catalogue.part_digest(part.header.id, part.index)
        if digest is not None and digest != _digest(part):
            raise WireError(
                f"product {part.header.id}: part {part.index} differs from the one that came first"
            )
        return digest is not None


def open_archive(folder: Path, *, make: bool = False) -> Archive:
    """Return an archive, brought up to date with its raw files.

    Raises:
        RawError: there is no archive in the folder, or a raw file cannot be read.
        CatalogueError: the catalogue is broken.
    """
    raw = folder / RAW_FOLDER
    if make:
        raw.mkdir(parents=True, exist_ok=True)
    elif not raw.is_dir():
        raise RawError(f"{folder}: no archive here (no folder {RAW_FOLDER!r}); check the path")
    archive = Archive(folder)
    archive.catch_up()
    return archive


def reindex(folder: Path, progress: Progress | None = None) -> Archive:
    """Return an archive whose catalogue has been made anew from the raw files.

    Raises:
        RawError: there is no archive in the folder, or a raw file cannot be read.
    """
    if not (folder / RAW_FOLDER).is_dir():
        raise RawError(f"{folder}: no archive here (no folder {RAW_FOLDER!r}); check the path")
    archive = Archive(folder, anew=True)
    archive.catch_up(progress)
    return archive


def _priority(arrival: Arrival) -> int:
    try:
        return priority_of(parse_endpoint(arrival.destination))
    except ValueError:
        return DEFAULT_PRIORITY


def _check_sender(part: Part, arrival: Arrival) -> None:
    node = part.header.id.node
    if not arrival.source.startswith(f"ipn:{node}."):
        raise WireError(f"a part of node {node} came from {arrival.source[:80]}")


def _digest(part: Part) -> bytes:
    return hashlib.sha256(repr(part.geometry).encode() + part.data).digest()


def _difference(first: Header, other: Header) -> str:
    names = [name for name in Header.__slots__ if getattr(first, name) != getattr(other, name)]
    return f"{' and '.join(names)} differ from the part that came first"
