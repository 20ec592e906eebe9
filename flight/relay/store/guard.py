"""What the store does when its medium fails: name it, try again, give way, go on in memory.

*The file system is full*: the reserve is given back, the quota falls to what is in use, and the
transaction is tried again; it evicts as much as it brings. What finds no room even so is refused.

*An I/O error, once or twice*: the files are opened and read again, the transaction is repeated
(MEDIUM_RETRIED).

*Damaged bytes*: opening again finds out, quarantines and restores; see recovery.

*An I/O error that stays, a read-only remount, a directory that cannot be used*: memory takes over
(MEDIUM_FAILED). Bundles on the medium wait there. Each scrub looks whether it works again; then
what memory holds is put on it in one transaction (MEDIUM_RETURNED).
"""

import secrets
import sqlite3

from flight.relay.settings import StoreSettings
from flight.relay.store.disk import DiskMedium
from flight.relay.store.files import Files
from flight.relay.store.ram import RamMedium
from flight.relay.store.reserve import is_full
from flight.relay.store.schema import BusyError, Connect, DurabilityError
from flight.relay.store.values import (
    UNSOLICITED,
    Delete,
    Entry,
    Operation,
    Put,
    Reason,
    Refused,
    Report,
    Result,
    Scrub,
    StoreStatus,
    Trouble,
)

_FAILURES = (sqlite3.Error, OSError, DurabilityError)


class GuardedMedium:
    """A disk medium for as long as it can be had, then memory."""

    def __init__(self, settings: StoreSettings, files: Files, connect: Connect) -> None:
        """Open the disk, or memory where the disk fails.

        Raises:
            BusyError: another process owns the store; that is no failure of the medium.
        """
        self._settings = settings
        self._files = files
        self._connect = connect
        self._reports: list[Result] = []
        self._disk: DiskMedium | None = None
        # What is on the disk is unknown if it never opens: these numbers are hardly any of its.
        beyond = _FAR + secrets.randbelow(_FAR >> 33) * _AHEAD
        self._ram = RamMedium(settings, sequence=beyond)
        self._first_in_ram = beyond
        self._gone: dict[int, Reason] = {}
        """Of the disk's entries, those that were let go while it could not be written."""
        try:
            self._open()
        except _FAILURES:
            self._open_again()

    @property
    def boots(self) -> int:
        """How often this store was opened."""
        return self._now.boots

    @property
    def created(self) -> int:
        """The highest creation sequence number that a Put brought."""
        return self._now.created

    def load(self) -> tuple[Entry, ...]:
        """Return every bundle and tombstone, oldest first."""
        return self._now.load()

    def apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        """Do (ticket, operation) pairs; the reports of what failed come first."""
        results = self._apply(operations)
        if self._disk is None:
            self._remember(operations)
            if any(isinstance(operation, Scrub) for _, operation in operations):
                results += self._come_home()
        reports, self._reports = self._reports, []
        return [*reports, *results]

    def tidy(self) -> list[Result]:
        """Do what can wait; return the reports of what failed, and of what opening found."""
        try:
            self._now.tidy()
        except _FAILURES as error:
            self._recover(error)
        reports, self._reports = self._reports, []
        return reports

    def status(self) -> StoreStatus:
        """Return the counters."""
        return self._now.status()

    def close(self) -> None:
        """Let the medium go."""
        self._now.close()

    @property
    def _now(self) -> DiskMedium | RamMedium:
        return self._ram if self._disk is None else self._disk

    def _apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        is_full = False
        for _ in range(_ATTEMPTS):
            try:
                return self._now.apply(operations)
            except _FAILURES as error:
                is_full = _is_full(error)
                self._recover(error)
        if is_full:
            return self._apply_without_puts(operations)
        self._give_up()
        return self._now.apply(operations)

    def _apply_without_puts(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        """Refuse what comes and let go what goes: the last step on a full file system."""
        results: list[Result] = [
            Refused(ticket) for ticket, operation in operations if isinstance(operation, Put)
        ]
        rest = tuple(pair for pair in operations if not isinstance(pair[1], Put))
        try:
            return [*results, *self._now.apply(rest)]
        except _FAILURES:
            self._give_up()
            return [*results, *self._now.apply(rest)]

    def _recover(self, error: Exception) -> None:
        """Open again after a failure: the catalogue may be ahead of the medium."""
        if self._disk is None:
            raise error
        before = self._disk
        if not _is_full(error):
            before.close()
            self._open_again()
            return
        quota_bytes = before.give_reserve()
        before.close()
        try:
            self._open().tighten(quota_bytes)
            self._tell(Trouble.DISK_FULL)
        except _FAILURES:
            self._give_up()

    def _open_again(self) -> None:
        try:
            self._open()
            self._tell(Trouble.MEDIUM_RETRIED)
        except _FAILURES:
            self._give_up()

    def _open(self) -> DiskMedium:
        disk = DiskMedium(self._settings, self._files, self._connect)
        self._reports.extend(disk.reports)
        self._disk = disk
        return disk

    def _give_up(self) -> None:
        """Go on in memory, with numbers that the disk has not given out."""
        old, self._disk = self._disk, None
        if old is not None:
            old.close()
            self._first_in_ram = old.sequence + _AHEAD
            self._gone.clear()
            self._ram = RamMedium(
                self._settings, sequence=self._first_in_ram, created=old.created, boots=old.boots
            )
        self._tell(Trouble.MEDIUM_FAILED)

    def _remember(self, operations: tuple[tuple[int, Operation], ...]) -> None:
        """Note what would have been let go on the disk."""
        for _, operation in operations:
            if isinstance(operation, Delete):
                on_disk = (s for s in operation.sequences if s <= self._first_in_ram)
                self._gone.update(dict.fromkeys(on_disk, operation.reason))

    def _come_home(self) -> list[Result]:
        """Try the disk again, and put on it what memory holds; nothing changes if it fails."""
        try:
            disk = DiskMedium(self._settings, self._files, self._connect)
        except (*_FAILURES, BusyError):
            return []
        refuge = self._ram.refuge(self._gone)
        if disk.sequence > self._first_in_ram:
            # A disk that had not been there at start has numbers like ours: a restart sorts it.
            disk.close()
            return []
        try:
            results = disk.take_in(refuge)
        except _FAILURES:
            disk.close()
            return []
        self._disk = disk
        self._ram.close()
        self._gone.clear()
        self._reports.extend(disk.reports)
        self._tell(Trouble.MEDIUM_RETURNED, len(refuge.entries))
        return results

    def _tell(self, trouble: Trouble, count: int = 0) -> None:
        self._reports.append(Report(UNSOLICITED, trouble, count))


_ATTEMPTS = 3
"""Tries of one transaction; on a full file system each has less to live on."""

_FAR = 1 << 61
"""Where numbers begin that are given out before the disk was ever open."""

_AHEAD = 1 << 32
"""Numbers given out in memory begin this far ahead, so that none is a disk entry's."""


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return is_full(error)
    return "full" in str(error)


__all__ = ["BusyError", "GuardedMedium"]
