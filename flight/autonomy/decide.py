"""From findings to a decision. Pure: the same inputs give the same bytes, anywhere.

The net only ranks. What it could not answer is never taken for good news: a camera frame
without an answer yields no site, a spectrum without one yields no phase, and the frame itself
is kept for people to look at.
"""

from dataclasses import dataclass

from flight.product.values import Decision, Finding, Kind, Verdict


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """What an operator may choose; loaded once, at boot. All integers: replay needs no float."""

    keep_every_frames: int = 6
    """Send one whole frame of a sensor in this many, whatever is seen; 0: never."""
    keep_unanswered: bool = True
    """Send the first frame of a run of frames without an answer."""
    keep_anomalous: bool = True
    """Send the whole frame in which the first anomaly of a run is found."""
    evidence_findings: int = 32
    """Most anomalies whose evidence is sent, a frame."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.keep_every_frames < 0 or not 0 <= self.evidence_findings <= 1024:
            raise ValueError(
                "keep_every_frames must be 0 or more, evidence_findings within 0 and 1024"
            )


@dataclass(frozen=True, slots=True)
class SensorMemory:
    """What a decision may know of the same sensor's earlier ones."""

    since_kept: int = -1
    """Frames since one was kept; -1: none was kept yet."""
    last: Verdict = Verdict.NOTHING_NEW


@dataclass(frozen=True, slots=True)
class Memory:
    """All that one decision may know of the ones before it."""

    sensors: tuple[tuple[str, SensorMemory], ...] = ()

    def of(self, sensor: str) -> SensorMemory:
        """Return what is remembered of a sensor."""
        return dict(self.sensors).get(sensor, SensorMemory())

    def with_sensor(self, sensor: str, memory: SensorMemory) -> "Memory":
        """Return this memory with one sensor's replaced."""
        return Memory(tuple(sorted({**dict(self.sensors), sensor: memory}.items())))


_VERDICTS = (
    (Kind.NO_ANSWER, Verdict.NO_ANSWER),
    (Kind.METAL, Verdict.ANOMALY),
    (Kind.ANOMALY, Verdict.ANOMALY),
    (Kind.NO_SAFE_SITE, Verdict.NO_SAFE_SITE),
    (Kind.SAFE_SITE, Verdict.SITE_CHOSEN),
    (Kind.PHASE, Verdict.SURVEYED),
    (Kind.OXIDE, Verdict.SURVEYED),
    (Kind.ELEMENT, Verdict.SURVEYED),
)
"""The first kind found gives the verdict: doubt before alarm before result."""


def decide(
    memory: Memory,
    policy: DecisionPolicy,
    *,
    sensor: str,
    frame_number: int,
    findings: tuple[Finding, ...],
) -> tuple[Memory, Decision]:
    """Decide what to do with one frame's findings."""
    kinds = {finding.kind for finding in findings}
    verdict = next((v for kind, v in _VERDICTS if kind in kinds), Verdict.NOTHING_NEW)
    before = memory.of(sensor)
    due = policy.keep_every_frames > 0 and (
        before.since_kept < 0 or before.since_kept + 1 >= policy.keep_every_frames
    )
    news = verdict != before.last
    keep_frame = (
        due
        or (policy.keep_unanswered and news and verdict == Verdict.NO_ANSWER)
        or (policy.keep_anomalous and news and verdict == Verdict.ANOMALY)
    )
    decision = Decision(
        frame_number=frame_number,
        verdict=verdict,
        keep_evidence=verdict in (Verdict.SITE_CHOSEN, Verdict.ANOMALY, Verdict.SURVEYED),
        keep_frame=keep_frame,
        findings=findings,
    )
    return remember(memory, sensor, decision), decision


def remember(memory: Memory, sensor: str, decision: Decision) -> Memory:
    """Return the memory after a decision; a restart rebuilds it from the journal by this alone."""
    before = memory.of(sensor)
    since = 0 if decision.keep_frame else before.since_kept + (before.since_kept >= 0)
    return memory.with_sensor(sensor, SensorMemory(since_kept=since, last=decision.verdict))
