"""What the store does when its medium fails: name it, try again, give way, go on in memory.

*The file system is full*: the medium lives in the files that it has, with a lower quota, and says
DISK_FULL; see disk.

*An I/O error, once or twice*: the files are opened and read again, the transaction is repeated
(MEDIUM_RETRIED).

*Damaged bytes*: opening again finds out, repairs and tells; see recovery.

*An I/O error that stays, a read-only remount, a directory that cannot be used*: memory takes over
(MEDIUM_FAILED). Bundles on the medium wait there. Each scrub looks whether it works again; then
what memory holds is put on it in one transaction (MEDIUM_RETURNED).
"""

import secrets

from flight.relay.settings import StoreSettings
from flight.relay.store.disk import BusyError, DiskMedium
from flight.relay.store.files import Files
from flight.relay.store.ram import RamMedium
from flight.relay.store.values import (
    UNSOLICITED,
    Delete,
    Entry,
    Operation,
    Reason,
    Report,
    Result,
    Scrub,
    StoreStatus,
    Trouble,
)


class GuardedMedium:
    """A disk medium for as long as it can be had, then memory."""

    def __init__(self, settings: StoreSettings, files: Files) -> None:
        """Open the disk, or memory where the disk fails.

        Raises:
            BusyError: another process owns the store; that is no failure of the medium.
        """
        self._settings = settings
        self._files = files
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
        except OSError:
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
            self._reports += self._now.tidy()
        except OSError as error:
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
        told = 0 if self._disk is None else self._disk.sequence
        for attempt in range(_ATTEMPTS):
            if self._disk is None:
                break
            try:
                if attempt:
                    return self._disk.repeat(operations, told)
                return self._disk.apply(operations)
            except OSError as error:
                self._recover(error)
        if self._disk is not None:
            self._give_up()
        return self._ram.apply(operations)

    def _recover(self, error: OSError) -> None:
        """Open again after a failure: the catalogue may be ahead of the medium."""
        if self._disk is None:
            raise error
        self._disk.close()
        self._open_again()

    def _open_again(self) -> None:
        try:
            self._open()
            self._tell(Trouble.MEDIUM_RETRIED)
        except OSError:
            self._give_up()

    def _open(self) -> None:
        self._disk = DiskMedium(self._settings, self._files)
        self._reports += self._disk.take_reports()

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
            disk = DiskMedium(self._settings, self._files)
        except (OSError, BusyError):
            return []
        refuge = self._ram.refuge(self._gone)
        if disk.sequence > self._first_in_ram:
            # A disk that had not been there at start has numbers like ours: a restart sorts it.
            disk.close()
            return []
        try:
            results = disk.take_in(refuge)
        except OSError:
            disk.close()
            return []
        self._disk = disk
        self._ram.close()
        self._gone.clear()
        self._tell(Trouble.MEDIUM_RETURNED, len(refuge.entries))
        return results

    def _tell(self, trouble: Trouble, count: int = 0) -> None:
        self._reports.append(Report(UNSOLICITED, trouble, count))


_ATTEMPTS = 3
"""Tries of one transaction."""

_FAR = 1 << 61
"""Where numbers begin that are given out before the disk was ever open."""

_AHEAD = 1 << 32
"""Numbers given out in memory begin this far ahead, so that none is a disk entry's."""


__all__ = ["BusyError", "GuardedMedium"]
