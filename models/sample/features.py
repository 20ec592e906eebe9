"""What an engineer would read off a case by hand: the classical methods' input."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import FORCE, GAP_A, GAP_B, REST_SHARE, STEPS, in_counts
from models.sample.data import Cases

Features = NDArray[np.float64]

CURRENT, TORQUE, DEPTH, ARM, MASS, LEVEL, MOTOR_K, CANISTER_K, TILT = 0, 1, 2, 3, 4, 5, 9, 10, 11
NEAR_UM = 1500
"""Lid closer than this: on its seal, or on what lies there."""

NAMES = (
    "gap A at rest", "gap B at rest", "gaps together", "lean at rest", "largest lean",
    "force at rest", "largest force", "first force at gap", "work of closing", "relaxation",
    "largest current", "current at the end", "mass at rest", "level at rest", "largest torque",
    "mean torque", "greatest depth", "arm at rest", "canister temperature", "motor heating",
    "picture middle contrast", "picture middle mean", "flange contrast", "deck contrast",
    "deck darkness",
)  # fmt: skip


@lru_cache(maxsize=8)
def features_of(cases: Cases) -> Features:
    """Return (N, 25) numbers, by NAMES."""
    return np.stack([_features(inputs[:, :, 0]) for inputs in cases.inputs])


def _features(inputs: NDArray[np.int8]) -> Features:
    rows = in_counts(inputs[STEPS:]).astype(np.float64)
    last = STEPS // REST_SHARE
    end = rows[:, -last:].mean(axis=1)
    middle_gap = (rows[GAP_A] + rows[GAP_B]) / 2
    force = rows[FORCE]
    pressing = force > 300
    work = force[middle_gap < NEAR_UM]
    telemetry = (
        end[GAP_A], end[GAP_B], end[GAP_A] + end[GAP_B], abs(end[TILT]),
        np.abs(rows[TILT, 8:]).max(), end[FORCE], force.max(),
        middle_gap[int(pressing.argmax())] if pressing.any() else -1000.0,
        work.sum() / 1000, end[FORCE] - force.max(), rows[CURRENT].max(), end[CURRENT],
        end[MASS], end[LEVEL], rows[TORQUE].max(), rows[TORQUE].mean(), rows[DEPTH].max(),
        end[ARM], end[CANISTER_K], rows[MOTOR_K, -last:].mean() - rows[MOTOR_K, :last].mean(),
    )  # fmt: skip
    return np.array((*telemetry, *_picture(inputs[:STEPS].astype(np.float64))))


_DOWN, _ACROSS = np.indices((STEPS, STEPS)) - STEPS / 2
_AWAY = np.hypot(_DOWN, _ACROSS)
_INSIDE, _FLANGE, _DECK = _AWAY < 22, (_AWAY > 25) & (_AWAY < 31), _AWAY > 33


def _picture(contrast: Features) -> tuple[float, ...]:
    rough = np.abs(np.diff(contrast, axis=1, prepend=0))
    return (
        rough[_INSIDE].mean(), contrast[_INSIDE].mean(), rough[_FLANGE].mean(),
        rough[_DECK].mean(), (contrast[_DECK] < -30).mean(),
    )  # fmt: skip
