"""What is computed fast must be what its plain definition in integers says, to the last bit."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.autonomy import bands, contrast, mineral, terrain, xray
from flight.autonomy.grid import (
    near,
    quotient,
    squared_distance,
    squared_distance_from,
    window_sums,
)
from flight.product.values import Finding, Kind, NoAnswer

SEEDS = range(20)


@settings(max_examples=300, deadline=None)
@given(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(1, 2**40))
def test_a_quotient_is_floored_integer_division(dividend: int, divisor: int):
    found = quotient(np.array([dividend]), np.array([divisor]))
    assert int(found[0]) == dividend // divisor


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 2**20), st.integers(1, 2**32), st.integers(-1, 1))
def test_a_quotient_next_to_a_whole_number_is_not_rounded_to_it(divisor, whole, beside):
    dividend = min(divisor * whole + beside, 2**53 - 1)
    assert int(quotient(np.array([dividend]), np.array([divisor]))[0]) == dividend // divisor


def plain_sums(values, reach):
    rows, columns = values.shape
    return np.array(
        [
            [
                values[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1].sum()
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_window_sums_are_those_of_the_windows(seed: int):
    draw = np.random.default_rng(seed)
    values = draw.integers(-1000, 1000, draw.integers(1, 24, 2))
    reach = int(draw.integers(0, 30))
    assert (window_sums(values, reach) == plain_sums(values, reach)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_distances_are_those_to_the_nearest_closed_cell_or_the_border(seed: int):
    draw = np.random.default_rng(seed)
    size = int(draw.integers(1, 30))
    closed = draw.random((size, size)) < draw.choice([0, 0.01, 0.1, 0.9])
    rows, columns = np.nonzero(np.pad(closed, 1, constant_values=True))
    cells = np.arange(1, size + 1)
    apart = (cells[:, None, None] - rows) ** 2 + (cells[None, :, None] - columns) ** 2
    distance = apart.min(axis=2)
    assert (squared_distance(closed) == distance).all()
    row, column = (int(place) for place in draw.integers(0, size, 2))
    assert squared_distance_from((row, column), closed) == distance[row, column]
    for reach in range(size):
        assert (near(closed, reach) == (distance <= reach * reach)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_site_is_the_one_that_its_definition_names(seed: int):
    draw = np.random.default_rng(seed)
    reach = int(draw.integers(0, 6))
    closed = draw.random((64, 64)) < draw.choice([0, 0.002, 0.01, 0.5])
    # Few values make many equals.
    risk = draw.integers(-128, draw.choice([-127, -126, 128]), (64, 64)).astype(np.int8)
    sums, distance = plain_sums(risk, 1), squared_distance(closed)
    possible = distance > reach**2
    clear = bool(possible.any())
    if not clear:
        possible = squared_distance(np.zeros_like(closed)) > reach**2
    safest = possible & (sums == sums[possible].min())
    row, column = divmod(int(np.where(safest, distance, -1).argmax()), 64)
    score = -(-int(sums[row, column]) // 9)
    policy = terrain.TerrainPolicy(footprint_cells=reach, site_threshold=-100)
    named = clear and score <= -100
    assert terrain.choose_site(closed, risk, policy) == (row, column, named, score)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_a_picture_is_seen_as_its_definition_says(seed: int, dtype: type):
    draw = np.random.default_rng(seed)
    pixels, reach = 16, int(draw.integers(1, 9))
    side = pixels * int(draw.integers(1, 4)) + int(draw.integers(0, 2)) * int(draw.integers(0, 9))
    samples = draw.integers(0, min(np.iinfo(dtype).max, 2**24), (side, side)).astype(dtype)
    wide = samples.astype(np.int64)
    edges = [*(np.arange(pixels) * side // pixels), side]
    means = np.array(
        [
            [
                int(wide[top:bottom, left:right].sum()) * 16 // ((bottom - top) * (right - left))
                for left, right in pairwise(edges)
            ]
            for top, bottom in pairwise(edges)
        ]
    )
    assert (contrast.block_means(samples, pixels) == means).all()
    grain = int(draw.choice([1, 2, 4]))
    blocks = means.reshape(pixels // grain, grain, -1, grain).sum(axis=(1, 3))
    around = plain_sums(blocks, reach) // (plain_sums(np.ones_like(blocks), reach) * grain**2)
    floor = max(int(means.sum()) // means.size // 8, 1)
    around = np.maximum(around, floor).repeat(grain, axis=0).repeat(grain, axis=1)
    level = means * 1024 // around
    assert (contrast.contrast(means, reach, grain) == level).all()
    departure = level - 1024
    size = np.abs(departure)
    squeezed = np.clip(np.sign(departure) * (160 * size // (256 + size)), -128, 127)
    assert (contrast.compress(departure) == squeezed).all()
    clipped = np.count_nonzero(samples == samples.max()) * 1000 > 250 * samples.size
    shown = contrast.seen(samples, pixels, reach=reach, grain=grain)
    assert clipped if shown is None else (shown == squeezed).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spectrum_is_shaped_as_its_definition_says(seed: int):
    draw = np.random.default_rng(seed)
    width = int(draw.integers(20, 120))
    axis = np.sort(draw.choice(np.arange(450_000, 2_500_000, 1000), width, replace=False))
    axis = tuple(int(centre) for centre in axis)
    weights, near = bands.resampling(axis), bands.support(axis)
    assert weights is not None
    highest = int(draw.choice([5, 300, 65_535]))
    counts = draw.integers(0, highest + 1, (width, 30)).astype(np.uint16)
    counts[:, 0] = 0
    grid = (weights[:, :, None] * counts[None].astype(np.int64)).sum(axis=1)
    mean = grid.sum(axis=0) // len(grid)
    dead = mean < mineral.DEAD_COUNTS * bands.WEIGHT_SUM
    smooth = np.array(
        [
            grid[max(b - 10, 0) : b + 11].sum(axis=0) // len(grid[max(b - 10, 0) : b + 11])
            for b in range(len(grid))
        ]
    )
    ratio = grid * 96 // np.where(dead, 1, mean) - 96
    local = grid * 512 // np.maximum(smooth, 1) - 512
    shown = np.broadcast_to(near[:, None], ratio.shape)
    fine = grid * 768 // np.where(dead, 1 << 40, mean) - 768 + 77
    length = np.array([math.isqrt(int(square)) for square in (fine * fine).sum(axis=0)])
    outline = fine * 320 // np.maximum(length, 1)
    wanted = np.clip(np.stack([ratio, local, shown, outline], axis=-1), -128, 127)
    wanted[:, dead] = 0
    assert (mineral.shape_of(weights, near, counts)[:, 0] == wanted.transpose(1, 0, 2)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_phases_and_strangers_are_counted_as_their_definition_says(seed: int):
    draw = np.random.default_rng(seed)
    lines, samples = (int(n) for n in draw.integers(1, 20, 2))
    logits = draw.integers(-128, 128, (lines * samples, 6)).astype(np.int8)
    likeness = draw.integers(-128, 128, (lines * samples, 1)).astype(np.int8)
    policy = mineral.MineralPolicy(
        confidence_permille=tuple(int(p) for p in draw.integers(0, 1001, mineral.MARGIN_ENTRIES)),
        strange_weight=int(draw.integers(0, 300)),
        angle_weight=int(draw.integers(0, 300)),
        usual_angle=0,
        anomaly_threshold=int(draw.integers(-50, 150)),
        anomaly_limit=5,
    )
    axis = tuple(range(450_000, 2_450_000, 25_000))
    rows = []
    for first, second, spectrum in (
        (*sorted((int(logit) for logit in row[:5]), reverse=True)[:2], row) for row in logits
    ):
        confidence = policy.confidence_permille[min((first - second) // 2, 63)]
        rows.append((int(spectrum[:5].argmax()) + 1 if confidence >= 500 else 0, confidence))
    scores = [
        (
            int(strange) * policy.strange_weight
            + math.isqrt(127 - int(like) << 8) * policy.angle_weight
        )
        >> 8
        for strange, like in zip(logits[:, 5], likeness[:, 0], strict=True)
    ]
    wanted = []
    for phase in range(6):
        confidences = sorted(confidence for one, confidence in rows if one == phase)
        if confidences:
            median = confidences[len(confidences) // 2]
            wanted.append(Finding(Kind.PHASE, extent=len(confidences), score=median, label=phase))
    strangest = sorted(
        (pixel for pixel, score in enumerate(scores) if score > policy.anomaly_threshold),
        key=lambda pixel: -scores[pixel],
    )
    wanted += [
        Finding(Kind.ANOMALY, *divmod(pixel, samples), rank, scores[pixel], rows[pixel][0])
        for rank, pixel in enumerate(strangest[:5])
    ]
    found = mineral.conclude((80, lines, samples), (logits, likeness), policy, axis=axis)
    assert [one for one in found if one.kind is not Kind.NO_ANSWER] == wanted
    told = {one.label: one.extent for one in found if one.kind is Kind.NO_ANSWER}
    counts = {
        NoAnswer.LOW_CONFIDENCE: sum(phase == 0 for phase, _ in rows),
        NoAnswer.OUT_OF_DISTRIBUTION: len(strangest),
    }
    assert told == {why: count for why, count in counts.items() if 2 * count > len(rows)}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_background_under_lines_does_not_feel_what_lies_far_beyond(seed: int):
    draw = np.random.default_rng(seed)
    gain = int(draw.choice([2_000, 7_974, 10_045, 20_000]))
    counts = draw.poisson(draw.uniform(1, 1000), 16_000).astype(np.int64)
    changed = counts.copy()
    changed[20_000_000 // gain :] *= 7
    assert xray.net_counts(counts, -15_306, gain) == xray.net_counts(changed, -15_306, gain)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_background_is_cut_as_its_definition_says(seed: int):
    draw = np.random.default_rng(seed)
    gain = int(draw.choice([7_974, 20_000, 400_000]))
    counts = draw.poisson(10 ** draw.uniform(0, 7), int(draw.integers(128, 900))).astype(np.int64)
    half = 25_000 // gain
    padded = np.pad(counts, half, mode="edge")
    width = 2 * half + 1
    level = np.array([int(padded[i : i + width].sum()) * 256 // width for i in range(len(counts))])
    for reach in range(max(300_000 // gain, 1), 0, -1):
        mean = (level[: -2 * reach] + level[2 * reach :]) // 2
        noise = np.floor(np.sqrt(mean * 256 // width)).astype(np.int64)
        inner = level[reach:-reach]
        level[reach:-reach] = np.where(inner > mean + noise, mean, inner)
    assert (xray.background_of(counts, gain) == level // 256).all()
