import numpy as np
import pytest

from flight.autonomy.bands import GRID_PM, WEIGHT_SUM, covers, resampling, support
from flight.autonomy.mineral import (
    MARGIN_ENTRIES,
    OUTLINE_CHANNEL,
    SCORE_BITS,
    SUPPORT_CHANNEL,
    MineralPolicy,
    Phase,
    angles,
    anomaly_scores,
    conclude,
    prepare,
    read_pixels,
)
from flight.instant import Instant
from flight.product.values import Finding, Frame, Kind, NoAnswer, SensorKind

NOW = Instant(0, 0)
M3_LIKE = tuple(range(540_000, 2_976_000, 29_000))


def cube(samples, axis, kind=SensorKind.CUBE):
    return Frame("spectrometer", kind, 0, NOW, np.asarray(samples, np.uint16), axis)


def policy(**changed):
    """A score that is the sixth logit plus the angle."""
    given = {
        "confidence_permille": tuple(400 + 9 * entry for entry in range(MARGIN_ENTRIES)),
        "strange_weight": 1 << SCORE_BITS,
        "angle_weight": 1 << SCORE_BITS,
        "usual_angle": 32,
        "anomaly_threshold": 16 * 5,
    }
    return MineralPolicy(**(given | changed))


def outputs(best, margins, strange=0, likeness=127):
    logits = np.full((len(best), 6), -128, np.int8)
    logits[np.arange(len(best)), best] = np.asarray(margins) - 128
    logits[:, 5] = strange
    return logits, np.broadcast_to(likeness, len(best)).astype(np.int8)[:, None]


@pytest.mark.parametrize(
    "axis",
    [M3_LIKE, tuple(range(450_000, 2_451_000, 5_000)), (450_000, 700_000, 900_000, 1_000_000,
     1_250_000, 2_000_000, 2_400_000), tuple(reversed(M3_LIKE))],
)  # fmt: skip
def test_resampling_keeps_a_straight_line_and_shares_out_exactly_one(axis):
    weights = resampling(axis)
    assert (weights.sum(axis=1) == WEIGHT_SUM).all()
    assert (weights >= 0).all()
    line = np.asarray(axis) / 1000
    got = weights @ line / WEIGHT_SUM
    used = [a for a in axis if a <= 2_500_000]
    want = np.clip(np.asarray(GRID_PM), min(used), max(used)) / 1000
    assert np.abs(got - want).max() < 7


def test_bands_beyond_2500_nm_are_not_looked_at():
    samples = np.full((len(M3_LIKE), 2, 3), 9000)
    tilted = samples * np.linspace(0.5, 1, len(M3_LIKE))[:, None, None]
    hot = tilted.copy()
    hot[np.asarray(M3_LIKE) > 2_500_000] = 60_000
    assert np.array_equal(prepare(cube(tilted, M3_LIKE)), prepare(cube(hot, M3_LIKE)))


def test_brightness_does_not_matter_but_shape_does():
    wave = np.asarray(M3_LIKE) / 1e6
    dip = 20_000 * (1 - 0.4 * np.exp(-(((wave - 0.95) / 0.1) ** 2)))
    pixels = np.stack([dip, dip / 3, np.full_like(dip, 20_000)], axis=1)[:, None]
    tensor = prepare(cube(pixels, M3_LIKE))
    assert tensor.shape == (3, 1, len(GRID_PM), 4)
    assert tensor.dtype == np.int8
    assert np.abs(tensor[0].astype(int) - tensor[1]).max() <= 1
    assert np.abs(np.linalg.norm(tensor[..., OUTLINE_CHANNEL].astype(int), axis=2) - 316).max() < 4
    near_1_um = [abs(centre - 950_000) < 60_000 for centre in GRID_PM]
    assert tensor[0, 0, near_1_um, :SUPPORT_CHANNEL].max() < -10
    assert not tensor[2, ..., :SUPPORT_CHANNEL].any()


def test_a_gap_in_the_bands_is_shown_as_a_gap():
    axis = (*range(500_000, 1_000_000, 25_000), *range(1_500_000, 2_500_000, 25_000))
    near = support(axis)
    at = {pm: int(value) for pm, value in zip(GRID_PM, near, strict=True)}
    assert at[500_000] == at[2_400_000] == 127
    assert at[475_000] == 85
    assert at[1_025_000] == 43
    assert at[1_200_000] == at[1_400_000] == 0
    tensor = prepare(cube(np.full((len(axis), 1, 2), 3000), axis))
    assert (tensor[:, 0, :, SUPPORT_CHANNEL] == near).all()


@pytest.mark.parametrize(
    "frame",
    [
        cube(np.ones((10, 2, 2)), tuple(range(10))),
        cube(np.ones((10, 2, 2)), tuple(range(500_000, 590_000, 10_000))),
        cube(np.zeros((20, 2, 2)), tuple(range(500_000, 2_500_000, 100_000))),
        cube(np.ones((20, 2)), tuple(range(500_000, 2_500_000, 100_000))),
        cube(np.ones((20, 2, 2)), (500_000, 900_000)),
        cube(np.ones((20, 2, 0)), tuple(range(500_000, 2_500_000, 100_000))),
        cube(np.ones((20, 2, 2)), tuple(range(500_000, 2_500_000, 100_000)), SensorKind.CAMERA),
    ],
)
def test_an_unusable_cube_is_refused(frame):
    assert prepare(frame) is None


def test_a_dead_pixel_is_shown_as_a_flat_spectrum():
    samples = np.full((20, 1, 2), 1000) * np.linspace(0.5, 1, 20)[:, None, None]
    samples[:, 0, 1] = 0
    tensor = prepare(cube(samples, tuple(range(500_000, 2_500_000, 100_000))))
    assert tensor[0].any()
    assert not tensor[1].any()


def test_confidence_comes_from_the_table_and_a_small_margin_is_unsure():
    pixels = read_pixels(outputs([0, 3], [11, 200]), policy())
    assert pixels.confidence.tolist() == [445, 967]
    assert pixels.phase.tolist() == [Phase.UNSURE, Phase.PLAGIOCLASE]


def test_the_angle_is_the_root_of_what_likeness_lacks_in_sixteenths():
    assert angles(np.array([127, 126, 125, 111, -128], np.int8)).tolist() == [0, 16, 22, 64, 255]


def test_the_anomaly_score_is_the_weighted_sum_of_sixth_logit_and_angle():
    strange, likeness = np.array([5, -7], np.int8), np.array([127, 111], np.int8)
    assert anomaly_scores(strange, likeness, policy()).tolist() == [5, 57]
    other = policy(strange_weight=3 << SCORE_BITS, angle_weight=1 << SCORE_BITS - 2)
    assert anomaly_scores(strange, likeness, other).tolist() == [15, -5]


def test_where_the_bands_do_not_cover_the_range_a_usual_angle_stands_for_likeness():
    assert covers(M3_LIKE)
    assert covers((2_100_000, 900_000, 1_500_000))
    assert not covers(tuple(range(450_000, 2_100_000, 10_000)))
    assert not covers(tuple(range(910_000, 2_500_000, 10_000)))
    assert not covers(())
    strange = outputs([1], [200], strange=10, likeness=-128)
    assert read_pixels(strange, policy()).anomaly.tolist() == [10 + 255]
    assert read_pixels(strange, policy(), covered=False).anomaly.tolist() == [10 + 32]
    here = conclude((83, 1, 1), strange, policy(anomaly_threshold=200), axis=M3_LIKE)
    assert [f.kind for f in here] == [Kind.PHASE, Kind.ANOMALY, Kind.NO_ANSWER]
    short = tuple(range(500_000, 1_000_000, 10_000))
    there = conclude((83, 1, 1), strange, policy(anomaly_threshold=200), axis=short)
    assert [f.kind for f in there] == [Kind.PHASE]


def test_no_phase_is_read_from_the_sixth_logit():
    pixels = read_pixels(outputs([1], [200], strange=127), policy())
    assert pixels.phase.tolist() == [Phase.HIGH_CA_PYROXENE]
    assert pixels.anomaly.tolist() == [127]


def test_findings_tell_phases_then_the_strangest_pixels_then_what_is_not_known():
    got = conclude(
        (83, 2, 2), outputs([2, 2, 4, 1], [180, 220, 240, 3], likeness=[127, 0, 126, 90]),
        policy(), axis=M3_LIKE,
    )  # fmt: skip
    assert [(f.kind, f.label, f.extent) for f in got] == [
        (Kind.PHASE, Phase.UNSURE, 1),
        (Kind.PHASE, Phase.OLIVINE, 2),
        (Kind.PHASE, Phase.OTHER, 1),
        (Kind.ANOMALY, Phase.OLIVINE, 0),
        (Kind.ANOMALY, Phase.UNSURE, 1),
    ]
    assert [(f.row, f.column) for f in got if f.kind is Kind.ANOMALY] == [(0, 1), (1, 1)]


def test_a_cube_that_is_mostly_strange_is_out_of_distribution():
    got = conclude(
        (83, 1, 3),
        outputs([0] * 3, [200] * 3, likeness=0),
        policy(anomaly_limit=2),
        axis=M3_LIKE,
    )
    assert sum(f.kind is Kind.ANOMALY for f in got) == 2
    assert got[-1] == Finding(Kind.NO_ANSWER, extent=3, label=NoAnswer.OUT_OF_DISTRIBUTION)


def test_a_cube_of_which_little_is_sure_has_no_answer():
    got = conclude((83, 1, 3), outputs([0] * 3, [1, 2, 200]), policy(), axis=M3_LIKE)
    assert got[-1] == Finding(Kind.NO_ANSWER, extent=2, label=NoAnswer.LOW_CONFIDENCE)


def test_a_table_of_another_length_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        policy(confidence_permille=(1, 2))
