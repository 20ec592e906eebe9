"""The X-ray codec: (channels,) or (spectra, channels) counts, lossless.

A part holds some spectra and decodes alone; with a template that both ends know, even a single
spectrum begins with a good idea of itself.
"""

import math
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import (
    UNIT,
    WEIGHT_UNIT,
    Reals,
    Residuals,
    activity,
    fit_activity,
    fold,
    unfold,
)
from flight.product.codecs.entropy import (
    SymbolDecoder,
    check_expansion,
    encode_symbols,
)
from flight.product.codecs.geometry import cut_grid
from flight.product.codecs.linear import Floats, non_negative
from flight.product.codecs.raw import RAW
from flight.product.codecs.types import (
    Block,
    Box,
    Codec,
    Dtype,
    Integers,
    Options,
    Shape,
    as_integers,
)
from flight.product.codecs.xrfmodel import (
    AHEAD,
    DIRECT_BELOW,
    LAG,
    MARGIN,
    RATE_CLUES,
    SCHEME,
    SIZE_CLUES,
    affords_steps,
    contexts_of,
    mean_rate,
    rate_clues,
    size_clues,
    smooth,
    steps,
)
from flight.product.errors import WireError

_RAW, _MODEL, _WITH_TEMPLATE = 0, 1, 2
_FIT_COUNTS = 1 << 16
_ROUNDS = 4
_NORMAL = 64.0
_CLIP = float(1 << 18)
_SHIFT_BIAS = 64
_BACK = (1, 4, 16, 8, 24)
_LARGEST = (1 << 31) - 1
_PART_SPECTRA = 32
_LEAST_CHANNELS = LAG + 1


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) == 1:
        return cut_grid(shape, shape)
    if len(shape) != 2:
        raise ValueError("spectra have channels, or spectra and channels")
    return cut_grid(shape, (options.part_lines or _PART_SPECTRA, shape[1]))


class _State:
    """Counts, means and their running sums, in rows with a margin in front and behind.

    Row i holds spectrum i; what lies at one step of the wavefront is one stride apart.
    """

    def __init__(self, spectra: int, channels: int, template: Floats | None) -> None:
        self.spectra, self.channels = spectra, channels
        self.width = channels + MARGIN + AHEAD
        size = (spectra + 1, self.width)
        self.means = np.zeros(size)
        self.with_template = template is not None
        if template is not None:
            self.means[0, MARGIN : MARGIN + channels] = template
        # Sums up to and with a channel, so that a window is a difference of two.
        self.counts = np.zeros(size)
        self.expected = np.zeros(size)
        self.misses = np.zeros(size)
        self.rates = np.array(
            [mean_rate(row, with_template=self.with_template) for row in range(spectra)]
        )


def _rates(weights: tuple[int, ...], clues: list[Floats]) -> Floats:
    total = clues[0] * (weights[0] / WEIGHT_UNIT)
    for weight, clue in zip(weights[1:], clues[1:], strict=True):
        total += clue * (weight / WEIGHT_UNIT)
    return np.minimum(total, _LARGEST, out=total)


def _window(sums: Floats, back: int) -> Floats:
    """Return for every channel of every spectrum the sum over the ``back`` channels before it."""
    end = sums.shape[1] - AHEAD - 1
    return sums[:-1, MARGIN - 1 : end] - sums[:-1, MARGIN - 1 - back : end - back]


def _encode(samples: Integers, options: Options) -> bytes:
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    if samples.size == 0 or samples.ndim not in (1, 2) or samples.dtype.kind != "u":
        return plain
    if int(samples.max()) > _LARGEST or samples.shape[-1] < _LEAST_CHANNELS:
        return plain
    counts = samples.reshape(-1, samples.shape[-1])
    modelled = _encode_model(counts, options.template)
    if not affords_steps(samples.shape, len(modelled)):
        return plain
    return min(modelled, plain, key=len)


def _digest(template: NDArray[np.uint32]) -> bytes:
    """Return two bytes that tell another template from this one, most likely."""
    return (zlib.crc32(template.astype("<u4").tobytes()) & 0xFFFF).to_bytes(2, "big")


def _scaled(template: NDArray[np.uint32], shift: int) -> Floats:
    return np.ldexp(template.astype(np.float64), shift)


def _template_shift(counts: Integers, template: NDArray[np.uint32]) -> int:
    """Return the power of two that brings the template's total nearest to a spectrum's."""
    mean = int(counts.sum(dtype=np.int64)) // len(counts)
    total = int(template.sum(dtype=np.int64))
    return max(-_SHIFT_BIAS, min(mean.bit_length() - total.bit_length(), _SHIFT_BIAS - 1))


def _encode_model(samples: Integers, template: NDArray[np.uint32] | None) -> bytes:
    spectra, channels = samples.shape
    if template is None:
        head = bytes([_MODEL])
        state = _State(spectra, channels, None)
    else:
        shift = _template_shift(samples, template)
        head = bytes([_WITH_TEMPLATE, shift + _SHIFT_BIAS]) + _digest(template)
        state = _State(spectra, channels, _scaled(template, shift))
    counts = samples.astype(np.float64)
    inner = slice(MARGIN, MARGIN + channels)
    means = np.empty(counts.shape)
    for row in range(spectra):
        here = state.means[row]
        means[row] = smooth([here[inner.start + at : inner.stop + at] for at in range(-2, 3)])
        state.means[row + 1, inner] = here[inner] + (counts[row] - here[inner]) * state.rates[row]
    np.cumsum(counts, axis=1, out=state.counts[:-1, inner])
    np.cumsum(means, axis=1, out=state.expected[:-1, inner])
    clues = rate_clues(
        means,
        [_window(state.counts, back) for back in _BACK],
        [_window(state.expected, back) for back in _BACK[3:]],
    )
    rate_weights = _fit_rate(np.stack([clue.reshape(-1) for clue in clues]), counts.reshape(-1))
    rate = _rates(rate_weights, clues)
    residuals = (counts - np.floor(rate + 0.5)).astype(np.int32)
    np.cumsum(np.abs(residuals), axis=1, out=state.misses[:-1, inner])
    sizes = size_clues(rate, _window(state.misses, 1), _window(state.misses, 4))
    size_weights = _fit_size(sizes, residuals, rate)
    contexts, direct = contexts_of(rate, activity(size_weights, sizes))
    values = np.where(direct, samples.astype(np.uint32), fold(residuals))
    order = list(steps(spectra, channels))
    flat_values, flat_contexts = values.reshape(-1), contexts.reshape(-1)
    symbols = encode_symbols(
        SCHEME,
        np.concatenate([flat_values[places] for _, _, places in order]),
        np.concatenate([flat_contexts[places] for _, _, places in order]),
        np.array([end - first for first, end, _ in order]),
    )
    return head + bytes(rate_weights) + bytes(size_weights) + symbols


def _fit_rate(clues: Floats, counts: Floats) -> tuple[int, ...]:
    """Return non-negative weights, in 1/64, by least squares under Poisson noise."""
    stride = max(1, counts.size // _FIT_COUNTS)
    clues, counts = clues[:, ::stride], counts[::stride]
    weights = np.full(RATE_CLUES, 1.0 / RATE_CLUES)
    for _ in range(_ROUNDS):
        foretold = np.full(counts.shape, 1.0 / WEIGHT_UNIT)
        for weight, clue in zip(weights.tolist(), clues, strict=True):
            foretold += weight * clue
        # Whole numbers below 2^18, some 2^16 of them: the sums are exact.
        scale = _NORMAL / np.sqrt(foretold)
        rows = np.minimum(np.floor(clues * scale), _CLIP)
        target = np.minimum(np.floor(counts * scale), _CLIP)
        weights = non_negative(rows @ rows.T, rows @ target)
    return tuple(int(weight) for weight in np.clip(np.rint(weights * WEIGHT_UNIT), 0, 255))


def _fit_size(sizes: list[Reals], residuals: Residuals, rate: Floats) -> tuple[int, ...]:
    coded = np.flatnonzero(rate >= DIRECT_BELOW)
    coded = coded[:: max(1, coded.size // _FIT_COUNTS)]
    magnitudes = np.abs(residuals).reshape(-1)[coded].astype(np.float32) * np.float32(UNIT)
    return fit_activity(np.stack([size.reshape(-1)[coded] for size in sizes]), magnitudes)


def _moved(places: slice, by: int) -> slice:
    return slice(places.start + by, places.stop + by, places.step)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if not data:
        raise WireError("empty part of spectra")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] not in (_MODEL, _WITH_TEMPLATE) or dtype.kind != "u":
        raise WireError("part of spectra of an unknown method")
    count = math.prod(shape)
    if len(shape) not in (1, 2) or count == 0 or shape[-1] < _LEAST_CHANNELS:
        raise WireError("not a part of spectra")
    check_expansion(count, len(data))
    if not affords_steps(shape, len(data)):
        raise WireError("the stream is too short for so many channels")
    place, template = 1, None
    if data[0] == _WITH_TEMPLATE:
        template = _read_template(data, shape[-1], options.template)
        place = 4
    weights = data[place : place + RATE_CLUES + SIZE_CLUES]
    if len(weights) < RATE_CLUES + SIZE_CLUES:
        raise WireError("weights are cut short")
    symbols = SymbolDecoder(SCHEME, data[place + len(weights) :])
    state = _State(count // shape[-1], shape[-1], template)
    largest = int(np.iinfo(dtype).max)
    counts = _decode_counts(
        state, tuple(weights[:RATE_CLUES]), tuple(weights[RATE_CLUES:]), symbols, largest
    )
    symbols.finish()
    return Block(as_integers(counts.reshape(shape), dtype))


def _read_template(data: bytes, channels: int, template: NDArray[np.uint32] | None) -> Floats:
    if template is None or template.shape != (channels,):
        raise WireError("spectra were coded with a template that is not here")
    if len(data) < 4 or data[2:4] != _digest(template):
        raise WireError("spectra were coded with another template")
    return _scaled(template, data[1] - _SHIFT_BIAS)


def _decode_counts(
    state: _State,
    rate_weights: tuple[int, ...],
    size_weights: tuple[int, ...],
    symbols: SymbolDecoder,
    largest: int,
) -> NDArray[np.int64]:
    width = state.width
    means, counted, expected, missed = (
        plane.reshape(-1) for plane in (state.means, state.counts, state.expected, state.misses)
    )
    decoded = np.empty(means.size, np.int64)
    for first, end, here in steps(state.spectra, state.channels, width, MARGIN):
        before = _moved(here, -1)
        mean = smooth([means[_moved(here, at)] for at in range(-2, 3)])
        clues = rate_clues(
            mean,
            [counted[before] - counted[_moved(before, -back)] for back in _BACK],
            [expected[before] - expected[_moved(before, -back)] for back in _BACK[3:]],
        )
        rate = _rates(rate_weights, clues)
        sizes = size_clues(
            rate,
            missed[before] - missed[_moved(before, -1)],
            missed[before] - missed[_moved(before, -4)],
        )
        contexts, direct = contexts_of(rate, activity(size_weights, sizes))
        values = symbols.take(contexts)
        foretold = np.floor(rate + 0.5).astype(np.int64)
        counts = np.where(direct, values.astype(np.int64), foretold + unfold(values))
        if counts.min() < 0 or counts.max() > largest:
            raise WireError("a count is out of range")
        decoded[here] = counts
        counted[here] = counted[before] + counts
        expected[here] = expected[before] + mean
        missed[here] = missed[before] + np.abs(counts - foretold)
        moved = (counts - means[here]) * state.rates[first:end]
        means[_moved(here, width)] = means[here] + moved
    rows = decoded.reshape(-1, width)
    return rows[: state.spectra, MARGIN : MARGIN + state.channels]


SPECTRA = Codec("spectra", 2, _cut, _encode, _decode)
