"""The one table, once it is open: rows in, rows out, the log kept at its size."""

import sqlite3
from pathlib import Path

from flight.relay.store.files import Files
from flight.relay.store.records import DamagedError, Row, read_row
from flight.relay.store.reserve import is_full
from flight.relay.store.schema import PAGE_BYTES, log_of


class Table:
    """Rows by number, in one database with one connection."""

    def __init__(
        self, connection: sqlite3.Connection, files: Files, path: Path, *, log_limit: int
    ) -> None:
        """Use an open connection; the log may grow to ``log_limit`` bytes between checkpoints."""
        self._connection = connection
        self._files = files
        self._path = path
        self._log_limit = log_limit
        self._log_bytes = 0

    def write(
        self,
        deletes: set[int],
        updates: list[tuple[bytes, int]],
        inserts: list[tuple[int, bytes]],
    ) -> None:
        """Change rows in one transaction; return once it is on the medium."""
        execute, many = self._connection.execute, self._connection.executemany
        execute("BEGIN IMMEDIATE")
        if deletes:
            many("DELETE FROM entry WHERE sequence = ?", [(number,) for number in deletes])
        if updates:
            many("UPDATE entry SET record = ? WHERE sequence = ?", updates)
        many("INSERT INTO entry VALUES (?, ?)", inserts)
        execute("COMMIT")
        pages = 4 + len(deletes) // 4 + len(updates) // 4 + len(inserts) // 3
        self._log_bytes += pages * PAGE_BYTES

    def read(self, sequence: int) -> Row:
        """Return one row, checked.

        Raises:
            DamagedError: it is not there, or not as it was written.
        """
        found = self._connection.execute(
            "SELECT record FROM entry WHERE sequence = ?", (sequence,)
        ).fetchone()
        if found is None or not isinstance(found[0], bytes):
            raise DamagedError(f"entry {sequence}: no row")
        return read_row(found[0])

    def checkpoint(self) -> bool:
        """Move the log into the database when it is half full; False: not yet."""
        if self._log_bytes * 2 < self._log_limit:
            return False
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._log_bytes = 0
        return True

    def limit(self, max_bytes: int) -> None:
        """Let the database grow to a size and no further; what it has already, it keeps."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._log_bytes = 0
        # sqlite never goes below the present number of pages.
        self._connection.execute(f"PRAGMA max_page_count = {max(max_bytes // PAGE_BYTES, 1)}")

    def extend_log(self) -> None:
        """Give the log its full size.

        Commits then overwrite it and wait for no file system journal; sqlite stops reading at
        the first frame without its salt.
        """
        descriptor = self._files.open(log_of(self._path))
        try:
            size = self._files.size(descriptor)
            if size < self._log_limit:
                self._files.write(descriptor, bytes(self._log_limit - size), size)
                self._files.sync(descriptor)
        except OSError as error:
            if not is_full(error):
                raise
        finally:
            self._files.close(descriptor)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
