from collections.abc import Sequence
from itertools import zip_longest

import pytest

from flight.autonomy.decide import DecisionPolicy, Memory, decide, remember
from flight.product.values import ROOM_UNKNOWN, Decision, Finding, Kind, NoAnswer, Verdict

SITE = Finding(Kind.SAFE_SITE, row=40, column=50, extent=9, score=-90)
HAZARD = Finding(Kind.HAZARD_AREA, score=300)
SILENCE = Finding(Kind.NO_ANSWER, label=NoAnswer.LATE)
STRANGE = Finding(Kind.ANOMALY, row=1, column=2, score=900)
PHASE = Finding(Kind.PHASE, extent=90, score=800, label=2)


FRAME_BYTES = 1000


def run(
    policy: DecisionPolicy, *frames: tuple[Finding, ...], rooms: Sequence[int] = ()
) -> list[Decision]:
    memory, decisions = Memory(), []
    for number, (findings, room) in enumerate(zip_longest(frames, rooms, fillvalue=ROOM_UNKNOWN)):
        memory, decision = decide(
            memory,
            policy,
            sensor="navcam",
            frame_number=number,
            findings=findings,
            frame_bytes=FRAME_BYTES,
            room_bytes=room,
        )
        decisions.append(decision)
    return decisions


def test_the_verdict_puts_doubt_before_alarm_before_result():
    quiet = DecisionPolicy(keep_every_frames=0)
    verdicts = [d.verdict for d in run(quiet, (HAZARD, SITE), (PHASE, STRANGE), (SITE, SILENCE))]
    assert verdicts == [Verdict.SITE_CHOSEN, Verdict.ANOMALY, Verdict.NO_ANSWER]
    assert run(quiet, (HAZARD,))[0].verdict is Verdict.NOTHING_NEW


def test_a_frame_without_an_answer_gives_no_site_and_no_evidence_but_is_kept_once():
    quiet = DecisionPolicy(keep_every_frames=0)
    decisions = run(quiet, (SILENCE,), (SILENCE,), (SITE,), (SILENCE,))
    assert [d.keep_frame for d in decisions] == [True, False, False, True]
    assert [d.keep_evidence for d in decisions] == [False, False, True, False]


def test_one_frame_in_so_many_is_kept_whatever_is_seen():
    kept = [d.keep_frame for d in run(DecisionPolicy(keep_every_frames=3), *[(SITE,)] * 7)]
    assert kept == [True, False, False, True, False, False, True]


def test_an_anomaly_keeps_the_first_frame_of_its_run():
    quiet = DecisionPolicy(keep_every_frames=0)
    kept = [d.keep_frame for d in run(quiet, (PHASE,), (STRANGE,), (STRANGE,), (PHASE,))]
    assert kept == [False, True, False, False]


def test_sensors_do_not_disturb_each_other():
    policy, memory = DecisionPolicy(keep_every_frames=2), Memory()
    kept = []
    for sensor in ("a", "b", "a", "b"):
        memory, decision = decide(
            memory, policy, sensor=sensor, frame_number=0, findings=(SITE,), frame_bytes=1
        )
        kept.append(decision.keep_frame)
    assert kept == [True, True, False, False]


def test_a_restart_remembers_from_the_decisions_alone():
    policy, memory, rebuilt = DecisionPolicy(keep_every_frames=4), Memory(), Memory()
    for number in range(9):
        findings = (STRANGE,) if number == 5 else (PHASE,)
        room = 0 if number in (0, 4) else ROOM_UNKNOWN
        memory, decision = decide(
            memory,
            policy,
            sensor="m3",
            frame_number=number,
            findings=findings,
            frame_bytes=FRAME_BYTES,
            room_bytes=room,
        )
        rebuilt = remember(rebuilt, "m3", decision)
        assert rebuilt == memory


@pytest.mark.parametrize(
    ("room_bytes", "keep_frame", "maximum_error"),
    [(600, True, 0), (599, True, 2), (350, True, 2), (349, False, 0), (0, False, 0)],
)
def test_a_frame_is_sent_as_exactly_as_the_link_has_room_for(
    room_bytes: int, keep_frame: bool, maximum_error: int
):
    (decision,) = run(DecisionPolicy(), (SITE,), rooms=[room_bytes])
    assert (decision.keep_frame, decision.maximum_error) == (keep_frame, maximum_error)


def test_a_link_that_tells_no_room_gets_lossless_frames():
    (decision,) = run(DecisionPolicy(), (SITE,), rooms=[ROOM_UNKNOWN])
    assert (decision.keep_frame, decision.maximum_error) == (True, 0)


def test_without_an_allowed_error_a_frame_waits_for_lossless_room():
    exact = DecisionPolicy(bounded_error=0)
    kept = [d.keep_frame for d in run(exact, *[(SITE,)] * 3, rooms=[599, 599, 600])]
    assert kept == [False, False, True]


def test_a_frame_that_was_put_off_leaves_the_next_one_due():
    policy = DecisionPolicy(keep_every_frames=3)
    rooms = [600, 600, 600, 0, 0, 600, 600]
    kept = [d.keep_frame for d in run(policy, *[(SITE,)] * 7, rooms=rooms)]
    assert kept == [True, False, False, False, False, True, False]
