import numpy as np
import pytest

from flight.autonomy.decide import DecisionPolicy, Memory, decide
from flight.autonomy.oxides import DECADES, METALS
from flight.autonomy.tasks import conclude as conclude_task
from flight.autonomy.xrf import XrfPolicy, conclude
from flight.board.card import read_card, read_model
from flight.board.runtime import load
from flight.chosen import packaged_model
from flight.instant import Instant
from flight.product.values import Frame, Kind, NoAnswer, SensorKind, Verdict
from tools.sim.fluorescence import GAIN_MEV, OFFSET_MEV, make_spectrum

POLICY = XrfPolicy(
    centre=tuple(range(1000, 9000, 1000)),
    step=(100_000,) * len(METALS),
    sigma=tuple(range(len(METALS) * len(DECADES))),
)
RAW = (np.arange(-4, 4, dtype=np.int8)[None],)


def frame(counts, axis=(0, 10_000)):
    return Frame("x", SensorKind.XRAY, 0, Instant(0, 0), np.asarray(counts, np.uint32), axis)


def soil(*, steel=0.0):
    counts = make_spectrum(np.random.default_rng(8), steel=steel)
    return frame(counts, axis=(OFFSET_MEV, GAIN_MEV))


def kinds(findings):
    return {finding.kind for finding in findings}


def test_abundance_and_error_come_from_the_policys_integers():
    found = conclude(frame(np.full(2000, 500)), RAW, 0, POLICY)
    found = [f for f in found if f.kind is Kind.OXIDE]
    assert [f.label for f in found] == list(METALS)
    assert [f.score for f in found] == [1000 * (i + 1) + 100 * (i - 4) for i in range(8)]
    assert [f.extent for f in found] == [4 * i + 1 for i in range(8)]


def test_an_abundance_below_zero_is_zero():
    low = conclude(frame(np.full(2000, 500)), (np.full((1, 8), -100, np.int8),), 0, POLICY)
    assert next(f.score for f in low if f.kind is Kind.OXIDE) == 0


def test_what_matters_most_stands_first():
    found = conclude(soil(steel=0.3), RAW, 0, POLICY)
    order = [Kind.METAL, Kind.OXIDE, Kind.ELEMENT]
    assert sorted(found, key=lambda f: order.index(f.kind)) == list(found)


def test_without_a_model_the_lines_speak_alone():
    found = conclude(soil(), (), 0, XrfPolicy())
    assert kinds(found) == {Kind.ELEMENT}


@pytest.mark.parametrize("reason", [NoAnswer.LATE, NoAnswer.WORKER_DIED, NoAnswer.MODEL_REFUSED])
def test_a_model_that_does_not_answer_silences_only_itself(reason):
    found = conclude(soil(), (), reason, POLICY)
    assert kinds(found) == {Kind.ELEMENT, Kind.NO_ANSWER}
    assert found[0].label == reason


def test_a_tool_in_the_beam_is_an_alarm_whatever_the_model_says():
    found = conclude(soil(steel=0.3), RAW, 0, POLICY)
    assert Kind.METAL in kinds(found)
    _, decision = decide(
        Memory(), DecisionPolicy(), sensor="x", frame_number=0, findings=found, frame_bytes=8192
    )
    assert decision.verdict is Verdict.ANOMALY


def test_oxides_alone_make_a_survey():
    found = tuple(f for f in conclude(soil(), RAW, 0, POLICY) if f.kind is Kind.OXIDE)
    _, decision = decide(
        Memory(), DecisionPolicy(), sensor="x", frame_number=0, findings=found, frame_bytes=8192
    )
    assert decision.verdict is Verdict.SURVEYED


def test_outputs_of_another_model_are_no_answer():
    (only,) = conclude_task(soil(), (np.zeros((1, 3), np.int8),), 0, POLICY)
    assert (only.kind, only.label) == (Kind.NO_ANSWER, NoAnswer.MODEL_REFUSED)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (frame(np.full(2000, 500), axis=()), NoAnswer.BAD_FRAME),
        (frame(np.full(2000, 500), axis=(0, 0)), NoAnswer.BAD_FRAME),
        (frame(np.zeros(8)), NoAnswer.BAD_FRAME),
        (frame(np.zeros((4, 512))), NoAnswer.BAD_FRAME),
        (frame(np.eye(1, 2000)[0]), NoAnswer.LOW_CONFIDENCE),
    ],
)
def test_what_cannot_be_judged_gets_no_answer_with_its_reason(bad, reason):
    (only,) = conclude(bad, (), 0, XrfPolicy())
    assert (only.kind, only.label) == (Kind.NO_ANSWER, reason)


def test_too_few_counts_for_the_error_table_give_no_oxides():
    found = conclude(frame(np.full(2000, 3)), RAW, 0, POLICY)
    assert [f.label for f in found if f.kind is Kind.NO_ANSWER] == [NoAnswer.LOW_CONFIDENCE]
    assert Kind.OXIDE not in kinds(found)


@pytest.mark.parametrize(
    "wrong", [{"centre": (1,), "step": (1,), "sigma": (1,)}, {"metals": (24,)}]
)
def test_tables_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|entries"):
        XrfPolicy(**wrong)


def test_the_packaged_model_fits_the_task():
    folder = packaged_model("xrf")
    card = read_card(folder)
    policy = card.policy_as(XrfPolicy)
    outputs = load(read_model(folder, card.digest)).invoke(np.zeros(card.input.shape, np.int8))
    assert Kind.OXIDE in kinds(conclude(frame(np.full(2000, 500)), outputs, 0, policy))
