"""A sample frame's preparation, and the verdict from raw outputs."""

import numpy as np
import pytest

from flight.autonomy.sample import (
    AMOUNTS_G,
    CHANNELS,
    DEAD,
    FORCE,
    GAP_A,
    GAP_B,
    HEADS,
    PICTURE,
    SHOWN,
    STEPS,
    TELEMETRY,
    Head,
    SamplePolicy,
    conclude,
    courses,
    in_counts,
    prepare,
)
from flight.instant import Instant
from flight.product.values import Finding, Frame, Kind, NoAnswer, SensorKind

POLICY = SamplePolicy(sealed_threshold=40, open_threshold=-20)
COLUMNS = 192
TILT = len(CHANNELS)


def at_rest() -> np.ndarray:
    """Return telemetry of a canister that is shut and pressed."""
    rows = np.stack([np.full(COLUMNS, max(c.zero, 2930), np.uint16) for c in CHANNELS])
    rows[GAP_A] = rows[GAP_B] = np.linspace(28_192, 8_202, COLUMNS).astype(np.uint16)
    rows[[GAP_A, GAP_B], -16:] = 8_202
    rows[FORCE, -20:] = 8_192 + 6_000
    return rows


def frame(rows: np.ndarray, kind: SensorKind = SensorKind.SAMPLE) -> Frame:
    noise = np.random.default_rng(1).integers(50, 900, (192, COLUMNS)).astype(np.uint16)
    return Frame("sample", kind, 0, Instant(0, 0), np.concatenate([noise, rows]))


def outputs(rows: np.ndarray | None = None, **heads: int) -> tuple[np.ndarray, np.ndarray]:
    said = np.full((1, HEADS), -100, np.int8)
    for name, value in heads.items():
        said[0, Head[name.upper()]] = value
    shown = courses(at_rest() if rows is None else rows).astype(np.int8)
    return said, shown[None, :, :, None]


def kinds(findings: tuple[Finding, ...]) -> list[Kind]:
    return [finding.kind for finding in findings]


def test_a_frame_becomes_one_tensor_of_picture_and_telemetry() -> None:
    tensor = prepare(frame(at_rest()))
    assert tensor is not None
    assert tensor.shape == (1, STEPS + len(SHOWN), STEPS, 1)
    assert tensor.dtype == np.int8
    assert np.array_equal(tensor[0, STEPS:, :, 0], courses(at_rest()))


def test_what_the_model_is_shown_tells_a_gap_near_the_limit_to_three_micrometres() -> None:
    for gap in range(101):
        rows = at_rest()
        rows[GAP_A, -16:] = 8_192 + gap
        assert abs(int(in_counts(courses(rows).astype(np.int8))[GAP_A, -1]) - gap) <= 3


def test_a_sensors_offset_at_rest_is_taken_off() -> None:
    rows = at_rest()
    rows[FORCE] += 500
    assert np.array_equal(courses(rows), courses(at_rest()))


def test_lost_values_leave_the_course_as_it_was() -> None:
    rows = at_rest()
    rows[4, 50:60] = 0
    assert np.array_equal(courses(rows), courses(at_rest()))


def test_the_lean_is_taken_only_from_moments_at_which_both_gaps_arrived() -> None:
    rows = at_rest()
    rows[GAP_A, ::3] = 0
    assert not courses(rows)[TILT].any()


def test_a_channel_that_lost_most_of_its_values_is_shown_dead() -> None:
    rows = at_rest()
    rows[4, : COLUMNS * 3 // 4] = 0
    assert (courses(rows)[4] == DEAD).all()
    assert prepare(frame(rows)) is not None


@pytest.mark.parametrize("row", [GAP_A, GAP_B, FORCE])
def test_without_gaps_or_force_a_frame_is_unusable(row: int) -> None:
    rows = at_rest()
    rows[row] = 0
    assert prepare(frame(rows)) is None


@pytest.mark.parametrize("samples", [
    np.zeros((203, 192), np.uint16), np.zeros((11, 192), np.uint16), np.zeros((5, 5), np.uint8),
    np.zeros((203, 40), np.uint16), np.ones((203, 192, 1), np.uint16),
])  # fmt: skip
def test_what_is_no_sample_frame_gives_none(samples: np.ndarray) -> None:
    assert prepare(Frame("s", SensorKind.SAMPLE, 0, Instant(0, 0), samples)) is None


def test_a_camera_frame_is_no_sample_frame() -> None:
    assert prepare(frame(at_rest(), SensorKind.CAMERA)) is None


def test_a_frame_is_its_picture_and_its_telemetry() -> None:
    samples = frame(at_rest()).samples
    assert np.array_equal(samples[TELEMETRY], at_rest())
    assert len(samples[PICTURE]) + len(samples[TELEMETRY]) == len(samples)


def test_a_tight_canister_with_a_sample_is_told_with_its_amount() -> None:
    said, shown = outputs(sealed=90)
    said[0, :2] = 50
    found = conclude((said, shown), POLICY)
    assert kinds(found) == [Kind.SEALED, Kind.ACQUIRED]
    assert found[1].label == 2


def test_an_amount_counts_only_brackets_that_are_reached_without_a_gap() -> None:
    said, shown = outputs(sealed=90)
    said[0, : len(AMOUNTS_G)] = (50, -50, 50, 50)
    assert conclude((said, shown), POLICY)[1].label == 1


@pytest.mark.parametrize("sealed", [-19, 0, 40])
def test_between_the_thresholds_there_is_no_answer(sealed: int) -> None:
    found = conclude(outputs(sealed=sealed), POLICY)
    assert found == (Finding(Kind.NO_ANSWER, label=NoAnswer.LOW_CONFIDENCE),)


@pytest.mark.parametrize(("jam", "obstructed", "cause"), [
    (10, 60, Kind.SEAL_OBSTRUCTED), (60, 10, Kind.JAM), (-90, -80, Kind.SEAL_OBSTRUCTED),
])  # fmt: skip
def test_an_open_canister_always_has_a_cause(jam: int, obstructed: int, cause: Kind) -> None:
    found = conclude(outputs(sealed=-90, jam=jam, obstructed=obstructed), POLICY)
    assert kinds(found) == [cause, Kind.NOT_ACQUIRED]


def test_a_spill_and_a_jammed_scoop_are_told_beside_a_tight_canister() -> None:
    found = conclude(outputs(sealed=90, spill=20, jam=20), POLICY)
    assert kinds(found) == [Kind.SEALED, Kind.JAM, Kind.NOT_ACQUIRED, Kind.SPILL]


@pytest.mark.parametrize(("row", "columns", "value"), [
    (GAP_A, slice(-16, None), 8_192 + 300),
    (GAP_B, slice(-16, None), 8_192 - 90),
    (GAP_B, slice(60, 90), 20_000),
    (GAP_B, slice(100, None), None),
    (FORCE, slice(-20, None), 8_192 + 3_000),
], ids=["wide gap", "no gap", "lean on the way", "lost counts", "little force"])  # fmt: skip
def test_facts_that_need_no_model_forbid_sealed(
    row: int, columns: slice, value: int | None
) -> None:
    rows = at_rest()
    rows[row, columns] = rows[row, columns] - 60 if value is None else value
    assert kinds(conclude(outputs(rows, sealed=127), POLICY)) == [Kind.NO_ANSWER]
    assert Kind.SEALED in kinds(conclude(outputs(sealed=127), POLICY))


def test_a_policy_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="open_threshold"):
        SamplePolicy(sealed_threshold=0, open_threshold=1)
    with pytest.raises(ValueError, match="0 or more"):
        SamplePolicy(most_tilt_um=-1)
