"""Opening a database that may be damaged: what is sound, what is lost, what can be had back.

Every trouble is told. Three witnesses are compared: the rows (each with its CRC), the ledger in
the last row, and the high-water mark outside. Where they disagree, the files are searched byte
by byte for rows that sqlite no longer shows: after a flip in the write-ahead log the commits
behind it still lie there. A bundle found again may have been passed on already; the next node
knows its identity, so it is better sent twice than lost.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from flight.relay.store.files import Files
from flight.relay.store.quarantine import Quarantine
from flight.relay.store.records import (
    MAGIC,
    WEIGHT_MODULUS,
    DamagedError,
    Ledger,
    Row,
    crc_of,
    read_row,
)
from flight.relay.store.schema import Connect, is_ours, log_of, prepare
from flight.relay.store.segments import SegmentFiles
from flight.relay.store.values import UNSOLICITED, Entry, Report, Trouble

_WINDOW_BYTES = 1 << 20
_LONGEST_ROW = 1 << 13


@dataclass(frozen=True, slots=True)
class Site:
    """Where a database lives, and how it is opened."""

    path: Path
    files: Files
    quarantine: Quarantine
    connect: Connect
    max_bytes: int


@dataclass(slots=True)
class Found:
    """What a database holds."""

    rows: dict[int, Row] = field(default_factory=dict)
    """Sound ones, oldest first; of those that the database shows, without their data."""
    damaged: list[int] = field(default_factory=list)
    """Numbers of rows that failed their check."""
    restored: list[int] = field(default_factory=list)
    """Of ``rows``, those that the database does not show (any more)."""
    reports: list[Report] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        """The last sound row's ledger; the first one's of an empty store."""
        restored = set(self.restored)
        shown = (number for number in reversed(self.rows) if number not in restored)
        last = next(shown, None)
        return Ledger() if last is None else self.rows[last].ledger

    def tell(self, trouble: Trouble, count: int) -> None:
        """Add a report where there is something to count."""
        if count:
            self.reports.append(Report(UNSOLICITED, trouble, count))


def open_database(site: Site, mark: Ledger) -> tuple[sqlite3.Connection, Found]:
    """Return a connection and everything sound in the database, restored rows included.

    The restored rows are not in the database yet, the damaged ones still are.

    Raises:
        BusyError: another process owns it.
        DurabilityError: sqlite will not wait for the medium.
        sqlite3.Error, OSError: the medium fails, rather than being damaged.
    """
    try:
        connection, found = _open_and_read(site, mark)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        # A failing controller can make sound pages look wrong once: look again before believing.
        try:
            connection, found = _open_and_read(site, mark)
        except sqlite3.DatabaseError as second:
            if not is_damage(second):
                raise
            return _start_anew(site, mark)
    _compare(found, mark)
    if found.reports:
        site.quarantine.copy(site.path, log_of(site.path))
        _restore(found, _search_all(site), mark)
    return connection, found


def drop_overwritten(found: Found, segments: SegmentFiles) -> None:
    """Claim the places of the rows shown, and leave out restored rows that have lost theirs."""
    restored = set(found.restored)
    entries = [row.entry for number, row in found.rows.items() if number not in restored]
    segments.claim([entry.extent for entry in entries if entry.extent is not None])
    taken = {entry.extent for entry in entries}
    for number in found.restored:
        row = found.rows[number]
        extent = row.entry.extent
        if extent is not None and (
            extent in taken or crc_of(segments.read(extent)) != row.data_crc
        ):
            del found.rows[number]
    found.restored = [number for number in found.restored if number in found.rows]


def rewrite_last_blobs(found: Found, segments: SegmentFiles) -> list[Entry]:
    """Make sure of the blobs that a power cut may have caught between two syncs.

    Sound ones are written again: after a failed sync the kernel shows bytes that the medium does
    not have. The others are returned: they were never acknowledged, or are damaged since.

    Raises:
        OSError: the medium fails.
    """
    last = found.ledger.commit
    torn = []
    for row in found.rows.values():
        extent = row.entry.extent
        if extent is not None and row.ledger.commit == last:
            blob = segments.read(extent)
            if len(blob) == extent.length and crc_of(blob) == row.data_crc:
                segments.write(extent, blob)
            else:
                torn.append(row.entry)
    segments.start_sync()
    segments.finish_sync()
    return torn


def is_damage(error: sqlite3.Error) -> bool:
    """Whether sqlite says that the file's bytes are wrong, not that the medium or the space fails.

    The result code is in the error from Python 3.11 on; in 3.10 the class tells: sqlite's CORRUPT
    and NOTADB come as DatabaseError itself, a broken schema as an OperationalError that says so.
    """
    words = str(error)
    return type(error) is sqlite3.DatabaseError or any(
        word in words for word in ("malformed", "no such", "unsupported file format", "syntax")
    )


def _open_and_read(site: Site, mark: Ledger) -> tuple[sqlite3.Connection, Found]:
    connection = site.connect(site.path)
    try:
        if not is_ours(connection) and mark.commit:
            raise sqlite3.DatabaseError("the table is no longer there")
        prepare(connection, max_bytes=site.max_bytes)
        return connection, _read(connection)
    except BaseException:
        connection.close()
        raise


def _read(connection: sqlite3.Connection) -> Found:
    found = Found()
    for number, record in connection.execute(
        "SELECT sequence, record FROM entry ORDER BY sequence"
    ):
        try:
            row = read_row(record if isinstance(record, bytes) else b"")
            if row.entry.sequence != number:
                raise DamagedError(f"entry {row.entry.sequence} under number {number}")
        except DamagedError:
            found.damaged.append(number)
        else:
            found.rows[number] = replace(row, data=b"")
    return found


def _compare(found: Found, mark: Ledger) -> None:
    found.tell(Trouble.ROWS_DAMAGED, len(found.damaged))
    ledger = found.ledger
    if found.damaged and (not found.rows or found.damaged[-1] > next(reversed(found.rows))):
        return  # the ledger went with the last row; the damage is told
    others = len(found.rows) + len(found.damaged) - 1
    total = sum(row.weight for row in found.rows.values())
    if found.rows:
        found.tell(Trouble.ROWS_MISSING, max(0, ledger.others - others))
        total = (total - found.rows[ledger.sequence].weight) % WEIGHT_MODULUS
        if not found.reports and (others, total) != (ledger.others, ledger.total):
            found.tell(Trouble.LEDGER_MISMATCH, len(found.rows))
    found.tell(Trouble.COMMITS_LOST, max(0, mark.commit - ledger.commit))


def _restore(found: Found, searched: Iterable[Row], mark: Ledger) -> None:
    shown = found.ledger
    damaged = set(found.damaged)
    told = {report.trouble for report in found.reports}
    anything = bool(told - {Trouble.ROWS_DAMAGED, Trouble.COMMITS_LOST})
    best: dict[int, Row] = {}
    for row in searched:
        number = row.entry.sequence
        newer = row.ledger.commit > shown.commit and mark.commit > shown.commit
        if number in found.rows and not newer:
            continue
        if anything or newer or number in damaged:
            rival = best.get(number)
            if rival is None or rival.ledger.commit < row.ledger.commit:
                best[number] = row
    found.restored = sorted(best)
    found.rows = dict(sorted((found.rows | best).items()))


def _start_anew(site: Site, mark: Ledger) -> tuple[sqlite3.Connection, Found]:
    found = Found()
    found.reports.append(Report(UNSOLICITED, Trouble.DATABASE_QUARANTINED))
    _restore(found, _search_all(site), Ledger())
    found.reports[0] = Report(UNSOLICITED, Trouble.DATABASE_QUARANTINED, len(found.restored))
    if not (mark.commit or found.restored):
        found.reports.clear()  # the power went while the first database was being made
    site.quarantine.move(site.path, log_of(site.path))
    connection = site.connect(site.path)
    prepare(connection, max_bytes=site.max_bytes)
    return connection, found


def _search_all(site: Site) -> Iterator[Row]:
    return chain(_search(site.files, site.path), _search(site.files, log_of(site.path)))


def _search(files: Files, path: Path) -> Iterator[Row]:
    """Return every sound row in a file, wherever it lies and however old."""
    if not path.exists():
        return
    descriptor = files.open(path)
    try:
        for start in range(0, files.size(descriptor), _WINDOW_BYTES):
            window = files.read(descriptor, _WINDOW_BYTES + _LONGEST_ROW, start)
            at = window.find(MAGIC)
            while 0 <= at < _WINDOW_BYTES:
                with suppress(DamagedError):
                    yield read_row(window[at : at + _LONGEST_ROW])
                at = window.find(MAGIC, at + 1)
    finally:
        files.close(descriptor)
