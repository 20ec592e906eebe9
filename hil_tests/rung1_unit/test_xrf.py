from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.decide import DecisionPolicy, Memory, decide
from flight.autonomy.oxides import BINS, DECADES, METALS, prepare
from flight.autonomy.tasks import conclude as conclude_task
from flight.autonomy.xrf import XrfPolicy, conclude
from flight.board.card import read_card, read_model
from flight.board.runtime import load
from flight.chosen import packaged_model
from flight.instant import Instant
from flight.product.values import Frame, Kind, NoAnswer, SensorKind, Verdict
from tools.sim.fluorescence import GAIN_MEV, OFFSET_MEV, make_spectrum

POLICY = XrfPolicy(
    centre=tuple(range(10_000, 90_000, 10_000)),
    step=(1_000_000,) * len(METALS),
    sigma=tuple(range(len(METALS) * len(DECADES))),
    typical=(100_000,) * len(METALS),
    redrawn=(0, 1000),
    most_misfit=(50, 40, 30, 20),
)
VOTES = np.array([[*range(-4, 4), *range(-4, 4)]], np.int8)


def frame(counts, axis=(0, 10_000)):
    return Frame("x", SensorKind.XRAY, 0, Instant(0, 0), np.asarray(counts, np.uint32), axis)


def soil(*, steel=0.0):
    counts = make_spectrum(np.random.default_rng(8), steel=steel)
    return frame(counts, axis=(OFFSET_MEV, GAIN_MEV))


def outputs(spectrum, *, votes=VOTES, off=0, where=slice(None)):
    """What a model says that knows the spectrum, but for ``off`` levels in some bins."""
    redrawn = prepare(spectrum).reshape(1, BINS).copy()
    redrawn[:, where] += off
    return votes, redrawn


def kinds(findings):
    return {finding.kind for finding in findings}


def test_abundance_and_error_come_from_the_policys_integers():
    flat = frame(np.full(2000, 500))
    found = [f for f in conclude(flat, outputs(flat), 0, POLICY) if f.kind is Kind.OXIDE]
    assert [f.label for f in found] == list(METALS)
    # Two votes of -4 to 3, a tenth of a root each, about roots of 1 to 8.
    roots = [10 * (i + 1) + 2 * (i - 4) for i in range(8)]
    assert [f.score for f in found] == [10 * max(root, 0) ** 2 for root in roots]
    assert [f.extent for f in found] == [4 * i + 1 for i in range(8)]


def test_of_what_there_is_more_of_the_error_is_larger_in_proportion():
    flat = frame(np.full(2000, 500))
    usual = replace(POLICY, typical=(1_000,) * 8, sigma=(100,) * 32)
    found = [f for f in conclude(flat, outputs(flat), 0, usual) if f.kind is Kind.OXIDE]
    assert [f.extent for f in found] == [max(100, f.score // 10) for f in found]


def test_an_abundance_below_zero_is_zero():
    flat = frame(np.full(2000, 500))
    low = conclude(flat, outputs(flat, votes=np.full((1, 16), -100, np.int8)), 0, POLICY)
    assert next(f.score for f in low if f.kind is Kind.OXIDE) == 0


def test_a_spectrum_that_the_model_cannot_redraw_is_strange_and_gets_no_oxides():
    flat = frame(np.full(2000, 500))
    found = conclude(flat, outputs(flat, off=2), 0, POLICY)
    assert Kind.OXIDE not in kinds(found)
    (strange,) = (f for f in found if f.kind is Kind.STRANGE_SPECTRUM)
    assert (strange.score, strange.extent) == (2 * 1000 // 16, 40)
    _, decision = decide(
        Memory(), DecisionPolicy(), sensor="x", frame_number=0, findings=found, frame_bytes=8192
    )
    assert decision.verdict is Verdict.ANOMALY


def test_where_a_spectrum_is_strange_is_told_in_electronvolts():
    flat = frame(np.full(2000, 500))
    found = conclude(flat, outputs(flat, off=-100, where=slice(111, 113)), 0, POLICY)
    (strange,) = (f for f in found if f.kind is Kind.STRANGE_SPECTRUM)
    assert strange.label == 960 + 40 * 111 + 20


def test_a_few_steps_of_rounding_are_not_strange():
    flat = frame(np.full(2000, 500))
    assert Kind.OXIDE in kinds(conclude(flat, outputs(flat, off=-100, where=[7]), 0, POLICY))


def test_what_matters_most_stands_first():
    found = conclude(soil(steel=0.3), outputs(soil(steel=0.3)), 0, POLICY)
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
    found = conclude(soil(steel=0.3), outputs(soil(steel=0.3)), 0, POLICY)
    assert Kind.METAL in kinds(found)
    _, decision = decide(
        Memory(), DecisionPolicy(), sensor="x", frame_number=0, findings=found, frame_bytes=8192
    )
    assert decision.verdict is Verdict.ANOMALY


def test_oxides_alone_make_a_survey():
    found = tuple(f for f in conclude(soil(), outputs(soil()), 0, POLICY) if f.kind is Kind.OXIDE)
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
    found = conclude(frame(np.full(2000, 3)), outputs(frame(np.full(2000, 3))), 0, POLICY)
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
    flat = frame(np.full(2000, 500))
    answer = load(read_model(folder, card.digest)).invoke(prepare(flat))
    assert Kind.STRANGE_SPECTRUM in kinds(conclude(flat, answer, 0, policy))
