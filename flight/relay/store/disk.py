"""The durable medium: rows in sqlite, blobs in segment files, the mark beside them.

One call of apply is one transaction. Its order: blobs are written, blobs are synced while the rows
are committed, then the mark is written, and only then are results returned and freed places
given out again.
"""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import Catalogue
from flight.relay.store.files import Files
from flight.relay.store.highwater import HighWater
from flight.relay.store.homecoming import Refuge, bring_home
from flight.relay.store.packer import Packer
from flight.relay.store.plan import Plan
from flight.relay.store.quarantine import Quarantine
from flight.relay.store.ram import describe, kept
from flight.relay.store.records import (
    WEIGHT_MODULUS,
    DamagedError,
    Ledger,
    Row,
    crc_of,
)
from flight.relay.store.recovery import (
    Found,
    Site,
    drop_overwritten,
    open_database,
    rewrite_last_blobs,
)
from flight.relay.store.reserve import Reserve, is_full
from flight.relay.store.schema import Connect
from flight.relay.store.segments import SegmentFiles
from flight.relay.store.table import Table
from flight.relay.store.values import (
    UNSOLICITED,
    Delete,
    Entry,
    Extent,
    Fetch,
    Fetched,
    Kind,
    Missing,
    Operation,
    Put,
    Reason,
    Report,
    Result,
    Scrub,
    Scrubbed,
    StoreStatus,
    Trouble,
)


class DiskMedium:
    """A directory with a database, a mark, segment files, a reserve and a quarantine."""

    def __init__(self, settings: StoreSettings, files: Files, connect: Connect) -> None:
        """Open the directory, or make it; repair what can be repaired and report the rest.

        Raises:
            BusyError: another process owns it.
            DurabilityError, sqlite3.Error, OSError: the medium fails.
        """
        self._settings = settings
        self._files = files
        directory = settings.directory
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "bundles.db"
        self._quarantine = Quarantine(files, directory / "quarantine", settings.quarantine_limit)
        self._reserve = Reserve(files, directory / "reserve", settings.reserve_bytes)
        self._weights: dict[int, int] = {}
        self._catalogue = Catalogue(settings)
        self._evicted = self._uncounted = self._scrubbed = 0
        with ExitStack() as opened:
            self._high_water = HighWater(files, directory / "highwater")
            opened.callback(self._high_water.close)
            self._segment_limit = settings.quota_bytes // settings.segment_bytes + 2
            self._segments = SegmentFiles(files, directory, settings.segment_bytes)
            self._segments.limit = self._segment_limit
            opened.callback(self._segments.close)
            if not self._path.exists():
                self._high_water.begin()
            mark, unsound = self._high_water.read()
            # Rows of little more than half a page leave the rest of it unused.
            self._max_bytes = 2 * settings.quota_bytes + (16 << 20)
            site = Site(self._path, files, self._quarantine, connect, self._max_bytes)
            connection, found = open_database(site, mark or Ledger())
            self._table = Table(connection, files, self._path, log_limit=settings.wal_bytes)
            opened.callback(self._table.close)
            self.reports = found.reports
            found.tell(Trouble.HIGH_WATER_DAMAGED, unsound)
            self._begin(found, mark or Ledger())
            self._opened = opened.pop_all()

    @property
    def boots(self) -> int:
        """How often this store was opened."""
        return self._ledger.boots

    @property
    def created(self) -> int:
        """The highest creation sequence number that a Put brought."""
        return self._ledger.created

    @property
    def sequence(self) -> int:
        """The last entry's number."""
        return self._ledger.sequence

    def load(self) -> tuple[Entry, ...]:
        """Return every bundle and tombstone, oldest first."""
        return kept(self._catalogue)

    def apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        """Do (ticket, operation) pairs in one transaction; return once they are durable.

        Raises:
            sqlite3.Error, OSError: the medium fails; nothing is done, and this object is of no
                further use.
        """
        plan = self._plan()
        results: list[Result] = []
        reads: list[tuple[int, Fetch | Scrub]] = []
        for ticket, operation in operations:
            if isinstance(operation, Put):
                results.extend(plan.put(ticket, operation))
            elif isinstance(operation, Delete):
                results.extend(plan.delete(ticket, operation))
            else:
                reads.append((ticket, operation))
        self._commit(plan)
        for ticket, read in reads:
            results.extend(
                self._fetch(ticket, read) if isinstance(read, Fetch) else self._scrub(ticket, read)
            )
        return results

    def take_in(self, refuge: Refuge) -> list[Result]:
        """Put what was kept elsewhere while this failed in one transaction, or raise as apply."""
        plan = self._plan()
        results = bring_home(plan, refuge)
        self._commit(plan)
        return results

    def tidy(self) -> list[Result]:
        """Move the log into the database when it is half full; win the reserve back.

        Raises:
            sqlite3.Error, OSError: the medium fails.
        """
        if self._table.checkpoint():
            self._high_water.sync()
        if not self._reserve.is_there and self._reserve.is_affordable and self._reserve.make():
            self._catalogue.quota_bytes = self._settings.quota_bytes
            self._segments.limit = self._segment_limit
            self._table.limit(self._max_bytes)
        return []

    def give_reserve(self) -> int:
        """Give the reserve back to the file system; return how many bytes may stay."""
        self._reserve.give()
        eighth = self._settings.reserve_bytes // 8
        used = min(self._catalogue.used_bytes, self._catalogue.quota_bytes)
        return max(used - eighth, 4 * eighth)

    def tighten(self, quota_bytes: int) -> None:
        """Live on a full file system: evict down to a quota, and let no file grow.

        Raises:
            sqlite3.Error: the log cannot be moved into the database.
        """
        self._catalogue.quota_bytes = quota_bytes
        self._segments.limit = 0
        self._table.limit(0)

    def status(self) -> StoreStatus:
        """Return the counters."""
        return describe(
            self._catalogue, self._ledger.commit, self._evicted, self._uncounted, degraded=False
        )

    def close(self) -> None:
        """Let the files go, whatever state they are in."""
        self._opened.close()

    def _begin(self, found: Found, mark: Ledger) -> None:
        drop_overwritten(found, self._segments)
        for row in found.rows.values():
            self._catalogue.add(row.entry)
            if row.entry.sequence not in found.restored:
                self._weights[row.entry.sequence] = row.weight
        extents = [e.extent for e in self._catalogue.entries.values() if e.extent is not None]
        self._segments.claim(extents)
        self._total = sum(self._weights.values()) % WEIGHT_MODULUS
        last = max((*found.rows, *found.damaged, mark.sequence), default=0)
        self._ledger = Ledger(
            commit=max(found.ledger.commit, mark.commit),
            sequence=last,
            created=max(found.ledger.created, mark.created),
            boots=max(found.ledger.boots, mark.boots) + 1,
        )
        plan = self._plan()
        plan.deletes.update(found.damaged, found.restored)
        torn = rewrite_last_blobs(found, self._segments)
        if torn and mark.commit >= found.ledger.commit:
            plan.bury(torn, Reason.CORRUPT)
            found.tell(Trouble.ROWS_DAMAGED, len(torn))
        else:
            plan.forget(torn)
            found.tell(Trouble.UNFINISHED, len(torn))
        plan.stamp()
        self._commit(plan, [found.rows[number] for number in found.restored])
        self._high_water.write_both(self._ledger)
        self._table.extend_log()
        if self._reserve.is_affordable:
            self._reserve.make()

    def _plan(self) -> Plan:
        ledger = self._ledger
        return Plan(
            self._catalogue, self._settings, self._allocate, ledger.sequence, ledger.created
        )

    def _allocate(self, length: int) -> Extent | None:
        try:
            return self._segments.allocate(length)
        except OSError as error:
            if not is_full(error):
                raise
            return None

    def _commit(self, plan: Plan, restored: Sequence[Row] = ()) -> None:
        if not plan.finish():
            return
        for entry, data in plan.inserts.values():
            if entry.extent is not None:
                self._segments.write(entry.extent, data)
        self._segments.start_sync()
        packer = Packer(self._weights, self._total, self._ledger, plan.created)
        for sequence in plan.deletes:
            packer.forget(sequence)
        for row in restored:
            packer.insert(row.entry, row.data, row.data_crc)
        for stub in plan.updates.values():
            packer.update(stub)
        for entry, data in plan.inserts.values():
            if entry.extent is None:
                packer.insert(entry, data, 0)
            else:
                packer.insert(entry, b"", crc_of(data))
        self._table.write(plan.deletes, packer.updates, packer.finish())
        self._segments.finish_sync()
        self._ledger, self._total = packer.ledger, packer.total
        self._high_water.write(self._ledger)
        for extent in plan.freed:
            self._segments.free(extent)
        self._evicted += plan.evicted
        self._uncounted += plan.uncounted

    def _fetch(self, ticket: int, fetch: Fetch) -> list[Result]:
        entry = self._catalogue.entries.get(fetch.sequence)
        if entry is None or entry.kind not in {Kind.BUNDLE, Kind.TOMBSTONE}:
            return [Missing(ticket, fetch.sequence)]
        try:
            return [Fetched(ticket, fetch.sequence, self._read(entry))]
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
                self._read(entry)
            except DamagedError:
                damaged.append(entry)
            self._scrubbed = number
        results: list[Result] = list(self._give_up(damaged)) if damaged else []
        return [*results, Scrubbed(ticket, len(chosen))]

    def _read(self, entry: Entry) -> bytes:
        row = self._table.read(entry.sequence)
        if row.entry != entry:
            raise DamagedError(f"entry {entry.sequence}: another one in its place")
        if entry.extent is None:
            return row.data
        blob = self._segments.read(entry.extent)
        if len(blob) != entry.length or crc_of(blob) != row.data_crc:
            raise DamagedError(f"entry {entry.sequence}: blob CRC")
        return blob

    def _give_up(self, damaged: list[Entry]) -> list[Result]:
        self._quarantine.copy(self._path)
        plan = self._plan()
        buried = plan.bury([e for e in damaged if e.kind == Kind.BUNDLE], Reason.CORRUPT)
        plan.forget([e for e in damaged if e.kind != Kind.BUNDLE])
        self._commit(plan)
        return [Report(UNSOLICITED, Trouble.ROWS_DAMAGED, len(damaged)), *buried]
