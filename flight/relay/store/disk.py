"""The durable medium: entries in a log, the mark beside it.

One call of apply is one commit of the log, or a few if it brings more than a file takes. Its
order: the commit is written and synced, then results are returned, and the mark follows when the
medium tidies up.
"""

from bisect import bisect_right
from contextlib import ExitStack

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import Catalogue
from flight.relay.store.files import Files
from flight.relay.store.highwater import HighWater
from flight.relay.store.holdings import Holdings
from flight.relay.store.homecoming import Refuge, bring_home
from flight.relay.store.log import Log, strangers_in
from flight.relay.store.plan import Plan
from flight.relay.store.quarantine import Quarantine
from flight.relay.store.ram import describe, kept
from flight.relay.store.records import DamagedError, Ledger
from flight.relay.store.recovery import Found, recover
from flight.relay.store.room import Room
from flight.relay.store.values import (
    UNSOLICITED,
    Delete,
    Entry,
    Fetch,
    Fetched,
    Kind,
    Missing,
    Operation,
    Put,
    Reason,
    Refused,
    Report,
    Result,
    Scrub,
    Scrubbed,
    StoreStatus,
    Trouble,
)


class BusyError(Exception):
    """Another process owns the store."""


class DiskMedium:
    """A directory with a log, a mark and a quarantine."""

    def __init__(self, settings: StoreSettings, files: Files) -> None:
        """Open the directory, or make it; repair what can be repaired and report the rest.

        Raises:
            BusyError: another process owns it.
            OSError: the medium fails.
        """
        self._settings = settings
        self._files = files
        directory = settings.directory
        directory.mkdir(parents=True, exist_ok=True)
        self._quarantine = Quarantine(files, directory / "quarantine", settings.quarantine_limit)
        self._catalogue = Catalogue(settings)
        self._evicted = self._uncounted = self._scrubbed = 0
        self._untold: set[int] = set()
        self._reports: list[Result] = []
        with ExitStack() as opened:
            high_water = HighWater(files, directory / "highwater")
            opened.callback(high_water.close)
            if not high_water.lock():
                raise BusyError("the store belongs to another process that is running")
            strangers = self._quarantine.move(*strangers_in(files, directory))
            self._log = Log(files, directory, settings.segment_bytes)
            opened.callback(self._log.close)
            if not self._log.present:
                high_water.begin()
            read, unsound = high_water.read()
            mark = read or Ledger()
            found = recover(self._log, mark)
            found.tell(Trouble.FILES_QUARANTINED, strangers)
            found.tell(Trouble.HIGH_WATER_DAMAGED, unsound)
            self._quarantine.copy(*sorted({file.path for file in found.suspects}))
            self._holdings = Holdings(self._catalogue, self._log, high_water, found, mark)
            self._room = Room(
                settings, files, self._log, self._catalogue, self._holdings, tell=self._tell
            )
            self._begin(found)
            high_water.write_both(self._holdings.ledger)
            self._opened = opened.pop_all()

    @property
    def boots(self) -> int:
        """How often this store was opened."""
        return self._holdings.ledger.boots

    @property
    def created(self) -> int:
        """The highest creation sequence number that a Put brought."""
        return self._holdings.ledger.created

    @property
    def sequence(self) -> int:
        """The last entry's number."""
        return self._holdings.ledger.sequence

    def load(self) -> tuple[Entry, ...]:
        """Return every bundle and tombstone, oldest first."""
        return kept(self._catalogue)

    def apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        """Do (ticket, operation) pairs; return once they are durable.

        Raises:
            OSError: the medium fails, and this object is of no further use.
        """
        plan = self._plan()
        results: list[Result] = []
        reads: list[tuple[int, Fetch | Scrub]] = []
        size, portion_bytes = 0, self._log.portion_bytes
        for ticket, operation in operations:
            if isinstance(operation, Put):
                size += len(operation.data)
                if size > portion_bytes:
                    results += self._commit(plan)
                    plan, size = self._plan(), len(operation.data)
                    if not self._room.takes(size):
                        results.append(Refused(ticket))
                        continue
                plan.put(ticket, operation)
            elif isinstance(operation, Delete):
                plan.delete(ticket, operation)
            else:
                reads.append((ticket, operation))
        results += self._commit(plan)
        for ticket, read in reads:
            results += (
                self._fetch(ticket, read) if isinstance(read, Fetch) else self._scrub(ticket, read)
            )
        return results

    def repeat(self, operations: tuple[tuple[int, Operation], ...], told: int) -> list[Result]:
        """Do again what failed in another object's apply, wherever that came to its end.

        Nobody has been told of numbers above ``told``.
        """
        self._untold = {number for number in self._catalogue.entries if number > told}
        return self.apply(operations)

    def take_in(self, refuge: Refuge) -> list[Result]:
        """Put what was kept elsewhere while this failed in one commit, or raise as apply."""
        plan = self._plan()
        results = bring_home(plan, refuge)
        self._commit(plan)
        return results

    def tidy(self) -> list[Result]:
        """Move the mark on, have free files at hand, and say what happened to the medium.

        Raises:
            OSError: the medium fails.
        """
        self._holdings.mark()
        self._make_room()
        return self.take_reports()

    def take_reports(self) -> list[Result]:
        """Return, and forget, what happened to the medium of itself."""
        reports, self._reports = self._reports, []
        return reports

    def status(self) -> StoreStatus:
        """Return the counters."""
        commits = self._holdings.ledger.commit
        return describe(self._catalogue, commits, self._evicted, self._uncounted, degraded=False)

    def close(self) -> None:
        """Let the files go, whatever state they are in."""
        self._opened.close()

    def _begin(self, found: Found) -> None:
        """Write again what has to be, bury what is damaged, and have room for more."""
        self._reports += found.reports
        if not self._log.spare:
            self._room.grow()
        for read in found.again:
            self._holdings.write_again(read.commit, read.head.generation, read.head.offset)
        plan = self._plan()
        damaged = [self._catalogue.entries[number] for number in found.damaged]
        if damaged:
            self._reports += _bury_damaged(plan, damaged)
        self._commit(plan, even_if_empty=True)
        self._make_room()
        # Nobody has been told of these bundles yet.
        self._reports = [report for report in self._reports if isinstance(report, Report)]

    def _tell(self, trouble: Trouble) -> None:
        self._reports.append(Report(UNSOLICITED, trouble))

    def _plan(self) -> Plan:
        ledger = self._holdings.ledger
        return Plan(
            self._catalogue,
            self._settings,
            ledger.sequence,
            ledger.created,
            untold=self._untold,
        )

    def _commit(self, plan: Plan, *, even_if_empty: bool = False) -> list[Result]:
        if plan.is_empty and not even_if_empty:
            return plan.results
        self._holdings.write(
            [entry for entry, _ in plan.inserts.values()],
            [data for _, data in plan.inserts.values()],
            gone=plan.gone,
            seen=plan.seen,
            sequence=plan.sequence,
            created=plan.created,
        )
        self._evicted += plan.evicted
        self._uncounted += plan.uncounted
        return plan.results

    def _make_room(self) -> None:
        while damaged := self._room.provide():
            self._reports += self._give_up(damaged)

    def _fetch(self, ticket: int, fetch: Fetch) -> list[Result]:
        entry = self._catalogue.entries.get(fetch.sequence)
        if entry is None or entry.kind not in {Kind.BUNDLE, Kind.TOMBSTONE}:
            return [Missing(ticket, fetch.sequence)]
        try:
            return [Fetched(ticket, fetch.sequence, self._holdings.read(entry))]
        except DamagedError:
            return [*self._give_up([entry]), Missing(ticket, fetch.sequence)]

    def _scrub(self, ticket: int, scrub: Scrub) -> list[Result]:
        numbers = sorted(self._catalogue.entries)
        start = bisect_right(numbers, self._scrubbed)
        chosen = [*numbers[start:], *numbers[:start]][: scrub.count]
        damaged = []
        for number in chosen:
            entry = self._catalogue.entries[number]
            try:
                if entry.kind != Kind.SEEN:
                    self._holdings.read(entry)
            except DamagedError:
                damaged.append(entry)
            self._scrubbed = number
        results: list[Result] = list(self._give_up(damaged)) if damaged else []
        mended = self._holdings.mend(chosen)
        if mended:
            results.append(Report(UNSOLICITED, Trouble.MENDED, mended))
        return [*results, Scrubbed(ticket, len(chosen))]

    def _give_up(self, damaged: list[Entry]) -> list[Result]:
        self._quarantine.copy(*sorted({self._holdings.path(entry) for entry in damaged}))
        plan = self._plan()
        results = _bury_damaged(plan, damaged)
        self._commit(plan)
        return results


def _bury_damaged(plan: Plan, damaged: list[Entry]) -> list[Result]:
    buried = plan.bury([e for e in damaged if e.kind == Kind.BUNDLE], Reason.CORRUPT)
    plan.forget([e for e in damaged if e.kind != Kind.BUNDLE])
    return [Report(UNSOLICITED, Trouble.ROWS_DAMAGED, len(damaged)), *buried]
