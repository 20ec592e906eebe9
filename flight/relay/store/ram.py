"""The store without a medium: the last resort, so that telemetry never stops, and for tests."""

from collections.abc import Mapping

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import Catalogue
from flight.relay.store.homecoming import Refuge
from flight.relay.store.plan import Plan
from flight.relay.store.values import (
    Entry,
    Fetch,
    Fetched,
    Kind,
    Missing,
    Operation,
    Put,
    Reason,
    Result,
    Scrub,
    Scrubbed,
    StoreStatus,
)


class RamMedium:
    """The same rules as on disk; nothing outlives the process."""

    def __init__(
        self, settings: StoreSettings, *, sequence: int = 0, created: int = 0, boots: int = 0
    ) -> None:
        """Begin empty, with numbers after those that a failed disk gave out."""
        self._settings = settings
        self._catalogue = Catalogue(settings)
        self._data: dict[int, bytes] = {}
        self._sequence = sequence
        self._commits = 0
        self._evicted = 0
        self._uncounted = 0
        self.created = created
        self.boots = boots

    def load(self) -> tuple[Entry, ...]:
        """Return every bundle and tombstone, oldest first."""
        return kept(self._catalogue)

    def apply(self, operations: tuple[tuple[int, Operation], ...]) -> list[Result]:
        """Do (ticket, operation) pairs."""
        plan = Plan(self._catalogue, self._settings, self._sequence, self.created)
        results = plan.results
        for ticket, operation in operations:
            if isinstance(operation, Fetch):
                data = self._read(plan, operation.sequence)
                results.append(
                    Missing(ticket, operation.sequence)
                    if data is None
                    else Fetched(ticket, operation.sequence, data)
                )
            elif isinstance(operation, Scrub):
                results.append(Scrubbed(ticket, 0))
            elif isinstance(operation, Put):
                plan.put(ticket, operation)
            else:
                plan.delete(ticket, operation)
        self._keep(plan)
        return results

    def tidy(self) -> list[Result]:
        """Nothing waits."""
        return []

    def refuge(self, gone: Mapping[int, Reason]) -> Refuge:
        """Return all that is here, and what was let go elsewhere, to be put on a medium."""
        kinds = {Kind.BUNDLE, Kind.TOMBSTONE, Kind.SEEN}
        entries = [e for e in self._catalogue.entries.values() if e.kind in kinds]
        kept_here = [(entry, self._data.get(entry.sequence, b"")) for entry in entries]
        return Refuge(kept_here, gone, self._sequence, self.created)

    def status(self) -> StoreStatus:
        """Return the counters."""
        return describe(
            self._catalogue, self._commits, self._evicted, self._uncounted, degraded=True
        )

    def close(self) -> None:
        """Forget everything."""
        self._data.clear()

    def _read(self, plan: Plan, sequence: int) -> bytes | None:
        if sequence in plan.inserts:
            return plan.inserts[sequence][1]
        gone = sequence in plan.gone or sequence in plan.seen
        return None if gone else self._data.get(sequence)

    def _keep(self, plan: Plan) -> None:
        self._sequence, self.created = plan.sequence, plan.created
        self._evicted += plan.evicted
        self._uncounted += plan.uncounted
        self._commits += not plan.is_empty
        for sequence in (*plan.gone, *plan.seen):
            self._data.pop(sequence, None)
        for sequence, (entry, data) in plan.inserts.items():
            if entry.kind != Kind.SEEN:
                self._data[sequence] = data


def kept(catalogue: Catalogue) -> tuple[Entry, ...]:
    """Return the bundles and tombstones of a catalogue, oldest first."""
    kinds = {Kind.BUNDLE, Kind.TOMBSTONE}
    return tuple(entry for entry in catalogue.entries.values() if entry.kind in kinds)


def describe(
    catalogue: Catalogue, commits: int, evicted: int, uncounted: int, *, degraded: bool
) -> StoreStatus:
    """Return a catalogue's counters."""
    return StoreStatus(
        bundles=catalogue.count(Kind.BUNDLE),
        used_bytes=catalogue.used_bytes,
        received_bytes=catalogue.received_bytes,
        tombstones=catalogue.count(Kind.TOMBSTONE),
        seen=catalogue.count(Kind.SEEN),
        commits=commits,
        evicted=evicted,
        uncounted=uncounted,
        degraded=degraded,
    )
