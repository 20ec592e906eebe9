"""Least squares whose answer has the same bits on every machine.

BLAS may add in any order, so sums are only left to it where every partial sum is an exact
integer below 2^53. The elimination is written out in elementwise operations, each of which IEEE
754 defines to the bit; numpy never fuses two of them.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT_BITS = 53


def quantise(features: Floats, fraction_bits: int) -> Floats:
    """Return the features rounded down to multiples of 2^-``fraction_bits``."""
    scale = 2.0**fraction_bits
    rounded: Floats = np.floor(features * scale)
    rounded *= 1 / scale
    return rounded


def fraction_bits(largest: int, count: int) -> int:
    """Return how many fractional bits ``count`` products of values up to ``largest`` may have.

    With so many or fewer their sum is exact in float64, in whatever order it is taken.
    """
    return (EXACT_BITS - count.bit_length()) // 2 - largest.bit_length()


def solve(gram: Floats, right: Floats) -> Floats:
    """Return x with ``gram @ x = right`` for a stack of positive definite systems.

    ``gram`` is (systems, n, n), ``right`` (systems, n). The caller adds the ridge that keeps
    the pivots positive.
    """
    size = right.shape[1]
    rows = np.concatenate((gram, right[:, :, None]), axis=2)
    for index in range(size - 1):
        factor = rows[:, index + 1 :, index] / rows[:, index, index, None]
        rows[:, index + 1 :, index:] -= factor[:, :, None] * rows[:, index, None, index:]
    answer = np.empty_like(right)
    for index in range(size - 1, -1, -1):
        rest = rows[:, index, size].copy()
        for known in range(index + 1, size):
            rest -= rows[:, index, known] * answer[:, known]
        answer[:, index] = rest / rows[:, index, index]
    return answer


def non_negative(gram: Floats, right: Floats) -> Floats:
    """Return least-squares weights; the worst negative one is left out until none is."""
    used = list(range(len(right)))
    weights = np.zeros(len(right))
    while used:
        system = gram[np.ix_(used, used)]
        ridge = np.diag(np.diag(system) * 1e-6 + 1.0)
        answer = solve((system + ridge)[None], right[used][None])[0]
        worst = int(np.argmin(answer))
        if answer[worst] >= 0:
            weights[used] = answer
            break
        del used[worst]
    return weights
