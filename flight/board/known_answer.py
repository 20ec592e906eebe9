"""The frame whose answer is known: it tells whether a model still computes what it was built for.

The input is a pattern that needs no file: element i, in C order over the whole input tensor, is

    x_i = ((i * 2654435761 + seed * 40503) >> 13 & 0xFF) - 128

(2654435761 is 2**32 over the golden ratio: neighbours differ and every int8 value occurs). The
card lists a few hundred spread samples of each output and how far the fast kernels may stray
from them; the reference kernels of the runtime that wrote the card must hit them exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flight.product.values import Tensor

_STEP = 2654435761


@dataclass(frozen=True, slots=True)
class OutputAnswer:
    """What one output must hold, at some of its places."""

    index: tuple[int, ...]
    """Places in the flattened output, C order."""
    value: tuple[int, ...]
    """The int8 value at each place."""
    tolerance: int
    """Steps by which the fast kernels may differ; the reference kernels may not."""


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A pattern to put in, and what must come out."""

    seed: int
    outputs: tuple[OutputAnswer, ...]


def pattern(shape: Sequence[int], seed: int) -> Tensor:
    """Return the pattern as an int8 array of ``shape``."""
    count = int(np.prod(shape, dtype=np.int64))
    index = np.arange(count, dtype=np.uint64)
    # uint64 wraps; the eight bits that are kept lie below bit 21, where wrapping changes nothing.
    mixed = index * np.uint64(_STEP) + np.uint64(seed * 40503)
    kept = (mixed >> np.uint64(13)) & np.uint64(0xFF)
    return (kept.astype(np.int16) - 128).astype(np.int8).reshape(tuple(shape))


def disagreement(answer: KnownAnswer, outputs: Sequence[Tensor], *, exact: bool) -> str | None:
    """Return in words how ``outputs`` differ from the known answer, or None when they agree.

    ``exact`` asks for equal bits (the reference kernels); otherwise the card's tolerance holds.
    """
    if len(outputs) != len(answer.outputs):
        return f"{len(outputs)} outputs, the card knows {len(answer.outputs)}"
    for number, (output, known) in enumerate(zip(outputs, answer.outputs, strict=True)):
        flat = output.reshape(-1)
        if max(known.index, default=-1) >= flat.size:
            return f"output {number} has {flat.size} elements, the card samples beyond them"
        got = flat[np.array(known.index, dtype=np.intp)].astype(np.int16)
        error = np.abs(got - np.array(known.value, dtype=np.int16))
        worst = int(error.max(initial=0))
        if worst > (0 if exact else known.tolerance):
            wrong = int(np.count_nonzero(error > (0 if exact else known.tolerance)))
            return f"output {number}: {wrong} of {error.size} samples off, by up to {worst}"
    return None
