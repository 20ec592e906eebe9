"""Reading a log that may be damaged: what is sound, what is lost, what has to be written again.

Every trouble is told. The commits of a log form a chain (each names the one before), the last one
says how many entries there are, and the high-water mark outside says how far the chain went. A
power cut can only tear the last commit, and only before it was acknowledged: the mark, written
after the sync, is not that far. The same tear in a commit that the mark knows is damage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flight.relay.store.log import Log, LogFile, Place
from flight.relay.store.records import (
    MAGIC,
    Commit,
    Head,
    Ledger,
    crc_of,
    read_commit,
    read_head,
)
from flight.relay.store.values import UNSOLICITED, Entry, Kind, Report, Trouble, stub_of


@dataclass(frozen=True, slots=True)
class Read:
    """One commit as it was found."""

    file: LogFile
    head: Head
    commit: Commit
    damaged: frozenset[int]
    """Numbers of entries whose data fail their CRC."""
    is_worn: bool
    """One of the two heads is damaged."""

    @property
    def is_whole(self) -> bool:
        """Whether every byte that counts is as it was written."""
        return not (self.damaged or self.is_worn)

    def is_torn(self, mark: Ledger) -> bool:
        """Whether a power cut may have torn it: the mark does not know it yet."""
        return not self.is_whole and self.commit.ledger.commit > mark.commit


@dataclass(slots=True)
class Found:
    """What a log holds."""

    entries: dict[int, tuple[Entry, Place]] = field(default_factory=dict)
    """By number, oldest first; damaged ones too."""
    damaged: list[int] = field(default_factory=list)
    """Numbers of entries whose data fail their CRC."""
    ledger: Ledger = field(default_factory=Ledger)
    """The last commit's."""
    used: dict[int, LogFile] = field(default_factory=dict)
    """Files by their generation."""
    at: int = 0
    """Where the next commit goes in the newest."""
    newest: int = 0
    """The newest generation that was ever begun, used or not."""
    suspects: list[LogFile] = field(default_factory=list)
    """Files in which something is newly wrong."""
    scars: list[int] = field(default_factory=list)
    """Numbers of commits that are worn, or before which others are missing: told, once."""
    again: list[Read] = field(default_factory=list)
    """Commits to be written again: worn ones, and the last, which a failed sync may have left in
    the kernel's memory only."""
    reports: list[Report] = field(default_factory=list)

    def tell(self, trouble: Trouble, count: int) -> None:
        """Add a report where there is something to count."""
        if count:
            self.reports.append(Report(UNSOLICITED, trouble, count))


def recover(log: Log, mark: Ledger) -> Found:
    """Return what the files of a log hold, compared with what they ought to hold.

    Raises:
        OSError: the medium fails, rather than being damaged.
    """
    everything = [read for file in log.present for read in read_file(file, log.whole(file))]
    found = Found(newest=max((read.head.generation for read in everything), default=0))
    chain, unfinished = _chain(everything, mark)
    if chain:
        _replay(found, chain)
        _examine(found, chain)
    found.tell(Trouble.COMMITS_LOST, max(mark.commit - found.ledger.commit, 0))
    if chain:
        _compare(found, chain[-1].commit.living)
    found.tell(Trouble.UNFINISHED, unfinished)
    return found


def read_file(file: LogFile, content: bytes) -> Iterator[Read]:
    """Yield the commits of a file's present generation, in their order."""
    first = read_head(content, 0)
    if first is None or first.offset != 0:
        first = max(_search(content, 0, None), key=lambda head: head.generation, default=None)
    at = 0
    while first is not None:
        head = find_head(content, at, first.generation)
        if head is None:
            return
        yield _check(file, content, head)
        at = head.end


def find_head(content: bytes, at: int, generation: int) -> Head | None:
    """Return the head of the commit at a place, or of the next behind it that has a sound one.

    Past a generation's end there is only what an earlier one left, or half a commit.
    """
    head = read_head(content, at, generation=generation)
    if head is not None and head.offset == at:
        return head
    return next((h for h in _search(content, at, generation) if h.offset >= at), None)


def _search(content: bytes, at: int, generation: int | None) -> Iterator[Head]:
    """Yield every sound head from a place on, of a generation, first and second copies alike."""
    while (at := content.find(MAGIC, at)) >= 0:
        head = read_head(content, at, generation=generation)
        if head is not None:
            yield head
        at += 1


def _check(file: LogFile, content: bytes, head: Head) -> Read:
    commit = read_commit(head)
    at = head.data_at
    damaged = set()
    for entry, check in zip(commit.entries, commit.checks, strict=True):
        if crc_of(content[at : at + entry.length]) != check:
            damaged.add(entry.sequence)
        at += entry.length
    both = content[head.offset : head.data_at], content[at : at + len(head.raw)]
    return Read(file, head, commit, frozenset(damaged), is_worn=both != (head.raw, head.raw))


def _chain(everything: list[Read], mark: Ledger) -> tuple[list[Read], int]:
    """Return the commits that the last one is built on, and how many entries were taken back.

    The last one is the last of the last life. What a power cut tore before it is not: the next
    life went on from the one before, in whatever file, and may not have written over it.
    """
    everything.sort(key=lambda read: (read.commit.ledger.boots, read.commit.ledger.commit))
    unfinished = 0
    while everything and everything[-1].is_torn(mark):
        unfinished += len(everything.pop().commit.entries)
    if not everything:
        return [], unfinished
    last = everything[-1]
    kept = [last]
    everything.sort(key=lambda read: (read.commit.ledger.commit, read.commit.ledger.boots))
    for read in reversed(everything):
        is_needed = read.head.generation >= last.commit.oldest
        if is_needed and read.commit.ledger.commit <= kept[-1].commit.after:
            kept.append(read)
    return kept[::-1], unfinished


def _replay(found: Found, chain: Sequence[Read]) -> None:
    entries = found.entries
    damaged: dict[int, bool] = {}
    for read in chain:
        for number in read.commit.seen:
            known = entries.get(number)
            if known is not None:
                entries[number] = (stub_of(known[0]), known[1])
        for number in read.commit.gone:
            entries.pop(number, None)
        at = read.head.data_at
        for entry, check in zip(read.commit.entries, read.commit.checks, strict=True):
            entries[entry.sequence] = entry, (read.head.generation, read.head.offset, at, check)
            damaged[entry.sequence] = entry.sequence in read.damaged
            at += entry.length
        found.used[read.head.generation] = read.file
    found.entries = dict(sorted(entries.items()))
    found.damaged = [
        number
        for number, (entry, _) in found.entries.items()
        if damaged[number] and entry.kind != Kind.SEEN
    ]
    found.ledger, found.at = chain[-1].commit.ledger, chain[-1].head.end


def _examine(found: Found, chain: Sequence[Read]) -> None:
    """Look for commits that are missing before others, and for worn ones; tell what is new."""
    known = frozenset(chain[-1].commit.scars)
    before = chain[0].commit.after
    if (chain[0].head.generation, chain[0].head.offset) != (chain[-1].commit.oldest, 0):
        before -= 1  # one at least
    lost = mended = 0
    for read in chain:
        number, gap = read.commit.ledger.commit, read.commit.after - before
        before = number
        if gap or read.is_worn:
            found.scars.append(number)
        if number not in known:
            lost += max(gap, 0)
            mended += read.is_worn
            if gap or not read.is_whole:
                found.suspects.append(read.file)
            found.again += [read] if read.is_worn and read is not chain[-1] else []
    found.again.append(chain[-1])
    found.tell(Trouble.COMMITS_LOST, lost)
    found.tell(Trouble.MENDED, mended)


def _compare(found: Found, living: int) -> None:
    there = len(found.entries)
    found.tell(Trouble.ROWS_MISSING, max(living - there, 0))
    if there != living and not found.reports:
        found.tell(Trouble.LEDGER_MISMATCH, there)
