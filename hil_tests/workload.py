"""A seeded life of a store, and what must be true of it whatever happened to its medium."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - this file is where seeded chance is made

from flight.relay.settings import StoreSettings
from flight.relay.store.records import read_tombstone
from flight.relay.store.values import (
    Buried,
    Delete,
    Duplicate,
    Entry,
    Fetch,
    Fetched,
    Kind,
    Medium,
    Missing,
    Operation,
    Put,
    Reason,
    Report,
    Result,
    Scrub,
    Stored,
    Trouble,
)


def small_settings(directory: Path, *, quota_bytes: int = 300_000) -> StoreSettings:
    """Sizes at which everything happens soon: further files, evictions, cleaning."""
    return StoreSettings(
        directory,
        quota_bytes=quota_bytes,
        received_quota_bytes=quota_bytes * 2 // 3,
        reserve_bytes=1 << 17,
        segment_bytes=1 << 16,
        seen_limit=50,
    )


@dataclass
class Model:
    """What the results so far promise."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    """Data by identity: acknowledged, and not let go."""
    gone: set[bytes] = field(default_factory=set)
    """Let go, acknowledged."""
    limbo: set[bytes] = field(default_factory=set)
    """Asked for or let go without an answer yet: either way is right."""
    sequences: dict[int, bytes] = field(default_factory=dict)
    known: dict[bytes, bytes] = field(default_factory=dict)
    """Data by identity of everything ever asked for."""
    lost: list[Trouble] = field(default_factory=list)

    def copy(self) -> "Model":
        return Model(
            dict(self.held),
            set(self.gone),
            set(self.limbo),
            dict(self.sequences),
            dict(self.known),
            list(self.lost),
        )

    def found(self, entries: tuple[Entry, ...]) -> None:
        """Learn from an opened store what became of that which had no answer yet."""
        here = {e.identity: e.sequence for e in entries if e.kind == Kind.BUNDLE}
        for name in self.limbo:
            if name in here:
                self.held[name] = self.known[name]
            else:
                self.held.pop(name, None)
                self.gone.add(name)
        self.sequences = {number: name for name, number in here.items()}
        self.limbo.clear()

    def asked(self, operations: tuple[tuple[int, Operation], ...]) -> None:
        for _, operation in operations:
            if isinstance(operation, Put):
                self.known[operation.identity] = operation.data
                self.limbo.add(operation.identity)
            elif isinstance(operation, Delete):
                self.limbo.update(
                    self.sequences[number]
                    for number in operation.sequences
                    if number in self.sequences
                )

    def answered(
        self, operations: tuple[tuple[int, Operation], ...], results: list[Result]
    ) -> None:
        self.limbo.clear()
        by_ticket = dict(operations)
        for result in results:
            if isinstance(result, Stored):
                put = by_ticket[result.ticket]
                assert isinstance(put, Put)
                self.held[put.identity] = put.data
                self.sequences[result.entry.sequence] = put.identity
            elif isinstance(result, Buried):
                for number in result.sequences:
                    self._let_go(number)
            elif isinstance(result, Report):
                self.lost.append(result.trouble)
        for _, operation in operations:
            if isinstance(operation, Delete):
                for number in operation.sequences:
                    self._let_go(number)

    def _let_go(self, number: int) -> None:
        name = self.sequences.pop(number, None)
        if name is not None:
            self.held.pop(name, None)
            self.gone.add(name)


class Workload:
    """Draws batches of operations that fit what the store holds."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._names = 0

    def batch(self, model: Model) -> tuple[tuple[int, Operation], ...]:
        random = self._random
        operations: list[Operation] = []
        for _ in range(random.choice((1, 1, 1, 3, 10))):
            kind = random.random()
            numbers = list(model.sequences)
            if kind < 0.7 or not numbers:
                operations.append(self._put())
            elif kind < 0.9:
                chosen = tuple(random.sample(numbers, min(len(numbers), random.randrange(1, 4))))
                reason = random.choice((Reason.DONE, Reason.DONE, Reason.EXPIRED))
                operations.append(Delete(chosen, reason))
            elif kind < 0.97:
                operations.append(Fetch(random.choice(numbers)))
            else:
                operations.append(Scrub(10))
        return tuple(enumerate(operations, start=1))

    def _put(self) -> Put:
        random = self._random
        self._names += 1
        size = random.choice((10, 200, 1_000, 1_000, 3_000, 4_000, 20_000))
        return Put(
            random.randbytes(size),
            b"name %d" % self._names,
            b"label",
            random.randrange(4),
            0,
            1_000_000,
            received=random.random() < 0.5,
            created=self._names,
        )


@dataclass
class Finding:
    """What a store shows after something happened to it."""

    data: dict[bytes, bytes]
    tombstones: set[bytes]
    reports: list[Trouble]
    buried: int


def look(medium: Medium) -> Finding:
    """Read everything there is, check it, and write something."""
    entries = medium.load()
    reports = [r.trouble for r in medium.tidy() if isinstance(r, Report)]
    finding = Finding({}, set(), reports, 0)
    results = medium.apply(((1, Scrub(100_000)),))
    for entry in entries:
        results += medium.apply(((1, Fetch(entry.sequence)),))
        _note(finding, entry, results)
        results = []
    extra = Put(b"after", b"a new one", b"", 0, 0, 1)
    (last,) = (r for r in medium.apply(((1, extra),)) if r.ticket == 1)
    assert isinstance(last, Stored | Duplicate)
    return finding


def _note(finding: Finding, entry: Entry, results: list[Result]) -> None:
    for result in results:
        if isinstance(result, Fetched) and entry.kind == Kind.BUNDLE:
            finding.data[entry.identity] = result.data
        elif isinstance(result, Fetched):
            finding.tombstones.update(one.identity for one in read_tombstone(result.data)[1])
        elif isinstance(result, Buried):
            finding.buried += len(result.sequences)
        elif isinstance(result, Report):
            finding.reports.append(result.trouble)
        else:
            assert not isinstance(result, Missing) or finding.reports


def lost(model: Model, finding: Finding) -> list[bytes]:
    """Return the acknowledged bundles that are neither there nor named in a tombstone."""
    return [
        name
        for name in model.held
        if name not in finding.data and name not in finding.tombstones and name not in model.limbo
    ]


def wrong(model: Model, finding: Finding) -> list[bytes]:
    """Return the bundles that are there and should not be, or are not what was put."""
    return [
        name
        for name, data in finding.data.items()
        if model.known.get(name) != data or (name in model.gone and name not in model.limbo)
    ]


def fast_directory() -> str | None:
    """Memory, where there is some: these tests are about bytes and order."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
