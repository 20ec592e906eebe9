"""The X-ray codec's tables and contexts, and what a template and many spectra are worth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.product.codecs import CODECS, CodecId, Encoded, decode, encode
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
from flight.product.codecs.xrftables import (
    CONTEXTS,
    DIRECT_BELOW,
    contexts_of,
    direct_context,
    put_numbers,
    residual_context,
    take_number,
)
from flight.product.errors import WireError

VERSION = CODECS[CodecId.SPECTRA].version
PEAKS = 40 * np.exp(-(((np.arange(900) % 180 - 90) / 9) ** 2)) + 0.3


def _spectra(count: int, seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).poisson(PEAKS, (count, PEAKS.size)).astype(np.uint32)


def _bits(spectra: np.ndarray, template: np.ndarray | None = None) -> float:
    parts = encode(CodecId.SPECTRA, spectra, template=template)
    decoded = decode(CodecId.SPECTRA, VERSION, parts, template=template)
    assert np.array_equal(decoded.samples, spectra)
    return 8 * sum(len(part.data) for part in parts) / spectra.size


def _poisson_entropy() -> float:
    """Return the bits a channel that nobody can go below who knows the rates."""
    counts = np.arange(200)
    logs = np.array([math.lgamma(count + 1) for count in counts])
    log_chance = -PEAKS[:, None] + counts * np.log(PEAKS)[:, None] - logs
    return float(-(np.exp(log_chance) * log_chance).sum(axis=1).mean() / math.log(2))


def test_a_spectrum_with_a_good_template_is_within_two_percent_and_20_bytes_of_entropy() -> None:
    template = np.rint(PEAKS * 1000).astype(np.uint32)
    mean = np.mean([_bits(spectrum, template) for spectrum in _spectra(9)])
    assert mean < 1.02 * _poisson_entropy() + 8 * 20 / PEAKS.size


def test_many_spectra_are_within_five_percent_of_their_entropy() -> None:
    assert _bits(_spectra(32)) < 1.05 * _poisson_entropy()


def test_channels_that_are_always_empty_cost_nothing() -> None:
    spectra = _spectra(3)
    framed = np.pad(spectra, ((0, 0), (800, 2000)))
    assert _bits(framed) * framed.size <= _bits(spectra) * spectra.size + 8 * 4


@given(st.floats(0, 2.0**40), st.floats(2.0**-12, 2.0**40))
def test_one_context_is_that_of_an_array(rate: float, size: float) -> None:
    rate = max(rate, 2.0**-10)
    contexts, direct = contexts_of(np.array([rate]), np.array([size]))
    assert direct[0] == (rate < DIRECT_BELOW)
    alone = direct_context(rate) if rate < DIRECT_BELOW else residual_context(size)
    assert contexts[0] == alone


@given(st.lists(st.tuples(st.integers(0, 1 << 33), st.integers(0, CONTEXTS - 1)), max_size=40))
def test_numbers_of_every_size_come_back_in_every_context(pairs: list[tuple[int, int]]) -> None:
    coder = RangeEncoder()
    numbers = np.array([number for number, _ in pairs], np.int64)
    contexts = np.array([context for _, context in pairs], np.int64)
    put_numbers(coder, numbers, contexts)
    reader = RangeDecoder(coder.finish())
    assert [take_number(reader, context) for _, context in pairs] == numbers.tolist()
    reader.finish()


def test_a_short_stream_cannot_claim_many_channels() -> None:
    data = encode(CodecId.SPECTRA, _spectra(1))[0].data
    lie = (3, 400, 4096, 0, 0, 400, 4096)
    with pytest.raises(WireError):
        decode(CodecId.SPECTRA, VERSION, [Encoded(lie, data[:40])])
