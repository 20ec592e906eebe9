"""The catalogue: what the raw files hold, in SQLite, made anew from them at any time.

Nothing is kept here that the raw files do not say, so it is safe to delete, and `ground reindex`
does. A row is keyed by where its record lies: taking the same record in twice changes nothing,
which lets any process that opens an archive bring its catalogue up to date.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flight.product.part import Header, Part, ProductId
from ground.notices import NOTICES_SCHEMA, Notices
from ground.raw import Arrival, Damage, Place
from ground.rows import (
    HEADER_COLUMNS,
    ROW_COLUMNS,
    Filter,
    Row,
    Tally,
    read_header,
    read_row,
    where_clause,
)

VERSION = 2
"""Of the tables below; another one on the disk is rebuilt."""

_SCHEMA = (
    """
CREATE TABLE raw_files (
    name TEXT PRIMARY KEY, indexed_bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bundles (
    arrival INTEGER PRIMARY KEY,
    bundle TEXT NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    priority INTEGER NOT NULL, received_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL,
    UNIQUE (file, offset));
CREATE INDEX refused_bundles ON bundles (bundle) WHERE outcome = 'refused';
CREATE TABLE products (
    product INTEGER PRIMARY KEY,
    node INTEGER NOT NULL, boot INTEGER NOT NULL, number INTEGER NOT NULL,
    kind INTEGER NOT NULL, sensor TEXT NOT NULL, frame_number INTEGER NOT NULL,
    taken_mono_ns INTEGER NOT NULL, taken_ms INTEGER NOT NULL,
    model_digest BLOB NOT NULL, config_digest BLOB NOT NULL,
    codec INTEGER NOT NULL, codec_version INTEGER NOT NULL, count INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    UNIQUE (node, boot, number));
CREATE INDEX products_by_frame ON products (sensor, frame_number);
CREATE TABLE parts (
    product INTEGER NOT NULL, part INTEGER NOT NULL, arrival INTEGER NOT NULL,
    bytes INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (product, part)) WITHOUT ROWID;
CREATE TABLE damages (
    file TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    PRIMARY KEY (file, offset)) WITHOUT ROWID;
"""
    + NOTICES_SCHEMA
)

BUSY_S = 30.0
"""How long to wait for another process that is writing."""

KEPT, REPEATED, REFUSED, NOTICE = "kept", "repeated", "refused", "notice"
"""Outcomes of an arrival: a new part; one we had already; nothing that we can use; a status report
or a tombstone."""


class CatalogueError(RuntimeError):
    """The catalogue cannot be used; the message names the file and the remedy."""


class Catalogue:
    """One connection to a catalogue file."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Open a catalogue, or make it; with ``anew``, empty whatever is there."""
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        try:
            _prepare(self._database, anew=anew)
        except sqlite3.Error as error:
            self._database.close()
            if not anew or isinstance(error, sqlite3.OperationalError):
                raise _unusable(path, error) from error
            # It cannot be emptied because it is broken: then nobody else can be using it.
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
            _prepare(self._database, anew=False)
        self.notices = Notices(self._database)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is done inside one act, which other processes see whole or not at all."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    def indexed_bytes(self, file: str) -> int:
        """Return how far a raw file has been taken in."""
        found = self._database.execute(
            "SELECT indexed_bytes FROM raw_files WHERE name = ?", (file,)
        ).fetchone()
        return int(found[0]) if found else 0

    def set_indexed_bytes(self, file: str, count: int) -> None:
        """Note how far a raw file has been taken in."""
        self._database.execute("INSERT OR REPLACE INTO raw_files VALUES (?, ?)", (file, count))

    def add_damage(self, damage: Damage) -> None:
        """Note a stretch of a raw file that cannot be read."""
        self._database.execute(
            "INSERT OR REPLACE INTO damages VALUES (?, ?, ?)",
            (damage.file, damage.offset, damage.length),
        )

    def add_arrival(
        self, place: Place, arrival: Arrival, *, priority: int, outcome: str, reason: str = ""
    ) -> int:
        """Note one arrival and return its number."""
        added = self._database.execute(
            "INSERT INTO bundles (bundle, file, offset, length, priority, received_ms, outcome,"
            " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                arrival.bundle_name,
                place.file,
                place.offset,
                place.length,
                priority,
                min(arrival.received_ms, 2**63 - 1),
                outcome,
                reason,
            ),
        )
        return int(added.lastrowid or 0)

    def header(self, product: ProductId) -> Header | None:
        """Return a product's header, or None where none of its parts has arrived."""
        found = self._database.execute(
            f"SELECT {HEADER_COLUMNS} FROM products WHERE node = ? AND boot = ? AND number = ?",
            (product.node, product.boot, product.number),
        ).fetchone()
        return read_header(found) if found else None

    def part_digest(self, product: ProductId, index: int) -> bytes | None:
        """Return the digest of a part that has arrived, or None."""
        found = self._database.execute(
            "SELECT digest FROM parts JOIN products USING (product)"
            " WHERE node = ? AND boot = ? AND number = ? AND part = ?",
            (product.node, product.boot, product.number, index),
        ).fetchone()
        return bytes(found[0]) if found else None

    def add_part(self, part: Part, *, arrival: int, priority: int, digest: bytes) -> None:
        """Note a new part, and its product where this is the first."""
        h = part.header
        self._database.execute(
            f"INSERT OR IGNORE INTO products ({HEADER_COLUMNS}, priority)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(h.id.node, h.id.boot, h.id.number),
                *(int(h.kind), h.sensor, h.frame_number),
                *(h.taken.mono_ns, h.taken.dtn_ms, h.model_digest, h.config_digest),
                *(h.codec, h.codec_version, h.count, priority),
            ),
        )
        self._database.execute(
            "INSERT INTO parts SELECT product, ?, ?, ?, ? FROM products"
            " WHERE node = ? AND boot = ? AND number = ?",
            (part.index, arrival, len(part.data), digest, h.id.node, h.id.boot, h.id.number),
        )

    def products(self, chosen: Filter) -> tuple[Row, ...]:
        """Return the products that a filter lets through, in the order they were made."""
        where, values = where_clause(chosen)
        rows = self._database.execute(
            f"SELECT {ROW_COLUMNS}"
            " FROM products JOIN parts USING (product) JOIN bundles USING (arrival)"
            f" {where} GROUP BY product ORDER BY node, boot, number",
            values,
        )
        return tuple(read_row(row) for row in rows)

    def places(self, product: ProductId) -> tuple[Place, ...]:
        """Return where a product's parts lie, in the order of their indices."""
        rows = self._database.execute(
            "SELECT file, offset, length FROM parts JOIN products USING (product)"
            " JOIN bundles USING (arrival)"
            " WHERE node = ? AND boot = ? AND number = ? ORDER BY part",
            (product.node, product.boot, product.number),
        )
        return tuple(Place(str(file), int(at), int(length)) for file, at, length in rows)

    def arrivals(self) -> tuple[tuple[int, int, ProductId], ...]:
        """Return (reception time, priority, product) of every new part, in order of arrival."""
        rows = self._database.execute(
            "SELECT received_ms, bundles.priority, node, boot, number FROM bundles"
            " JOIN parts USING (arrival) JOIN products USING (product) ORDER BY arrival"
        )
        return tuple(
            (int(r[0]), int(r[1]), ProductId(int(r[2]), int(r[3]), int(r[4]))) for r in rows
        )

    def tally(self) -> Tally:
        """Return how many arrivals there are of each outcome."""
        rows = self._database.execute("SELECT outcome, count(*) FROM bundles GROUP BY outcome")
        counts = {str(outcome): int(count) for outcome, count in rows}
        return Tally(*(counts.get(outcome, 0) for outcome in (KEPT, REPEATED, REFUSED, NOTICE)))

    def is_refused(self, arrival: Arrival, reason: str) -> bool:
        """Whether this bundle came before and was refused for that reason."""
        found = self._database.execute(
            "SELECT 1 FROM bundles WHERE outcome = 'refused' AND bundle = ? AND reason = ?",
            (arrival.bundle_name, reason),
        )
        return found.fetchone() is not None

    def refusals(self) -> tuple[tuple[str, str], ...]:
        """Return (bundle, reason) of every arrival that was refused, in order of arrival."""
        rows = self._database.execute(
            "SELECT bundle, reason FROM bundles WHERE outcome = ? ORDER BY arrival", (REFUSED,)
        )
        return tuple((str(bundle), str(reason)) for bundle, reason in rows)

    def damages(self) -> tuple[Damage, ...]:
        """Return the stretches of raw files that cannot be read."""
        rows = self._database.execute("SELECT * FROM damages ORDER BY file, offset")
        return tuple(Damage(str(file), int(at), int(length)) for file, at, length in rows)


def _prepare(database: sqlite3.Connection, *, anew: bool) -> None:
    """Make the tables where there are none; with ``anew``, drop those that are there first."""
    # A power cut may cost the last rows, never the file; the raw files give them back.
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
    if not anew and _version(database) == VERSION:
        return
    # Two processes may both find the file new: the tables are made by whoever is first.
    database.execute("BEGIN IMMEDIATE")
    version = _version(database)
    if anew:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            database.execute(f'DROP TABLE "{table}"')
    elif version not in (0, VERSION):
        raise sqlite3.NotSupportedError(f"has version {version}, this software reads {VERSION}")
    if anew or version == 0:
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _unusable(path: Path, error: sqlite3.Error) -> CatalogueError:
    return CatalogueError(f"{path}: {error}; `ground reindex` makes it anew from the raw files")
