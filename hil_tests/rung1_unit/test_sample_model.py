"""The committed sample model: what its card says is so."""

import json
from pathlib import Path

import numpy as np
import pytest

from flight.autonomy.sample import STEPS, Head, SamplePolicy, conclude
from flight.board.card import read_card
from flight.board.known_answer import disagreement, pattern
from flight.board.runtime import has_golden_kernels, load
from flight.product.values import Kind
from models.int8 import oracle
from models.sample import data, evaluate, scoring
from models.sample.judges import calibrated
from tools.sim.sample import TRAINING, Fault, World, make_case

FOLDER = Path(evaluate.__file__).parent


def cases(count: int, world: World = TRAINING, seed: int = 99) -> data.Cases:
    return data.draw(world, seed=seed, count=count)


@pytest.mark.parametrize("kernels", ["reference", "fast"])
def test_the_model_gives_its_known_answers(kernels: str) -> None:
    card = read_card(FOLDER)
    runtime = load((FOLDER / "model.tflite").read_bytes(), kernels)  # type: ignore[arg-type]
    outputs = runtime.invoke(pattern(card.input.shape, card.known_answer.seed))
    exact = kernels == "reference" and has_golden_kernels()
    assert disagreement(card.known_answer, outputs, exact=exact) is None


def test_the_model_fits_its_budget() -> None:
    assert (FOLDER / "model.tflite").stat().st_size <= 100_000


def test_the_model_hands_the_telemetry_through_as_it_was_given() -> None:
    inputs = pattern((1, *read_card(FOLDER).input.shape[1:]), 3)
    outputs = load((FOLDER / "model.tflite").read_bytes()).invoke(inputs)
    assert np.array_equal(outputs[1], inputs[:, STEPS:])


def test_the_oracle_computes_the_model_bit_for_bit() -> None:
    reader = pytest.importorskip("models.int8.reader", reason="needs the extra [train]")
    model = (FOLDER / "model.tflite").read_bytes()
    inputs = pattern(read_card(FOLDER).input.shape, 5)
    got = load(model, "reference").invoke(inputs)
    for tensor, expected in zip(got, oracle.run(reader.read(model), inputs), strict=True):
        assert np.array_equal(tensor, expected)


@pytest.mark.parametrize(("fault", "kind"), [
    (Fault.NONE, Kind.SEALED), (Fault.JAMMED_LID, Kind.JAM), (Fault.MISSED, Kind.NOT_ACQUIRED),
])  # fmt: skip
def test_plain_cases_are_named(fault: Fault, kind: Kind) -> None:
    policy = read_card(FOLDER).policy_as(SamplePolicy)
    runtime = load((FOLDER / "model.tflite").read_bytes())
    named = 0
    for seed in range(10):
        case = make_case(np.random.default_rng((98, seed)), World(faults=((fault, 1.0),)))
        inputs, usable = data.prepared([case.frame])
        found = conclude(runtime.invoke(inputs), policy) if usable[0] else ()
        named += kind in {finding.kind for finding in found}
    assert named >= 8


def test_no_grain_of_a_few_is_called_sealed() -> None:
    grains = cases(60, World(faults=((Fault.GRAIN, 1.0),)))
    (own,) = (judged for judged in calibrated(FOLDER) if judged.name == "int8")
    figures = scoring.metrics(own.judge(grains), grains, own.policy)
    assert figures["false_sealed_rate"]["value"] == 0.0


def test_the_evaluation_answers_in_the_documented_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = [make_case(np.random.default_rng((97, i))) for i in range(12)]
    path = tmp_path / "cases.npz"
    np.savez(
        path,
        frames=np.stack([case.frame for case in drawn]),
        gap_um=[case.truth.gap_um for case in drawn],
        mass_g=[case.truth.mass_g for case in drawn],
        spilled_g=[case.truth.spilled_g for case in drawn],
        jammed=[case.truth.jammed for case in drawn],
    )
    assert evaluate.main(["--frames", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 12
    for part in (report["int8"], report["float"], *report["baselines"].values()):
        assert {"false_sealed_rate", "no_answer_rate", "accuracy"} <= set(part)
        assert set(part["accuracy"]) == {"value", "low", "high"}
    assert {"picture_only", "telemetry_only", "limits", "logistic", "tree"} <= set(
        report["baselines"]
    )


@pytest.mark.parametrize(("arrays", "words"), [
    ({"frames": np.zeros((2, 9, 9), np.uint16)}, "lacks gap_um"),
    ({"frames": np.zeros((2, 9), np.uint16), "gap_um": [1, 2], "mass_g": [1, 2],
      "spilled_g": [1, 2], "jammed": [0, 0]}, "unsigned"),
    ({"frames": np.zeros((2, 9, 9), np.uint16), "gap_um": [1], "mass_g": [1, 2],
      "spilled_g": [1, 2], "jammed": [0, 0]}, "gap_um"),
])  # fmt: skip
def test_a_file_of_another_form_is_refused_in_words(
    arrays: dict[str, object], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.npz"
    np.savez(path, **arrays)
    assert evaluate.main(["--frames", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_exact_intervals_are_the_published_ones() -> None:
    # No event in 1,000 trials: 1 - 0.025 ** (1 / 1000). One in 10: R's binom.test(1, 10).
    none = scoring.share(np.zeros(1000, np.bool_))
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025**0.001, rel=1e-6))
    one = scoring.share(np.arange(10) == 0)
    assert one.low == pytest.approx(0.002528579, rel=1e-6)
    assert one.high == pytest.approx(0.4450161, rel=1e-6)


def test_the_sealed_threshold_keeps_its_bound() -> None:
    some = cases(60)
    heads = np.full((60, 8), -128, np.int8)
    heads[:, Head.SEALED] = np.arange(60)
    many = data.together([some] * 100)
    threshold = scoring.sealed_threshold(np.tile(heads, (100, 1)), many, scoring.UNGUARDED)
    opened = ~some.sealed & some.usable
    allowed = int(scoring.FALSE_SEALED * ((~many.sealed).sum() + 1)) - 1
    assert ((heads[opened, Head.SEALED] > threshold).sum()) * 100 <= max(allowed, 0)


def test_too_few_open_cases_allow_no_sealed_at_all() -> None:
    some = cases(40)
    heads = np.zeros((40, 8), np.int8)
    assert scoring.sealed_threshold(heads, some, scoring.GUARDED) == 127
