"""The database: one table, opened with the durability asked for and asked back.

The locking is exclusive: one connection of one process owns the file, which needs no shared
memory beside it, makes a second owner fail at once, and keeps clear of the fault that sqlite
before 3.51.3 has when two connections reset the log together.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

PAGE_BYTES = 4096

Connect = Callable[[Path], sqlite3.Connection]
"""Opens a database file; tests pass one whose calls fail."""


class DurabilityError(Exception):
    """sqlite does not give the durability that was asked for."""


class BusyError(Exception):
    """Another process owns the store."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit; transactions are begun by hand."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)


def prepare(connection: sqlite3.Connection, *, max_bytes: int) -> None:
    """Set the database up and read every setting back.

    Raises:
        DurabilityError: a setting did not take.
        BusyError: another process owns the file.
        sqlite3.Error: the file cannot be used.
    """
    for wish, want in (
        (f"page_size = {PAGE_BYTES}", None),
        ("locking_mode = exclusive", "exclusive"),
        ("journal_mode = wal", "wal"),
        ("synchronous = full", None),
        ("wal_autocheckpoint = 0", 0),
        ("cell_size_check = on", None),
        (f"max_page_count = {max_bytes // PAGE_BYTES}", None),
    ):
        got = _ask(connection, wish)
        if want is not None and got != want:
            raise DurabilityError(f"sqlite answers {got!r} to {wish!r}")
    if _ask(connection, "synchronous") != 2:
        raise DurabilityError("sqlite does not wait for the medium")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS entry (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL)"
    )


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database has the table; False also for a file that is new.

    Raises:
        BusyError: another process owns the file.
        sqlite3.Error: the file cannot be read.
    """
    try:
        connection.execute("PRAGMA locking_mode = exclusive")
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone()
    except sqlite3.OperationalError as error:
        # The result code is in the error from Python 3.11 on; the words are in every sqlite.
        if "locked" in str(error):
            raise BusyError("the store belongs to another process that is running") from error
        raise
    return found is not None


def _ask(connection: sqlite3.Connection, pragma: str) -> object:
    row = connection.execute(f"PRAGMA {pragma}").fetchone()
    return None if row is None else row[0]


def log_of(path: Path) -> Path:
    """Return where sqlite keeps the write-ahead log of a database."""
    return path.with_name(path.name + "-wal")
