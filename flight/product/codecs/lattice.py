"""The progressive image codec: a tile's coarse picture first, then level by level to the last bit.

A part holds a tile's levels in sections, coarsest first, and may be cut after any of them: what
is left decodes to every 2nd, 4th, … pixel, and the others are marked as missing. ``split`` cuts
parts so that the coarse pictures of all tiles, or those of a region of interest, can travel first
and the rest later, without sending anything twice.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from flight.product.codecs.contexts import (
    RESIDUALS,
    UNIT,
    Reals,
    activity,
    context_of,
    fit_activity,
    fold,
    quantised,
    unfold,
)
from flight.product.codecs.entropy import SymbolDecoder, check_expansion, encode_symbols
from flight.product.codecs.geometry import check_tile, cut_tiles
from flight.product.codecs.latticemodel import (
    CLUES,
    WEIGHT_BITS,
    Around,
    blocks,
    foretell,
    levels,
    look_around,
    steps,
    widen,
)
from flight.product.codecs.linear import Floats, solve
from flight.product.codecs.rangecoder import Integers as IntegerModel
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
from flight.product.codecs.raw import RAW
from flight.product.codecs.types import (
    Block,
    Box,
    Codec,
    Dtype,
    Encoded,
    Integers,
    Options,
    Shape,
    as_integers,
)
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

_FIRST, _REST = 1, 2
_FIT_PIXELS = 1 << 14
_LEAST_FITTED = 1 << 10
"""A pass of fewer pixels is foretold by the mean of four: weights would cost more than they
save."""
_LARGEST_WEIGHT = 1 << 15
_FIT_SCALE, _FIT_CLIP = float(1 << 12) * UNIT, float(1 << 18)
_RIDGE = 1e-6
_CLUE_BITS = 8
_LEVEL_BITS = 20


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    return cut_tiles(shape, options.tile)


class _Picture:
    """A tile while its levels become known."""

    def __init__(self, shape: Shape, lowest: int, highest: int, maximum_error: int) -> None:
        rows, columns = shape
        self.shape = (rows, columns)
        self.lowest, self.highest = lowest, highest
        self.maximum_error = maximum_error
        # Whole numbers below 2^24: nothing is lost in 32 bits.
        self.values: Reals = np.zeros(self.shape, np.float32)
        self.magnitudes: Reals = np.zeros(self.shape, np.float32)
        self.spacing = 1 << levels(rows, columns)

    def widened(self, half: int) -> tuple[Reals, Reals]:
        """Return values and magnitudes of the finer lattice, as they are now, mirrored around."""
        return widen(self.values[::half, ::half]), widen(self.magnitudes[::half, ::half])

    def put(self, rows: slice, columns: slice, foretold: Floats, steps_off: Floats) -> None:
        """Take a pass's residuals, in steps of 2 maximum_error + 1."""
        values = steps_off * (2 * self.maximum_error + 1)
        values += foretold
        np.maximum(values, self.lowest, out=values)
        np.minimum(values, self.highest, out=values)
        target = self.values[rows, columns]
        target[:] = values.reshape(target.shape)
        self.magnitudes[rows, columns] = np.abs(steps_off).reshape(target.shape) * UNIT


def _encode(samples: Integers, options: Options) -> bytes:
    if samples.dtype.itemsize > 2 or samples.dtype.kind != "u":
        raise TypeError(f"the lattice codec takes unsigned 8 and 16 bits, not {samples.dtype}")
    if samples.size == 0:
        return bytes([_FIRST])
    wanted = samples.astype(np.float64)
    lowest, highest = int(samples.min()), int(samples.max())
    picture = _Picture(samples.shape, lowest, highest, options.maximum_error)
    spacing = picture.spacing
    base = RAW.encode(samples[::spacing, ::spacing], options)
    picture.values[::spacing, ::spacing] = wanted[::spacing, ::spacing]
    sections = [write_varints([lowest, highest - lowest, options.maximum_error]) + base]
    while spacing > 1:
        sections.append(_encode_level(picture, wanted, spacing))
        spacing //= 2
    return bytes([_FIRST]) + b"".join(
        write_varints([len(section)]) + section for section in sections
    )


def _encode_level(picture: _Picture, wanted: Floats, spacing: int) -> bytes:
    coder = RangeEncoder()
    folded, contexts, sizes = [], [], []
    half = spacing // 2
    for one, rows, columns in steps(spacing, picture.shape):
        known, known_sizes = picture.widened(half)
        aim = wanted[rows, columns]
        around = look_around(one, known, known_sizes, slice(0, len(aim)))
        target = aim.reshape(-1)
        weights = _fit(around, target, picture.maximum_error)
        foretold = foretell(around, np.array(weights, np.float64), picture.lowest, picture.highest)
        residuals = quantised(target - foretold, picture.maximum_error)
        magnitudes = (np.abs(residuals) * UNIT).astype(np.float32)
        level = int(magnitudes.sum(dtype=np.float64)) // magnitudes.size
        clues = [*around.clues, np.full(magnitudes.shape, level, np.float32)]
        stride = max(1, magnitudes.size // _FIT_PIXELS)
        clue_weights = fit_activity(
            np.stack([clue[::stride] for clue in clues]), magnitudes[::stride]
        )
        _put_side(coder, weights, level, clue_weights)
        folded.append(fold(residuals.astype(np.int32)))
        contexts.append(context_of(activity(clue_weights, clues)))
        sizes += [(block.stop - block.start) * aim.shape[1] for block in blocks(*aim.shape)]
        picture.put(rows, columns, foretold, residuals)
    side = coder.finish()
    symbols = encode_symbols(
        RESIDUALS, np.concatenate(folded), np.concatenate(contexts), np.array(sizes)
    )
    return write_varints([len(side)]) + side + symbols


def _fit(around: Around, target: Floats, maximum_error: int) -> tuple[int, ...]:
    count = len(around.features)
    if target.size < _LEAST_FITTED:
        return (0,) * count
    some = slice(None, None, max(1, target.size // _FIT_PIXELS))
    # A pixel counts the less the more its neighbours differ: there a miss costs little more.
    busy = around.clues[0][some].astype(np.float64)
    scale = _FIT_SCALE / (busy + float(int(busy.sum()) // busy.size + UNIT))
    # Whole numbers below 2^18, some 2^15 of them: the sums stay below 2^53.
    rows = np.floor(np.clip(around.features[:, some] * scale, -_FIT_CLIP, _FIT_CLIP))
    wanted = (4.0 * target[some] - around.nearest_sum[some]) * scale
    wanted = np.floor(np.clip(wanted, -_FIT_CLIP, _FIT_CLIP))
    gram = rows @ rows.T
    diagonal = np.einsum("ii->i", gram)
    trace = 0.0
    for term in diagonal.tolist():
        trace += term
    noise = 16 * float((np.floor(scale) ** 2).sum()) * ((2 * maximum_error + 1) ** 2 - 1) / 12
    diagonal += trace * (_RIDGE / count) + _FIT_SCALE + noise
    right = np.asarray(rows @ wanted, np.float64)
    answer = np.rint(solve(gram[None], right[None])[0] * (1 << WEIGHT_BITS))
    return tuple(int(weight) for weight in np.clip(answer, -_LARGEST_WEIGHT, _LARGEST_WEIGHT - 1))


def _put_side(
    coder: RangeEncoder, weights: tuple[int, ...], level: int, clue_weights: tuple[int, ...]
) -> None:
    coder.put_bits(level, _LEVEL_BITS)
    for weight in clue_weights:
        coder.put_bits(weight, _CLUE_BITS)
    model = IntegerModel(17)
    for weight in weights:
        model.put(coder, weight)


def _take_side(coder: RangeDecoder, count: int) -> tuple[Floats, int, tuple[int, ...]]:
    level = coder.take_bits(_LEVEL_BITS)
    clue_weights = tuple(coder.take_bits(_CLUE_BITS) for _ in range(CLUES))
    model = IntegerModel(17)
    weights = [model.take(coder) for _ in range(count)]
    if max(map(abs, weights)) > _LARGEST_WEIGHT:
        raise WireError("weight of a pass is out of range")
    return np.array(weights, np.float64), level, clue_weights


def _decode_level(picture: _Picture, data: bytes, spacing: int) -> None:
    (size,), place = read_varints(data, 1)
    coder = RangeDecoder(data[place : place + size])
    symbols = SymbolDecoder(RESIDUALS, data[place + size :])
    half = spacing // 2
    for one, rows, columns in steps(spacing, picture.shape):
        known, sizes = picture.widened(half)
        weights, level, clue_weights = _take_side(coder, len(one.rings))
        target = picture.values[rows, columns]
        for block in blocks(*target.shape):
            around = look_around(one, known, sizes, block)
            foretold = foretell(around, weights, picture.lowest, picture.highest)
            clues = [*around.clues, np.full(foretold.shape, level, np.float32)]
            residuals = unfold(symbols.take(context_of(activity(clue_weights, clues))))
            here = slice(spacing * block.start + rows.start, spacing * block.stop, spacing)
            picture.put(here, columns, foretold, residuals.astype(np.float64))
    symbols.finish()


def _sections(data: bytes, place: int) -> Iterator[bytes]:
    """Yield the sections that arrived whole; a cut after one of them is no error."""
    while place < len(data):
        (size,), place = read_varints(data, 1, place)
        if place + size > len(data):
            raise WireError("section of a lattice part is cut short")
        yield data[place : place + size]
        place += size


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    check_tile(shape)
    if dtype.itemsize > 2 or dtype.kind != "u" or not data:
        raise WireError("not a part of an image")
    samples = as_integers(np.zeros(shape, dtype), dtype)
    present = np.zeros(shape, np.bool_)
    if data[0] == _REST or 0 in shape:
        # A refinement whose coarse picture has not arrived says nothing yet.
        return Block(samples, present)
    if data[0] != _FIRST:
        raise WireError("lattice part of an unknown method")
    sections = _sections(data, 1)
    base = next(sections, None)
    if base is None:
        raise WireError("lattice part without its coarsest picture")
    (lowest, span, maximum_error), place = read_varints(base, 3)
    limit = int(np.iinfo(dtype).max)
    if lowest + span > limit or maximum_error > limit:
        raise WireError("pixels do not fit their dtype")
    check_expansion(math.prod(shape), len(data))
    picture = _Picture(shape, lowest, lowest + span, maximum_error)
    spacing = picture.spacing
    coarse_shape = tuple(-(-length // spacing) for length in shape)
    coarse = RAW.decode(base[place:], coarse_shape, dtype, options).samples
    picture.values[::spacing, ::spacing] = coarse
    for section in sections:
        if spacing == 1:
            raise WireError("lattice part has too many levels")
        _decode_level(picture, section, spacing)
        spacing //= 2
    samples[::spacing, ::spacing] = picture.values[::spacing, ::spacing]
    present[::spacing, ::spacing] = True
    return Block(samples, present)


def join(pieces: Sequence[bytes]) -> bytes:
    """Return one part's data from its coarse piece and its refinement, in any order."""
    first = [piece for piece in pieces if piece[:1] == bytes([_FIRST])]
    rest = [piece for piece in pieces if piece[:1] == bytes([_REST])]
    if not first:
        return rest[0] if rest else b""
    whole = max(first, key=len)
    for piece in rest:
        (length,), place = read_varints(piece, 1, 1)
        if length == len(whole):
            return whole + piece[place:]
    return whole


def split(
    parts: Sequence[Encoded], spacing: int
) -> tuple[tuple[Encoded, ...], tuple[Encoded, ...]]:
    """Return each part's picture of every ``spacing``-th pixel, and each part's refinement.

    Sent one after the other they are no longer, but for some three bytes, than the part.
    """
    coarse, fine = [], []
    for part in parts:
        rows, columns = part.geometry[-2:]
        here = 1 << levels(rows, columns)
        end = 1
        for section in _sections(part.data, 1):
            if end > 1 and here <= spacing:
                break
            here = here if end == 1 else here // 2
            end += len(write_varints([len(section)])) + len(section)
        coarse.append(Encoded(part.geometry, part.data[:end]))
        if end < len(part.data):
            tail = bytes([_REST]) + write_varints([end]) + part.data[end:]
            fine.append(Encoded(part.geometry, tail))
    return tuple(coarse), tuple(fine)


LATTICE = Codec("lattice", 3, _cut, _encode, _decode, join)
