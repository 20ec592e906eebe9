"""The X-ray codec: (channels,) or (spectra, channels) counts, lossless.

A part holds some spectra and decodes alone; with a template that both ends know, even a single
spectrum begins with a good idea of itself. Without one the first spectrum of a part knows less
than the others, and has weights of its own.
"""

import math
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.entropy import check_expansion
from flight.product.codecs.geometry import cut_grid
from flight.product.codecs.linear import Floats
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
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
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.codecs.xrfmodel import (
    LARGEST,
    LONGEST,
    RATE_WEIGHTS,
    SIZE_WEIGHTS,
    Clues,
    Counts,
    Weights,
    fit_sizes,
    mean_after,
    per_count,
    sizes,
    smooth,
)
from flight.product.codecs.xrftables import (
    DIRECT_BELOW,
    LEAST_RATE,
    LEAST_SIZE,
    contexts_of,
    direct_context,
    put_numbers,
    residual_context,
    take_number,
)
from flight.product.errors import WireError

_RAW, _MODEL, _WITH_TEMPLATE = 0, 1, 2
_HOPELESS = 4
"""Only spectra that the model shrinks by less than this are worth trying without it."""
_SHIFT_BIAS = 64
_PART_SPECTRA = 32
_FREE_COUNTS, _COUNTS_A_BYTE = 1 << 12, 1 << 7
"""What a stream of so many bytes may ask for: each count takes some microseconds."""


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) == 1:
        return cut_grid(shape, shape)
    if len(shape) != 2:
        raise ValueError("spectra have channels, or spectra and channels")
    return cut_grid(shape, (options.part_lines or _PART_SPECTRA, shape[1]))


def _affords(counts: int, stream_bytes: int) -> bool:
    return counts <= _FREE_COUNTS + stream_bytes * _COUNTS_A_BYTE


def _encode(samples: Integers, options: Options) -> bytes:
    modelled = b""
    if samples.size and samples.ndim in (1, 2) and samples.dtype.kind == "u":
        modelled = _encode_model(samples, options.template)
    if modelled and len(modelled) * _HOPELESS < samples.nbytes:
        return modelled
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    return min(filter(None, (modelled, plain)), key=len)


def _digest(template: NDArray[np.uint32]) -> bytes:
    """Return two bytes that tell another template from this one, most likely."""
    return (zlib.crc32(template.astype("<u4").tobytes()) & 0xFFFF).to_bytes(2, "big")


def _template_shift(counts: Counts, template: NDArray[np.uint32]) -> int:
    """Return the power of two that brings the template's total nearest to a spectrum's."""
    mean = int(counts.sum()) // len(counts)
    total = int(template.sum(dtype=np.int64))
    return max(-_SHIFT_BIAS, min(mean.bit_length() - total.bit_length(), _SHIFT_BIAS - 1))


def _groups(spectra: int, with_template: bool) -> list[slice]:
    """Return which spectra share their weights."""
    if with_template or spectra == 1:
        return [slice(0, spectra)]
    return [slice(0, 1), slice(1, spectra)]


def _encode_model(samples: Integers, template: NDArray[np.uint32] | None) -> bytes:
    """Return the stream of some spectra; nothing if they cost more time than it pays for."""
    if int(samples.max()) > LARGEST:
        return b""
    counts = samples.reshape(-1, samples.shape[-1]).astype(np.int64)
    if template is None:
        head = bytes([_MODEL])
        mean = np.zeros(counts.shape[1])
    else:
        shift = _template_shift(counts, template)
        head = bytes([_WITH_TEMPLATE, shift + _SHIFT_BIAS]) + _digest(template)
        mean = np.ldexp(template.astype(np.float64), shift)
    used = counts.any(axis=0).nonzero()[0]
    if not used.size:
        return head + write_varints([0, 0])
    first, end = int(used[0]), int(used[-1]) + 1
    head += write_varints([first, end - first])
    coder = RangeEncoder()
    head += _put_spectra(coder, counts[:, first:end], mean[first:end], template is not None)
    stream = head + coder.finish()
    return stream if _affords(len(counts) * (end - first), len(stream)) else b""


def _put_spectra(coder: RangeEncoder, counts: Counts, mean: Floats, with_template: bool) -> bytes:
    """Code spectra and return their weights; ``mean`` is what is known of them."""
    means = np.empty(counts.shape)
    for row, spectrum in enumerate(counts):
        means[row] = mean
        mean = mean_after(mean, spectrum.astype(np.float64), row + with_template)
    means = smooth(means)
    groups = _groups(len(counts), with_template)
    return b"".join(_put_group(coder, counts[group], means[group]) for group in groups)


def _put_group(coder: RangeEncoder, counts: Counts, means: Floats) -> bytes:
    """Code spectra that share their weights, and return these."""
    clues = Clues(counts, means)
    weights = Weights(clues.fit_rate(), ())
    rates = clues.rates(weights.rate_terms)
    residuals = counts - np.floor(rates + 0.5).astype(np.int64)
    misses = np.abs(residuals).astype(np.float64)
    weights = Weights(weights.rate, fit_sizes(rates, misses))
    contexts, direct = contexts_of(rates, sizes(rates, misses, weights.size_terms))
    numbers = np.where(direct, counts, residuals << 1 ^ residuals >> 63)
    put_numbers(coder, numbers.reshape(-1), contexts.reshape(-1))
    return bytes(weights)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if not data:
        raise WireError("empty part of spectra")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] not in (_MODEL, _WITH_TEMPLATE) or dtype.kind != "u":
        raise WireError("part of spectra of an unknown method")
    if len(shape) not in (1, 2) or math.prod(shape) == 0:
        raise WireError("not a part of spectra")
    check_expansion(math.prod(shape), len(data))
    spectra, channels = math.prod(shape[:-1]), shape[-1]
    place, mean = 1, np.zeros(channels)
    with_template = data[0] == _WITH_TEMPLATE
    if with_template:
        mean = _read_template(data, channels, options.template)
        place = 4
    (first, width), place = read_varints(data, 2, place)
    if first + width > channels or not _affords(spectra * width, len(data)):
        raise WireError("the stream is too short for its channels")
    counts = np.zeros((spectra, channels), np.int64)
    if width:
        used = slice(first, first + width)
        _take_spectra(data[place:], counts[:, used], mean[used], with_template)
    elif place < len(data):
        raise WireError("spectra of nothing with something behind")
    if int(counts.max()) > np.iinfo(dtype).max:
        raise WireError("a count is out of range")
    return Block(as_integers(counts.reshape(shape), dtype))


def _read_template(data: bytes, channels: int, template: NDArray[np.uint32] | None) -> Floats:
    if template is None or template.shape != (channels,):
        raise WireError("spectra were coded with a template that is not here")
    if len(data) < 4 or data[2:4] != _digest(template):
        raise WireError("spectra were coded with another template")
    return np.ldexp(template.astype(np.float64), data[1] - _SHIFT_BIAS)


def _take_spectra(data: bytes, counts: Counts, mean: Floats, with_template: bool) -> None:
    """Fill in the counts, spectrum by spectrum."""
    groups = _groups(len(counts), with_template)
    size = RATE_WEIGHTS + SIZE_WEIGHTS
    if len(data) < size * len(groups):
        raise WireError("weights are cut short")
    coder = RangeDecoder(data[size * len(groups) :])
    for index, group in enumerate(groups):
        weights = Weights.read(data[size * index : size * (index + 1)])
        for row in range(group.start, group.stop):
            counts[row] = _take_spectrum(coder, weights, smooth(mean))
            mean = mean_after(mean, counts[row].astype(np.float64), row + with_template)
    coder.finish()


def _take_spectrum(coder: RangeDecoder, weights: Weights, mean: Floats) -> list[int]:
    """Return the counts of a spectrum.

    One channel after the other in plain Python: each depends on the last one, and there is
    nothing else to do at the same time. Terms are those of Clues and sizes, in their order.
    """
    floor, near, far, own1, own4, own16 = weights.rate_terms
    root, share, miss1, miss4 = weights.size_terms
    ratios = per_count(mean)
    # Sums of counts and of misses up to each channel, behind as many zeros as windows look back.
    sums, missed = [0] * (LONGEST + 1), [0] * 5
    counts = []
    total = misses = 0
    for near8, far24 in zip((ratios[0] * near).tolist(), (ratios[1] * far).tolist(), strict=True):
        rate = near8 * (total - sums[-9] + 4.0) + floor
        rate += far24 * (total - sums[-25] + 8.0)
        rate += (total - sums[-2]) * own1
        rate += (total - sums[-5]) * own4
        rate += (total - sums[-17]) * own16
        rate = min(max(rate, LEAST_RATE), LARGEST)
        foretold = int(rate + 0.5)
        if rate < DIRECT_BELOW:
            count = take_number(coder, direct_context(rate))
        else:
            size = math.sqrt(rate) * root
            size += rate * share
            size += (misses - missed[-2]) * miss1
            size += (misses - missed[-5]) * miss4
            folded = take_number(coder, residual_context(max(size, LEAST_SIZE)))
            count = foretold + (folded >> 1 ^ -(folded & 1))
        if not 0 <= count <= LARGEST:
            raise WireError("a count is out of range")
        counts.append(count)
        total += count
        misses += abs(count - foretold)
        sums.append(total)
        missed.append(misses)
    return counts


SPECTRA = Codec("spectra", 3, _cut, _encode, _decode)
