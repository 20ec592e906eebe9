import numpy as np
import pytest

from flight.product.codecs.bits import RawBits, pack_raw
from flight.product.codecs.contexts import RESIDUALS, fold, unfold
from flight.product.codecs.entropy import SymbolDecoder, encode_symbols
from flight.product.codecs.frequencies import SCALE, read_tables, write_tables
from flight.product.codecs.rangecoder import Integers, RangeDecoder, RangeEncoder
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError


def _decode(data: bytes, contexts: np.ndarray, chunks: list[int]) -> np.ndarray:
    decoder = SymbolDecoder(RESIDUALS, data)
    ends = np.cumsum(chunks)
    pieces = [
        decoder.take(contexts[end - size : end]) for end, size in zip(ends, chunks, strict=True)
    ]
    decoder.finish()
    return np.concatenate(pieces)


def test_symbols_come_back_chunk_by_chunk_whatever_their_contexts_promised() -> None:
    rng = np.random.default_rng(1)
    for largest in (1, 40, 5000, 1 << 32):
        values = rng.integers(0, largest, 3000, dtype=np.uint64).astype(np.uint32)
        contexts = rng.integers(0, 96, 3000).astype(np.uint8)
        chunks = [1, 999, 2000]
        data = encode_symbols(RESIDUALS, values, contexts, np.array(chunks))
        assert np.array_equal(_decode(data, contexts, chunks), values)


def test_a_stream_of_well_foretold_residuals_is_within_two_percent_of_its_entropy() -> None:
    rng = np.random.default_rng(2)
    ratio = 0.8  # two-sided geometric residuals of a known scale
    residuals = rng.geometric(1 - ratio, 200_000) - rng.geometric(1 - ratio, 200_000)
    magnitude = 2 * ratio / (1 - ratio * ratio)
    context = int(np.float32(16 * magnitude).view(np.int32) >> 21) - (126 << 2)
    contexts = np.full(residuals.size, context, np.uint8)
    values = fold(residuals.astype(np.int32))
    data = encode_symbols(RESIDUALS, values, contexts, np.array([residuals.size]))
    counts = np.bincount(values)
    counts = counts[counts > 0]
    entropy = (counts * np.log2(residuals.size / counts)).sum() / 8
    assert len(data) < 1.02 * entropy


def test_every_expected_table_and_every_sent_one_sums_to_the_scale() -> None:
    assert (RESIDUALS.expected.sum(axis=1) == SCALE).all()
    counts = np.random.default_rng(3).integers(0, 5000, RESIDUALS.expected.shape)
    data, frequencies = write_tables(counts, RESIDUALS.expected)
    assert (frequencies.sum(axis=1) == SCALE).all()
    assert np.array_equal(read_tables(data, RESIDUALS.expected), frequencies)


def test_raw_bits_of_mixed_widths_come_back() -> None:
    rng = np.random.default_rng(4)
    widths = rng.integers(0, 33, 70_000).astype(np.uint8)
    values = rng.integers(0, 1 << 32, widths.size, dtype=np.uint64).astype(np.uint32)
    bits = RawBits(pack_raw(values, widths))
    mask = (np.uint64(1) << widths.astype(np.uint64)) - np.uint64(1)
    assert np.array_equal(bits.take(widths), values & mask.astype(np.uint32))
    bits.finish()


def test_bits_left_over_are_an_error() -> None:
    with pytest.raises(WireError, match="left over"):
        RawBits(b"12").finish()


def test_folding_keeps_every_32_bit_residual() -> None:
    values = np.array([0, -1, 1, -2, 2, 2**31 - 1, -(2**31)], np.int32)
    assert fold(values)[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(unfold(fold(values)), values)


def test_the_range_coder_returns_integers_of_every_length() -> None:
    values = [0, 1, -1, 5, -300, 1 << 40, -(1 << 62), 7] * 20
    encoder, model = RangeEncoder(), Integers(64, direct=4)
    for value in values:
        model.put(encoder, value)
    decoder, model = RangeDecoder(encoder.finish()), Integers(64, direct=4)
    assert [model.take(decoder) for _ in values] == values


def test_a_range_decoder_that_runs_dry_says_so() -> None:
    decoder = RangeDecoder(b"")
    with pytest.raises(WireError):
        decoder.take_bits(1200)


def test_numbers_are_minimal_and_end_with_an_error_when_cut() -> None:
    numbers = [0, 127, 128, 1 << 20]
    data = write_varints(numbers)
    assert len(data) == 1 + 1 + 2 + 3
    assert read_varints(data, 4) == (numbers, len(data))
    with pytest.raises(WireError):
        read_varints(data[:-1], 4)
    with pytest.raises(WireError):
        read_varints(b"\xff" * 9, 1)
