"""The committed terrain model: what its card says is so."""

import json
from pathlib import Path

import numpy as np
import pytest

from flight.autonomy.terrain import TerrainPolicy, conclude, prepare
from flight.board.card import read_card
from flight.board.known_answer import disagreement, pattern
from flight.board.runtime import has_golden_kernels, load
from flight.product.values import Kind
from models.terrain import data, descents, evaluate, sites
from models.terrain.scoring import (
    Tally,
    auc,
    expected_losses,
    hazard_threshold,
    safe_area,
    site_threshold,
    tally,
)
from models.terrain.sites import choose, distances
from tools.sim.terrain import FIRST, make_scene

FOLDER = Path(evaluate.__file__).parent


@pytest.mark.parametrize("kernels", ["reference", "fast"])
def test_the_model_gives_its_known_answers(kernels: str) -> None:
    card = read_card(FOLDER)
    runtime = load((FOLDER / "model.tflite").read_bytes(), kernels)  # type: ignore[arg-type]
    outputs = runtime.invoke(pattern(card.input.shape, card.known_answer.seed))
    exact = kernels == "reference" and has_golden_kernels()
    assert disagreement(card.known_answer, outputs, exact=exact) is None


def test_the_model_fits_its_budget() -> None:
    assert (FOLDER / "model.tflite").stat().st_size <= 100_000


def test_the_calibrated_thresholds_find_sites_and_no_hazard_on_a_few_scenes() -> None:
    policy = read_card(FOLDER).policy_as(TerrainPolicy)
    runtime = load((FOLDER / "model.tflite").read_bytes())
    named = 0
    for seed in range(12):
        scene = make_scene(np.random.default_rng((99, seed)), FIRST)
        tensor = prepare(data.frame_of(scene))
        assert tensor is not None
        finding = conclude(scene.frame.shape, runtime.invoke(tensor), policy)[0]
        if finding.kind == Kind.SAFE_SITE:
            named += 1
            assert not scene.truth.hazard[finding.row // 4, finding.column // 4]
    assert named


def test_one_frame_in_five_of_training_is_of_half_the_size() -> None:
    scenes = data.training(10, 1)
    assert scenes.inputs.shape == (10, 256, 256, 1)
    assert scenes.danger.shape == (10, 64, 64)
    # A widened frame has next to nothing that turns faster than every four pixels.
    power = (np.abs(np.fft.rfft(scenes.inputs[..., 0], axis=2)) ** 2).mean(axis=1)
    fast = power[:, 64:].sum(axis=1) / power[:, 1:].sum(axis=1)
    assert fast[-2:].max() < fast[:8].min()


def test_the_model_sees_more_than_the_classical_detectors() -> None:
    scenes = data.draw(FIRST, seed=98, count=8)
    metrics = {
        judged.scorer.name: evaluate.on_scenes(judged, scenes, distances(scenes.hazard))
        for judged in evaluate.candidates(FOLDER)
    }
    model = metrics.pop("int8")["hazard_auc"][0]
    assert model == pytest.approx(metrics.pop("float")["hazard_auc"][0], rel=0.02)
    assert all(model > other["hazard_auc"][0] for other in metrics.values())


def test_counts_give_the_area_under_the_curve_of_all_pairs() -> None:
    rng = np.random.default_rng(1)
    hazard = rng.random((3, 64, 64)) < 0.2
    scores = np.clip(rng.normal(20 * hazard, 30), -128, 127).astype(np.int8)
    counts = tally(scores, hazard)
    some, other = scores[hazard].astype(int), scores[~hazard].astype(int)
    pairs = some[:, None] - other[None, :]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert auc(counts.hazard.sum(0), counts.safe.sum(0)) == pytest.approx(expected)


def test_the_safe_area_is_what_is_left_when_99_of_100_hazards_are_flagged() -> None:
    hazard, safe = np.zeros(256, np.int64), np.zeros(256, np.int64)
    hazard[10], hazard[200] = 1, 99
    safe[5], safe[20], safe[220] = 50, 30, 20
    assert safe_area(hazard, safe) == pytest.approx(0.8)
    hazard[10] = 2
    assert safe_area(hazard, safe) == pytest.approx(0.5)


def test_a_threshold_keeps_its_bound_on_new_scenes() -> None:
    rng = np.random.default_rng(2)

    def scenes(count: int) -> Tally:
        hazard = rng.random((count, 64, 64)) < 0.05
        shift = rng.normal(0, 8, (count, 1, 1))
        noise = rng.normal(0, 20, hazard.shape)
        scores = np.clip(60 * hazard + shift + noise - 30, -128, 127).astype(np.int8)
        return tally(scores, hazard)

    missed = []
    for _ in range(20):
        threshold = hazard_threshold(scenes(60), false_safe=0.05)
        fresh = scenes(40)
        losses = fresh.hazard[:, : threshold + 129].sum(1) / fresh.hazard.sum(1)
        missed.append(losses.mean())
    assert np.mean(missed) <= 0.055


def test_too_few_scenes_promise_nothing() -> None:
    assert [expected_losses(count, 0.001) for count in (500, 998, 1000, 6000)] == [-1, -1, 0, 5]
    safe = np.zeros(500, bool)
    assert site_threshold(np.full(500, -90), safe, most_losses=-1) == -129
    assert site_threshold(np.full(500, -90), safe, most_losses=0) == 127


def test_a_site_threshold_counts_the_losses_that_its_scenes_can_stand() -> None:
    scores, unsafe = np.repeat(np.arange(-100, 0), 100), np.zeros(10_000, bool)
    unsafe[[4_050, 4_150, 4_250, 4_350, 4_450]] = True
    assert site_threshold(scores, unsafe, most_losses=4) == scores[4_450] - 1
    assert site_threshold(scores, np.zeros(10_000, bool), most_losses=4) == 127


def test_a_site_must_be_safe_in_each_calibration_world() -> None:
    hazard = np.zeros((1_000, 64, 64), bool)
    hazard[:, 0] = True
    scores = np.full((1_000, 64, 64, 3), -100, np.int8)
    scores[:, 0] = 100
    easy = sites.Trial(scores, hazard, np.full(hazard.shape, 900))
    hard = sites.Trial(scores, hazard, np.zeros(hazard.shape, np.int64))
    assert sites.calibrate([easy]).site_threshold == 127
    assert sites.calibrate([easy, hard]).site_threshold == -101


@pytest.mark.parametrize("content", ["nothing", "text", "small", "short"])
def test_a_height_model_of_the_wrong_form_gets_a_clear_error(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dem.npz"
    if content == "text":
        path.write_text("not an archive")
    elif content == "small":
        np.savez(path, height_m=np.zeros((64, 64)), posting_m=1.0)
    elif content == "short":
        np.savez(path, height_m=np.zeros((300, 300)))
    assert evaluate.main(["--dem", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_images_without_boxes_get_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    assert evaluate.main(["--images", str(tmp_path)]) == 2
    assert "no .png or .pgm" in capsys.readouterr().err
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(tmp_path / "a.png")
    assert evaluate.main(["--images", str(tmp_path)]) == 2
    assert "no crater boxes" in capsys.readouterr().err


def test_the_report_has_the_promised_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:300, :300]
    height = 20 * np.sin(rows / 25) * np.cos(columns / 30) + rng.normal(0, 0.05, (300, 300))
    path = tmp_path / "dem.npz"
    np.savez(path, height_m=height.astype(np.float32), posting_m=np.float32(1.0))
    assert evaluate.main(["--dem", str(path), "--scenes", "4", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 4
    for scorer in (report["int8"], report["float"], *report["baselines"].values()):
        assert {"hazard_auc", "safe_area_at_99_recall", "false_safe_sites"} <= scorer.keys()
        assert scorer["hazard_auc"].keys() == {"value", "low", "high"}


def test_descents_are_told_by_camera_alone_and_with_ranges() -> None:
    landings = np.array(
        [
            # named and unsafe: by the fine look alone, by both looks, with ranges; possible
            [0, 0, 1, 0, 1, 0, 1],
            [1, 1, 1, 1, 1, 0, 1],
            [0, 0, 0, 0, 1, 0, 1],
            [0, 0, 0, 0, 0, 0, 0],
        ],
        bool,
    )
    told = descents.shares(landings)
    assert told["camera"]["unsafe_sites"][0] == 0.25
    assert told["camera"]["site_success"][0] == pytest.approx(1 / 3, abs=1e-4)
    assert told["fine_look_alone"]["site_success"][0] == 0.0
    assert told["with_range_image"]["site_success"][0] == 1.0
    assert told["with_range_image"]["right_that_none"][0] == 1.0


def test_ground_without_a_safe_site_is_what_it_says() -> None:
    scenes = data.draw(data.NOWHERE, seed=97, count=8)
    safe = (distances(scenes.hazard) > data.FOOTPRINT**2).any(axis=(1, 2))
    assert safe.sum() <= 2
    choices = choose(
        np.full((8, 64, 64, 3), 100, np.int8), distances(scenes.hazard), TerrainPolicy()
    )
    assert not choices.named.any()
    assert np.array_equal(choices.possible, safe)
