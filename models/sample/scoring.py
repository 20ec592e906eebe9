"""What a judge's verdicts are worth, and thresholds that keep a promise.

A judge gives each case eight heads as int8, as the model does; flight's own ``conclude`` makes
findings of them. So the model, its float twin, the ablations and the classical methods are all
counted by the same rule, with the same guards.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import STEPS, Head, SamplePolicy, conclude, may_be_shut
from flight.product.values import Finding, Kind
from models.bootstrap import Interval
from models.sample.data import Cases

Heads = NDArray[np.int8]
"""(N, 8)"""
Report = dict[str, dict[str, float | None]]

GUARDED = SamplePolicy()
UNGUARDED = SamplePolicy(
    most_gap_um=1 << 40,
    most_tilt_um=1 << 40,
    most_jump_um=1 << 40,
    least_gap_um=-(1 << 40),
    least_force_n=0,
)
"""For comparison only: no guard forbids anything."""

FALSE_SEALED = 1e-3
"""Bound that calibration keeps in each of its worlds, the rough one too."""
FALSE_OPEN = 0.02
"""Share of tight canisters that calibration lets be called open rather than left unanswered."""


def findings_of(heads: Heads, cases: Cases, policy: SamplePolicy) -> list[tuple[Finding, ...]]:
    """Return flight's findings on each case; an unusable frame has none."""
    telemetry = cases.inputs[:, STEPS:]
    return [
        conclude((heads[i : i + 1], telemetry[i : i + 1]), policy) if cases.usable[i] else ()
        for i in range(len(heads))
    ]


def metrics(heads: Heads, cases: Cases, policy: SamplePolicy) -> Report:
    """Return every metric with its 95 % interval (Clopper & Pearson 1934: exact for shares)."""
    found = findings_of(heads, cases, policy)
    kinds = [{f.kind for f in row} for row in found]
    answered = np.array([bool(row) and Kind.NO_ANSWER not in row for row in kinds])
    said_sealed = np.array([Kind.SEALED in row for row in kinds])
    said = np.array([_cause(row) for row in kinds])
    truth = _truth(cases)
    brackets = np.array(
        [next((f.label for f in row if f.kind is Kind.ACQUIRED), 0) for row in found]
    )
    spilled = np.array([Kind.SPILL in row for row in kinds])
    acquired = np.array([Kind.ACQUIRED in row for row in kinds])
    jammed = np.array([Kind.JAM in row for row in kinds])
    shares = {
        "false_sealed_rate": said_sealed[~cases.sealed],
        "no_answer_rate": ~answered,
        "accuracy": (said == truth)[answered],
        "false_open_rate": (answered & ~said_sealed)[cases.sealed],
        "false_acquired_rate": acquired[~cases.acquired & answered],
        "amount_accuracy": (brackets == cases.bracket)[answered],
        "spill_accuracy": (spilled == cases.spilled)[answered],
        "jam_recall": jammed[cases.jammed & answered],
    }
    return {name: share(flags).plain() for name, flags in shares.items()}


def calibrate(
    heads: Sequence[Heads], worlds: Sequence[Cases], guards: SamplePolicy = GUARDED
) -> SamplePolicy:
    """Return ``guards`` with thresholds that keep both bounds in every world."""
    sealed = max(
        sealed_threshold(rows, cases, guards) for rows, cases in zip(heads, worlds, strict=True)
    )
    opened = min(map(open_threshold, heads, worlds))
    return replace(guards, sealed_threshold=sealed, open_threshold=min(opened, sealed))


def sealed_threshold(heads: Heads, cases: Cases, guards: SamplePolicy) -> int:
    """Return the lowest threshold whose expected share of false "sealed" stays within the bound.

    Conformal risk control (Angelopoulos et al. 2024): an open case's loss is 1 where it is called
    sealed; with n open cases, (losses + 1) / (n + 1) bounds the expected loss of the next one
    from the same world. What the guards forbid is no loss at any threshold.
    """
    opened = ~cases.sealed
    allowed = int(FALSE_SEALED * (opened.sum() + 1)) - 1
    if allowed < 0:
        return 127
    at_risk = opened & cases.usable & _allowed(cases, guards)
    raw = np.sort(heads[at_risk, Head.SEALED].astype(np.int64))[::-1]
    return int(raw[allowed]) if len(raw) > allowed else -128


def open_threshold(heads: Heads, cases: Cases) -> int:
    """Return the highest threshold that calls at most FALSE_OPEN of the tight ones open."""
    raw = np.sort(heads[cases.usable & cases.sealed, Head.SEALED].astype(np.int64))
    return max(int(raw[int(FALSE_OPEN * len(raw))]) - 1, -128)


def share(flags: NDArray[np.bool_]) -> Interval:
    """Return the share of True with its exact 95 % interval; NaN where there are no cases."""
    count, hits = len(flags), int(flags.sum())
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"))
    low = 0.0 if hits == 0 else _chance_at_which(0.025, hits, count)
    high = 1.0 if hits == count else _chance_at_which(0.975, hits + 1, count)
    return Interval(hits / count, low, high)


def _chance_at_which(wanted: float, hits: int, count: int) -> float:
    """Return the chance a trial at which ``hits`` or more of ``count`` come with that chance."""
    numbers = np.arange(hits, count + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    ways = logs[count] - logs[numbers] - logs[count - numbers]
    low, high = 1e-12, 1 - 1e-12
    for _ in range(45):
        chance = (low + high) / 2
        each = ways + numbers * np.log(chance) + (count - numbers) * np.log1p(-chance)
        low, high = (chance, high) if np.exp(each).sum() < wanted else (low, chance)
    return (low + high) / 2


def _allowed(cases: Cases, guards: SamplePolicy) -> NDArray[np.bool_]:
    return np.array([may_be_shut(rows, guards) for rows in cases.inputs[:, STEPS:]])


_CAUSES = (Kind.JAM, Kind.SEAL_OBSTRUCTED, Kind.NOT_ACQUIRED, Kind.SEALED)
"""What a verdict is named after, the gravest first."""


def _cause(kinds: set[Kind]) -> int:
    return next((int(kind) for kind in _CAUSES if kind in kinds), 0)


def _truth(cases: Cases) -> NDArray[np.int64]:
    conditions = [cases.jammed, cases.obstructed, ~cases.acquired]
    return np.select(conditions, [int(kind) for kind in _CAUSES[:3]], int(Kind.SEALED))
