import lzma
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.product.codecs import CODECS, CodecId, Encoded, decode, encode
from flight.product.codecs.cubefit import _Systems
from flight.product.codecs.cubemodel import (
    ABOVE_KINDS,
    BANDS_BACK,
    CLUES,
    COLUMN,
    COLUMN_UNIT,
    FEATURES,
    Side,
)
from flight.product.codecs.cubeplanes import Part
from flight.product.codecs.cubeside import (
    LARGEST_WEIGHT,
    Packing,
    level_codes,
    levels_of,
    read_side,
    write_side,
)
from flight.product.codecs.cubewave import diagonals, wave_order
from flight.product.errors import WireError


def _scene(bands: int, lines: int, samples: int) -> np.ndarray:
    """Return a walk over a landscape, seen through bands that know much of each other."""
    rng = np.random.default_rng(bands * lines)
    ground = rng.normal(size=(lines, samples)).cumsum(axis=0).cumsum(axis=1)
    gain = 3 + np.sin(np.arange(bands) / 9)[:, None, None]
    return 2000 + gain * ground + rng.normal(size=(bands, lines, samples)) * 4


def _bytes(cube: np.ndarray, **options: int) -> int:
    """Return how large a cube becomes, once it came back."""
    parts = encode(CodecId.CUBE, cube, **options)
    assert np.array_equal(decode(CodecId.CUBE, CODECS[CodecId.CUBE].version, parts).samples, cube)
    return sum(len(part.data) for part in parts)


def _random_side(seed: int, bands: int, group: int, drop: int) -> Side:
    rng = np.random.default_rng(seed)
    sets = rng.integers(-LARGEST_WEIGHT >> drop, LARGEST_WEIGHT >> drop, (bands, FEATURES)) << drop
    sets[rng.integers(0, bands, bands // 3)] = 0
    lowest = int(rng.integers(-(1 << 15), 1 << 15))
    return Side(
        lowest,
        lowest + 999,
        rng.integers(lowest, lowest + 1000, bands),
        np.repeat(sets[::group], group, axis=0)[:bands],
        levels_of(rng.integers(0, 152, bands)),
        tuple(rng.integers(0, 256, CLUES).tolist()),
    )


@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 5), st.integers(0, 6))
def test_side_information_comes_back(seed: int, bands: int, group: int, drop: int) -> None:
    packing = Packing(drop, min(group, bands))
    side = _random_side(seed, bands, packing.group, drop)
    read = read_side(write_side(side, packing), bands)
    assert (read.lowest, read.highest) == (side.lowest, side.highest)
    assert read.clue_weights == side.clue_weights
    for one, other in ((read.means, side.means), (read.levels, side.levels)):
        assert np.array_equal(one, other)
    assert np.array_equal(read.weights, side.weights)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lowest": 1 << 17, "highest": 1 << 18, "means": np.full(3, 1 << 17)},
        {"means": np.full(3, 5000)},
        {"weights": np.full((3, FEATURES), 1 << 16)},
    ],
)
def test_side_information_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    side = Side(0, 999, np.full(3, 7), np.zeros((3, FEATURES), int), np.full(3, 16), (9,) * CLUES)
    data = write_side(replace(side, **wrong), Packing(0, 1))
    with pytest.raises(WireError):
        read_side(data, 3)
    with pytest.raises(WireError, match="cut short"):
        read_side(write_side(side, Packing(0, 1))[:-1], 3)


def test_a_levels_code_keeps_three_bits_below_its_octave() -> None:
    levels = np.array([0, 1, 7, 8, 15, 16, 17, 1000, (1 << 21) - 1])
    kept = levels_of(level_codes(levels))
    assert (kept <= levels).all()
    assert (kept * 9 >= levels * 8).all()
    assert np.array_equal(levels_of(level_codes(kept)), kept)


@given(st.integers(1, 9), st.integers(1, 9))
def test_every_line_of_every_band_is_in_one_step(bands: int, lines: int) -> None:
    rows = np.arange(bands * lines)
    steps = [rows[chosen] for _, _, chosen in diagonals(bands, lines)]
    order = np.concatenate(steps)
    assert np.array_equal(np.sort(order), rows)
    assert np.array_equal(order, wave_order(bands, lines))
    for step, (first, end, _) in enumerate(diagonals(bands, lines)):
        expected = [(step - line) * lines + line for line in range(first, end)]
        assert steps[step].tolist() == expected


def test_normal_equations_of_the_widest_samples_are_exact() -> None:
    rng = np.random.default_rng(3)
    cube = rng.choice(np.array([0, 65535], np.uint16), (7, 90, 60), p=[0.3, 0.7])
    systems = _Systems(Part.of(cube))
    same, above = systems._chosen(0, 7)
    assert same.shape[1] > 1500
    rows = [
        np.concatenate((same[band : band + BANDS_BACK], above[band : band + 3].reshape(9, -1)[1:]))
        for band in range(7)
    ]
    for band in range(7):
        unit = np.where(np.arange(FEATURES) < BANDS_BACK, COLUMN_UNIT, 1)
        unit[BANDS_BACK:] = np.where(ABOVE_KINDS == COLUMN, 1, COLUMN_UNIT)
        whole = (rows[band] * unit[:, None]).astype(np.int64)
        gram = systems._gram[band] * np.outer(unit, unit)
        assert np.array_equal(gram.astype(np.int64), whole @ whole.T)
        right = whole @ same[band + BANDS_BACK].astype(np.int64)
        assert np.array_equal((systems._right[band] * unit).astype(np.int64), right)


def test_dead_bands_and_a_dead_column_cost_next_to_nothing() -> None:
    cube = _scene(60, 32, 40).clip(0, 4095).astype(np.uint16)
    alive = _bytes(cube)
    wounded = cube.copy()
    wounded[10:50:4] = 0
    wounded[:, :, 17] = 4095
    assert _bytes(wounded) < alive
    assert _bytes(np.full((240, 12, 12), 77, np.uint16)) < 500


def test_the_order_of_the_bands_may_run_either_way() -> None:
    cube = _scene(60, 32, 40).clip(0, 4095).astype(np.uint16)
    assert 0.97 < _bytes(cube[::-1]) / _bytes(cube) < 1.03


def test_stripes_are_foretold_by_the_column_above() -> None:
    scene = _scene(40, 64, 40)
    stripes = np.random.default_rng(2).normal(size=(40, 1, 40)) * 60
    plain, striped = (
        _bytes(np.rint(cube).clip(0, 65535).astype(np.uint16), part_lines=64)
        for cube in (scene, scene + stripes)
    )
    assert striped < 1.25 * plain


def test_a_wide_line_is_fitted_to_some_of_its_columns() -> None:
    cube = _scene(8, 3, 9000).clip(0, 65535).astype(np.uint16)
    cube[0, 0, :2] = 0, 65535
    assert _bytes(cube) < 0.7 * cube.nbytes


def _band_differences(cube: np.ndarray) -> bytes:
    return np.diff(cube, axis=0, prepend=cube.dtype.type(0)).tobytes()


def test_small_cubes_are_smaller_than_lzma_makes_their_band_differences(shared_data: Path) -> None:
    whole = np.load(shared_data / "compression" / "cubes" / "m3_arist.npy")
    for corner in (0, 20, 38):
        cube = np.ascontiguousarray(whole[:, corner : corner + 12, corner : corner + 12])
        assert _bytes(cube) < 0.9 * len(lzma.compress(_band_differences(cube), preset=9))


def _small_cube(kind: str, shape: tuple[int, int, int], top: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, top, shape)
    ground = rng.integers(0, top, shape[1:])
    few = rng.integers(0, top, 1 + seed % 40)
    spectra = rng.integers(0, top, (shape[0], 3))
    return {
        "noise": noise,
        "constant": np.full(shape, top - 1),
        "scene": _scene(*shape).clip(0, 65535),
        "ramp": np.arange(noise.size).reshape(shape) * (1 + seed % 300),
        "sparse": np.where(rng.random(shape) < 0.03, noise, 0),
        "palette": few[rng.integers(0, few.size, shape)],
        "periodic": np.resize(few, shape),
        "three spectra": spectra[:, rng.integers(0, 3, shape[1:])],
        "dead bands": np.where(rng.random((shape[0], 1, 1)) < 0.5, ground, 0),
        "sum": spectra[:, :1, None] + ground + rng.integers(0, 2, shape),
    }[kind]


@settings(max_examples=150)
@given(
    st.sampled_from(("noise", "constant", "scene", "ramp", "sparse", "palette", "periodic"))
    | st.sampled_from(("three spectra", "dead bands", "sum")),
    st.tuples(st.sampled_from((1, 2, 7, 90)), st.integers(1, 14), st.integers(1, 14)),
    st.integers(1, 16),
    st.integers(0, 999),
    st.sampled_from((np.uint8, np.uint16, np.int16)),
)
def test_a_small_cube_is_never_larger_than_lzma_makes_its_band_differences(
    kind: str, shape: tuple[int, int, int], bits: int, seed: int, dtype: type
) -> None:
    cube = _small_cube(kind, shape, 1 << bits, seed).astype(np.int64).astype(dtype)
    packed = _bytes(cube)
    for preset in (6, 9, 6 | lzma.PRESET_EXTREME, 9 | lzma.PRESET_EXTREME):
        assert packed <= len(lzma.compress(_band_differences(cube), preset=preset))


def test_a_small_cube_that_defies_the_model_goes_as_its_band_differences() -> None:
    rng = np.random.default_rng(5)
    cube = np.repeat(rng.integers(0, 1 << 16, (1, 12, 12), dtype=np.uint16), 90, axis=0)
    cube[rng.integers(0, 2, 90) > 0] ^= 0x5A5A
    (part,) = encode(CodecId.CUBE, cube)
    assert part.data[0] == 2
    version = CODECS[CodecId.CUBE].version
    for wrong in (part.data[:-1], part.data[:9], part.data + b"\0", b"\2" + bytes(20)):
        with pytest.raises(WireError):
            decode(CodecId.CUBE, version, [Encoded(part.geometry, wrong)])
    short = (*part.geometry[:1], 91, 12, 12, 0, 0, 0, 91, 12, 12)
    with pytest.raises(WireError, match="wrong length"):
        decode(CodecId.CUBE, version, [Encoded(short, part.data)])
    wide = (*part.geometry[:1], 90, 12, 43, 0, 0, 0, 90, 12, 43)
    with pytest.raises(WireError, match="too large"):
        decode(CodecId.CUBE, version, [Encoded(wide, part.data)])


@pytest.mark.parametrize("shape", [(2, 500, 7), (1, 300, 40), (5, 700, 3), (3, 90, 3000)])
def test_many_lines_of_few_bands_pass_through_a_short_memory(shape: tuple[int, int, int]) -> None:
    cube = _scene(*shape).clip(0, 65535).astype(np.uint16)
    assert _bytes(cube, part_lines=shape[1]) < 0.8 * cube.nbytes


@pytest.mark.parametrize("shape", [(3, 60, 4096), (60, 60, 999), (1, 1, 1 << 21), (7, 7, 40000)])
def test_a_short_stream_cannot_claim_much_memory(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    cube = np.cumsum(rng.integers(0, 3, (shape[0], 12, 12)), axis=1).astype(np.uint8)
    (part,) = encode(CodecId.CUBE, cube)
    assert part.data[0] == 1
    lie = Encoded((1, *shape, 0, 0, 0, *shape), part.data)
    tracemalloc.start()
    with suppress(WireError):
        decode(CodecId.CUBE, CODECS[CodecId.CUBE].version, [lie])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (16 << 20) + 3 * np.prod(shape)
