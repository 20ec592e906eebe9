"""How the X-ray codec codes a number whose size it has foretold: by the shape of counting noise.

A count of less than eight or so is Poisson. A residual of more has about the shape of a logistic
distribution: a bell, with somewhat more far out than chance alone would put there. Either has a
table of shares for each eighth of an octave of its scale, the same in every stream: a spectrum is
too short for tables of its own.
"""

import math
from bisect import bisect_right
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.linear import Floats
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder

TOTAL_BITS = 14
_TOTAL = 1 << TOTAL_BITS
TOKENS = 40
ESCAPE = TOKENS - 1
"""A number too large for the tokens: its length follows, and its bits."""
_LENGTH_BITS = 6
STEPS = 8
"""Tables an octave."""
LEAST_RATE = 2.0**-10
DIRECT_BELOW = 8.0
"""Rates below this have the count itself coded, rates above the residual."""
LEAST_SIZE = 2.0**-2
_OWN_OCTAVES, _ALL_OCTAVES = 5, 34
"""Sizes from LEAST_SIZE to 8 have tables of their own; above, low bits go raw, and what is left
looks alike in every octave."""
_DIRECT = STEPS * (int(math.log2(DIRECT_BELOW / LEAST_RATE)))
_EXPONENT_OF_LEAST_RATE, _EXPONENT_OF_LEAST_SIZE = (
    math.frexp(least)[1] for least in (LEAST_RATE, LEAST_SIZE)
)
CONTEXTS = _DIRECT + STEPS * _ALL_OCTAVES


def _poisson(rate: float) -> list[float]:
    """Return the (unscaled) probabilities of the counts from 0 on."""
    probabilities = [1.0]
    for count in range(1, 2 * TOKENS):
        probabilities.append(probabilities[-1] * rate / count)
    return probabilities


def _exponential(number: float) -> float:
    """Return e to a number from 0 to 8, out of operations that are the same everywhere."""
    term = total = 1.0
    for index in range(1, 64):
        term *= number / index
        total += term
    return total


_TWICE_LOG_2 = 1.3862943611198906


def _logistic(magnitude: float) -> list[float]:
    """Return the probabilities of residuals folded to 0, -1, 1, … of this mean magnitude."""
    growth = _exponential(_TWICE_LOG_2 / magnitude)
    root = growth**0.5
    # 1 / (1 + growth^(x + 1/2)) is the share beyond x + 1/2.
    beyond, power = [], root
    for _ in range(TOKENS + 1):
        beyond.append(1 / (1 + power))
        power *= growth
    probabilities = [1 - 2 * beyond[0]]
    for near, far in pairwise(beyond):
        probabilities += [near - far, near - far]
    # All that are further out need not be told apart.
    return [*probabilities, 2 * beyond[-1]]


def _table(probabilities: list[float], shift: int) -> list[int]:
    """Return where each token's share of _TOTAL ends; every token has one."""
    weights = [0.0] * TOKENS
    for number, probability in enumerate(probabilities):
        weights[min(number >> shift, ESCAPE)] += probability
    total = sum(weights)
    shares = [1 + int(weight / total * (_TOTAL - TOKENS)) for weight in weights]
    shares[shares.index(max(shares))] += _TOTAL - sum(shares)
    return list(accumulate(shares))


def _tables() -> tuple[list[list[int]], list[int]]:
    """Return the table and the number of raw low bits of each context."""
    ends, shifts = [], []
    for context in range(_DIRECT):
        octave, step = divmod(context, STEPS)
        rate = math.ldexp(LEAST_RATE * (STEPS + step + 0.5) / STEPS, octave)
        ends.append(_table(_poisson(rate), 0))
        shifts.append(0)
    for context in range(STEPS * _ALL_OCTAVES):
        octave, step = divmod(context, STEPS)
        shift = max(0, octave - _OWN_OCTAVES + 1)
        if shift > 1:
            ends.append(ends[-STEPS])
        else:
            size = math.ldexp(LEAST_SIZE * (STEPS + step + 0.5) / STEPS, octave)
            ends.append(_table(_logistic(size), shift))
        shifts.append(shift)
    return ends, shifts


_ENDS, SHIFTS = _tables()
_ENDS_BY_TOKEN = np.array([[0, *ends] for ends in _ENDS])
_SHIFTS = np.array(SHIFTS)


def contexts_of(rates: Floats, sizes: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each count's context, and which counts are coded as they are."""
    direct = rates < DIRECT_BELOW
    fractions, exponents = np.frexp(np.where(direct, rates, sizes))
    contexts = exponents.astype(np.int64) * STEPS + np.floor(fractions * (2 * STEPS)).astype(
        np.int64
    )
    contexts -= np.where(direct, _DIRECT_OFFSET, _SIZE_OFFSET)
    low, high = np.where(direct, 0, _DIRECT), np.where(direct, _DIRECT, CONTEXTS) - 1
    return np.minimum(np.maximum(contexts, low), high), direct


_DIRECT_OFFSET = (_EXPONENT_OF_LEAST_RATE + 1) * STEPS
_SIZE_OFFSET = (_EXPONENT_OF_LEAST_SIZE + 1) * STEPS - _DIRECT


def direct_context(rate: float) -> int:
    """Return the context of one count that is coded as it is."""
    fraction, exponent = math.frexp(rate)
    context = exponent * STEPS + int(fraction * (2 * STEPS)) - _DIRECT_OFFSET
    return min(max(context, 0), _DIRECT - 1)


def residual_context(size: float) -> int:
    """Return the context of one residual."""
    fraction, exponent = math.frexp(size)
    context = exponent * STEPS + int(fraction * (2 * STEPS)) - _SIZE_OFFSET
    return min(max(context, _DIRECT), CONTEXTS - 1)


def put_numbers(
    coder: RangeEncoder, numbers: NDArray[np.int64], contexts: NDArray[np.int64]
) -> None:
    """Code numbers, each in its context."""
    shifts = _SHIFTS[contexts]
    high = numbers >> shifts
    tokens = np.minimum(high, ESCAPE)
    below = _ENDS_BY_TOKEN[contexts, tokens]
    share = _ENDS_BY_TOKEN[contexts, tokens + 1] - below
    rest = ((tokens == ESCAPE) | (shifts > 0)).tolist()
    for start, width, more, number, shift in zip(
        below.tolist(), share.tolist(), rest, numbers.tolist(), shifts.tolist(), strict=True
    ):
        coder.put(start, width, _TOTAL)
        if more:
            large = (number >> shift) - ESCAPE
            if large >= 0:
                coder.put_bits(large.bit_length(), _LENGTH_BITS)
                coder.put_bits(large, large.bit_length())
            coder.put_bits(number & ((1 << shift) - 1), shift)


def take_number(coder: RangeDecoder, context: int) -> int:
    """Return the next number, given its context."""
    ends = _ENDS[context]
    number = bisect_right(ends, coder.look(_TOTAL))
    below = ends[number - 1] if number else 0
    coder.take(below, ends[number] - below)
    if number == ESCAPE:
        number += coder.take_bits(coder.take_bits(_LENGTH_BITS))
    shift = SHIFTS[context]
    return number << shift | coder.take_bits(shift) if shift else number
