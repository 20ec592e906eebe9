"""From findings to a decision. Pure: the same inputs give the same bytes, anywhere.

The net only ranks. What it could not answer is never taken for good news: a camera frame
without an answer yields no site, a spectrum without one yields no phase, a sample without one no
ascent, and the frame itself is kept for people to look at.

A whole frame is sent as exactly as the link has room for: lossless, with a bounded error, or not
yet. What was put off stays aboard, where the ground may ask for it, and the sensor's next frame
is due instead.
"""

from dataclasses import dataclass

from flight.product.values import ROOM_UNKNOWN, Decision, Finding, Kind, Verdict


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """What an operator may choose; loaded once, at boot. All integers: replay needs no float."""

    keep_every_frames: int = 6
    """Send one whole frame of a sensor in this many, whatever is seen; 0: never."""
    keep_unanswered: bool = True
    """Send the first frame of a run of frames without an answer."""
    keep_anomalous: bool = True
    """Send the whole frame in which the first anomaly, or fault of a sample, of a run is found."""
    evidence_findings: int = 32
    """Most anomalies whose evidence is sent, a frame."""
    lossless_percent: int = 60
    """What a lossless frame is reckoned to take of the link's room, in percent of its raw size."""
    bounded_percent: int = 35
    """The same for a frame with a bounded error."""
    bounded_error: int = 2
    """Largest error of a sample, in counts, where a lossless frame has no room; 0: never."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.keep_every_frames < 0 or not 0 <= self.evidence_findings <= 1024:
            raise ValueError(
                "keep_every_frames must be 0 or more, evidence_findings within 0 and 1024"
            )
        if not 1 <= self.bounded_percent <= self.lossless_percent <= 200:
            raise ValueError("bounded_percent and lossless_percent must rise within 1 and 200")
        if not 0 <= self.bounded_error <= 255:
            raise ValueError("bounded_error must lie within 0 and 255")


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
    (Kind.STRANGE_SPECTRUM, Verdict.ANOMALY),
    (Kind.NO_SAFE_SITE, Verdict.NO_SAFE_SITE),
    (Kind.SAFE_SITE, Verdict.SITE_CHOSEN),
    (Kind.PHASE, Verdict.SURVEYED),
    (Kind.OXIDE, Verdict.SURVEYED),
    (Kind.ELEMENT, Verdict.SURVEYED),
    (Kind.JAM, Verdict.SAMPLE_FAULT),
    (Kind.SEAL_OBSTRUCTED, Verdict.SAMPLE_FAULT),
    (Kind.NOT_ACQUIRED, Verdict.SAMPLE_FAULT),
    (Kind.SEALED, Verdict.SAMPLE_SEALED),
)
"""The first kind found gives the verdict: doubt before alarm before result."""


def decide(
    memory: Memory,
    policy: DecisionPolicy,
    *,
    sensor: str,
    frame_number: int,
    findings: tuple[Finding, ...],
    frame_bytes: int,
    room_bytes: int = ROOM_UNKNOWN,
) -> tuple[Memory, Decision]:
    """Decide what to do with one frame's findings.

    ``frame_bytes`` is the frame's raw size, ``room_bytes`` what the link can still carry.
    """
    kinds = {finding.kind for finding in findings}
    verdict = next((v for kind, v in _VERDICTS if kind in kinds), Verdict.NOTHING_NEW)
    before = memory.of(sensor)
    due = policy.keep_every_frames > 0 and (
        before.since_kept < 0 or before.since_kept + 1 >= policy.keep_every_frames
    )
    news = verdict != before.last
    wanted = (
        due
        or (policy.keep_unanswered and news and verdict == Verdict.NO_ANSWER)
        or (policy.keep_anomalous and news and verdict in (Verdict.ANOMALY, Verdict.SAMPLE_FAULT))
    )
    error = _affordable_error(policy, frame_bytes, room_bytes) if wanted else None
    decision = Decision(
        frame_number=frame_number,
        verdict=verdict,
        keep_evidence=verdict in (Verdict.SITE_CHOSEN, Verdict.ANOMALY, Verdict.SURVEYED),
        keep_frame=error is not None,
        findings=findings,
        maximum_error=error or 0,
    )
    return remember(memory, sensor, decision), decision


def _affordable_error(policy: DecisionPolicy, frame_bytes: int, room_bytes: int) -> int | None:
    """Return the error with which a whole frame fits the link's room; None: it does not fit."""
    if room_bytes == ROOM_UNKNOWN or frame_bytes * policy.lossless_percent <= room_bytes * 100:
        return 0
    if policy.bounded_error and frame_bytes * policy.bounded_percent <= room_bytes * 100:
        return policy.bounded_error
    return None


def remember(memory: Memory, sensor: str, decision: Decision) -> Memory:
    """Return the memory after a decision; a restart rebuilds it from the journal by this alone."""
    before = memory.of(sensor)
    since = 0 if decision.keep_frame else before.since_kept + (before.since_kept >= 0)
    return memory.with_sensor(sensor, SensorMemory(since_kept=since, last=decision.verdict))
