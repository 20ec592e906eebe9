"""Lossless means lossless, and a bound is a bound: any shape, any dtype, the worst contents."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.product.codecs import CODECS, CodecId, Decoded, Field, decode, encode

CONTENTS = ("noise", "constant", "extremes", "counts", "ramp")
DTYPES = (np.uint8, np.uint16, np.uint32, np.int8, np.int16, np.int32, np.int64)


def _fill(shape: tuple[int, ...], dtype: type, content: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    if content == "noise":
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if content == "constant":
        return np.full(shape, rng.choice([limits.min, 0, limits.max]), dtype)
    if content == "extremes":
        return rng.choice(np.array([limits.min, limits.max], dtype), shape)
    if content == "counts":
        return rng.poisson(rng.choice([0.1, 3, 60]), shape).clip(0, limits.max).astype(dtype)
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 100).astype(dtype)


def _there_and_back(codec: CodecId, samples: np.ndarray, **options: object) -> Decoded:
    parts = encode(codec, samples, **options)
    return decode(codec, CODECS[codec].version, parts)


def _same(decoded: Decoded, samples: np.ndarray) -> bool:
    return (
        decoded.complete
        and decoded.samples.dtype == samples.dtype
        and np.array_equal(decoded.samples, samples)
    )


contents = st.sampled_from(CONTENTS)
seeds = st.integers(0, 1000)
sides = st.integers(1, 33)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 9), max_size=4), st.sampled_from(DTYPES), contents, seeds)
def test_raw_takes_any_integers(shape: list[int], dtype: type, content: str, seed: int) -> None:
    samples = _fill(tuple(shape), dtype, content, seed)
    assert _same(_there_and_back(CodecId.RAW, samples), samples)


@settings(max_examples=60)
@given(
    st.sampled_from((CodecId.IMAGE, CodecId.LATTICE)),
    st.tuples(sides, sides),
    st.sampled_from((np.uint8, np.uint16)),
    contents,
    seeds,
    st.sampled_from((0, 0, 1, 2, 7)),
)
def test_images_stay_within_their_bound(
    codec: CodecId, shape: tuple[int, int], dtype: type, content: str, seed: int, bound: int
) -> None:
    image = _fill(shape, dtype, content, seed)
    decoded = _there_and_back(codec, image, maximum_error=bound, tile=20)
    assert decoded.complete
    assert np.abs(decoded.samples.astype(int) - image.astype(int)).max() <= bound


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from((np.uint8, np.uint16, np.int16)),
    contents,
    seeds,
    st.sampled_from((0, 0, 1, 2, 7)),
)
def test_cubes_stay_within_their_bound(
    shape: tuple[int, int, int], dtype: type, content: str, seed: int, bound: int
) -> None:
    cube = _fill(shape, dtype, content, seed)
    decoded = _there_and_back(CodecId.CUBE, cube, maximum_error=bound, part_lines=8)
    assert decoded.complete
    assert np.abs(decoded.samples.astype(int) - cube.astype(int)).max() <= bound


@settings(max_examples=40)
@given(
    st.one_of(st.tuples(st.integers(1, 70)), st.tuples(st.integers(1, 5), st.integers(1, 70))),
    st.sampled_from((np.uint16, np.uint32)),
    contents,
    seeds,
)
def test_spectra_come_back(shape: tuple[int, ...], dtype: type, content: str, seed: int) -> None:
    spectra = _fill(shape, dtype, content, seed)
    assert _same(_there_and_back(CodecId.SPECTRA, spectra, part_lines=3), spectra)


@settings(max_examples=60)
@given(st.tuples(sides, sides), st.integers(1, 255), seeds, st.booleans())
def test_maps_come_back(shape: tuple[int, int], largest: int, seed: int, blocky: bool) -> None:
    labels = np.random.default_rng(seed).integers(0, largest, shape, np.uint8, endpoint=True)
    if blocky:
        labels = np.kron(labels, np.ones((5, 7), np.uint8))
    assert _same(_there_and_back(CodecId.CLASS_MAP, labels, tile=40), labels)


@settings(max_examples=40)
@given(st.integers(1, 70), st.integers(1, 20), contents, seeds)
def test_unknown_packets_come_back(packets: int, size: int, content: str, seed: int) -> None:
    samples = _fill((packets, size), np.uint8, content, seed)
    assert _same(_there_and_back(CodecId.HOUSEKEEPING, samples), samples)


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from([Field(k, w) for k in "ui" for w in (1, 2, 3, 4, 8)] + [Field("f", 8)]),
        min_size=1,
        max_size=5,
    ),
    contents,
    seeds,
)
def test_typed_packets_come_back(fields: list[Field], content: str, seed: int) -> None:
    known = tuple(fields)
    samples = _fill((61, sum(field.width_bytes for field in known)), np.uint8, content, seed)
    parts = encode(CodecId.HOUSEKEEPING, samples, fields=known)
    assert _same(decode(CodecId.HOUSEKEEPING, 1, parts, fields=known), samples)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), contents, seeds)
def test_tensors_come_back(shape: list[int], content: str, seed: int) -> None:
    tensor = _fill(tuple(shape), np.int8, content, seed)
    assert _same(_there_and_back(CodecId.TENSOR, tensor), tensor)
