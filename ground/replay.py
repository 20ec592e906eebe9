"""Repeat the board's decisions from its journal, and name the first one that differs.

Each entry is concluded and decided again by the functions that the board ran, from what the
journal says it was given, and its chained digest is recomputed. Agreement is claimed for what
was repeated and for nothing else: an entry that never came, and one whose tensors never came,
are counted as such and named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum

from flight.autonomy.decide import Memory, decide, remember
from flight.autonomy.tasks import conclude
from flight.product.journal import GENESIS, JournalEntry, enter
from flight.product.values import Decision, Finding
from ground.archive import Progress
from ground.inputs import Absent, Difference, Fault, Inputs, gather
from ground.library import Library
from ground.words import finding_words, verdict_name


class Outcome(Enum):
    """What became of one step."""

    AGREES = "agrees"
    DIVERGES = "diverges"
    UNCHECKED = "unchecked"
    """Something that the decision was made from is not here yet."""
    MISSING = "missing"
    """The entry itself is not here."""


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one step of one board, or of a run of missing ones."""

    node: int
    step: int
    last_step: int
    """The step itself, but for a run of missing entries."""
    outcome: Outcome
    what: str = ""
    """What diverges, or what is not here."""
    board: str = ""
    ground: str = ""

    @property
    def steps(self) -> int:
        """How many steps this speaks of."""
        return self.last_step - self.step + 1


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of every step."""

    checks: tuple[Check, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many steps had this outcome."""
        return sum(check.steps for check in self.checks if check.outcome is outcome)

    @property
    def first_divergence(self) -> Check | None:
        """Return the first step at which ground and board disagree."""
        return next((c for c in self.checks if c.outcome is Outcome.DIVERGES), None)

    @property
    def identical(self) -> bool:
        """Whether there was something to repeat, all of it is here, and all of it agrees."""
        return bool(self.checks) and all(c.outcome is Outcome.AGREES for c in self.checks)


def replay(library: Library, progress: Progress | None = None) -> Replay:
    """Repeat every decision of every board in the archive."""
    total = sum(len(entries) for entries in library.logbook.entries.values())
    checks: list[Check] = []
    for node in library.nodes:
        for check in _Board(library, node).run():
            checks.append(check)
            if progress is not None:
                progress(min(len(checks), total), total)
    return Replay(tuple(checks))


class _Board:
    """One board's journal, with the state that its decisions carry from step to step."""

    def __init__(self, library: Library, node: int) -> None:
        self._library = library
        self._node = node
        self._memory = Memory()
        self._digest: bytes | None = GENESIS
        """Of the step before; None: it has not arrived."""
        self._gap = False
        """An entry is missing, and with it what the board remembered of its sensor."""
        self._known: set[str] = set()
        """Sensors whose memory is certain again since the last gap."""

    def run(self) -> Iterator[Check]:
        """Yield what became of each step, in order."""
        entries = self._library.logbook.entries.get(self._node, {})
        expected = 0
        for number in sorted(entries):
            if number > expected:
                yield Check(
                    self._node, expected, number - 1, Outcome.MISSING, "entry has not arrived"
                )
                self._digest, self._gap, self._known = None, True, set()
            yield self._check(entries[number])
            expected = number + 1
        for number, header in enumerate(self._library.unlogged(self._node), expected):
            what = f"entry of {header.sensor} frame {header.frame_number} has not arrived"
            yield Check(self._node, number, number, Outcome.MISSING, what)

    def _check(self, entry: JournalEntry) -> Check:
        step, decision = entry.step, entry.decision
        faults = [*self._chain(entry), *self._repeat(entry)]
        # Go on from what the board did: one divergence must not drag a tail of others behind it.
        self._memory = remember(self._memory, step.sensor, decision)
        self._digest = entry.digest
        if decision.keep_frame:
            self._known.add(step.sensor)
        for fault in faults:
            if isinstance(fault, Difference):
                outcome, what = Outcome.DIVERGES, fault.what
                board, ground = fault.board, fault.ground
                return Check(self._node, step.number, step.number, outcome, what, board, ground)
        if faults:
            what = "; ".join(fault.what for fault in faults)
            return Check(self._node, step.number, step.number, Outcome.UNCHECKED, what)
        return Check(self._node, step.number, step.number, Outcome.AGREES)

    def _chain(self, entry: JournalEntry) -> list[Fault]:
        if self._digest is None:
            return [Absent("the chain's link before it has not arrived")]
        digest = enter(self._digest, entry.step, entry.decision).digest
        if digest != entry.digest:
            return [Difference("chained digest", entry.digest.hex(), digest.hex())]
        return []

    def _repeat(self, entry: JournalEntry) -> list[Fault]:
        step, board = entry.step, entry.decision
        inputs = gather(self._library, self._node, step)
        if not isinstance(inputs, Inputs):
            return [inputs]
        try:
            findings = conclude(inputs.frame, inputs.outputs, step.no_answer, inputs.policy)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Inputs that no board of ours makes; the next step must still be repeated.
            return [Difference("findings", "as in its entry", f"cannot be concluded: {error}")]
        if findings != board.findings:
            return [_findings_differ(board.findings, findings)]
        _, decision = decide(
            self._memory,
            inputs.decisions,
            sensor=step.sensor,
            frame_number=step.frame_number,
            findings=findings,
            frame_bytes=step.frame_bytes,
            room_bytes=step.room_bytes,
        )
        certain = not self._gap or step.sensor in self._known
        # What the board remembered is not known: only the verdict, which it has no part in, counts.
        if not certain and decision.verdict == board.verdict:
            return [Absent("what the board remembered of earlier frames has not arrived")]
        return _decisions_differ(board, decision)


def _findings_differ(board: tuple[Finding, ...], ground: tuple[Finding, ...]) -> Difference:
    for index in range(max(len(board), len(ground))):
        ours = finding_words(ground[index]) if index < len(ground) else "none"
        theirs = finding_words(board[index]) if index < len(board) else "none"
        if index >= min(len(board), len(ground)) or board[index] != ground[index]:
            break
    return Difference(f"finding {index}", theirs, ours)


def _decisions_differ(board: Decision, ground: Decision) -> list[Fault]:
    for field in fields(Decision):
        theirs, ours = getattr(board, field.name), getattr(ground, field.name)
        if theirs != ours:
            name = field.name.replace("_", " ")
            if field.name == "verdict":
                theirs, ours = verdict_name(theirs), verdict_name(ours)
            return [Difference(name, str(theirs), str(ours))]
    return []
