"""Classical methods on hand-made features: limits, logistic regression, decision trees.

They are fitted by the training command on the model's own training cases and kept, as plain
arrays, in baselines.npz. Each gives heads as the model does, in sixteenths of a logit, and gets
its thresholds in the same way.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import AMOUNTS_G, HEADS, Head
from models.sample.data import Cases
from models.sample.features import NAMES, Features, features_of
from models.sample.scoring import Heads

STEPS_A_LOGIT = 16
DEEPEST, LEAST_LEAF = 9, 20
Arrays = dict[str, NDArray[np.generic]]
Judge = Callable[[Cases], Heads]


def truth_by_head(cases: Cases) -> NDArray[np.bool_]:
    """Return (N, 8) what is so, by head."""
    truth = np.zeros((len(cases.inputs), HEADS), np.bool_)
    for index, amount in enumerate(AMOUNTS_G):
        truth[:, Head.AMOUNT + index] = cases.mass_g >= amount
    truth[:, Head.SPILL], truth[:, Head.JAM] = cases.spilled, cases.jammed
    truth[:, Head.OBSTRUCTED], truth[:, Head.SEALED] = cases.obstructed, cases.sealed
    return truth


def fit(cases: Cases) -> Arrays:
    """Return both methods' arrays; the same cases give the same bits."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    features, truth = features_of(cases)[cases.usable], truth_by_head(cases)[cases.usable]
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    wide = _squared((features - mean) / spread)
    arrays: Arrays = {"mean": mean, "spread": spread}
    slopes, offsets = [], []
    for head in range(HEADS):
        line = LogisticRegression(C=1.0, max_iter=2000).fit(wide, truth[:, head])
        slopes.append(line.coef_[0])
        offsets.append(line.intercept_[0])
        tree = DecisionTreeClassifier(
            max_depth=DEEPEST, min_samples_leaf=LEAST_LEAF, random_state=0
        ).fit(features, truth[:, head])
        nodes = tree.tree_
        chance = (nodes.value[:, 0, 1] + 1e-3) / (nodes.value[:, 0].sum(axis=1) + 2e-3)
        arrays |= {
            f"tree{head}_feature": nodes.feature.astype(np.int16),
            f"tree{head}_limit": nodes.threshold.astype(np.float32),
            f"tree{head}_left": nodes.children_left.astype(np.int16),
            f"tree{head}_right": nodes.children_right.astype(np.int16),
            f"tree{head}_logit": np.log(chance / (1 - chance)).astype(np.float32),
        }
    return arrays | {"slopes": np.array(slopes), "offsets": np.array(offsets)}


def judges(path: Path) -> dict[str, Judge]:
    """Return the classical methods by name."""
    with np.load(path) as stored:
        arrays = dict(stored)
    return {
        "limits": lambda cases: _limits(features_of(cases)),
        "logistic": lambda cases: _logistic(arrays, features_of(cases)),
        "tree": lambda cases: _trees(arrays, features_of(cases)),
    }


def _limits(features: Features) -> Heads:
    """Limits on single figures of the telemetry, as a sequence without any model would have."""

    def of(name: str) -> NDArray[np.float64]:
        return features[:, NAMES.index(name)]

    heads = np.zeros((len(features), HEADS))
    grams = of("mass at rest") / 10
    for index, amount in enumerate(AMOUNTS_G):
        heads[:, Head.AMOUNT + index] = (grams - amount) / 4
    # The level without the mass, or less mass than the level: neither tells what fell beside.
    heads[:, Head.SPILL] = -1
    heads[:, Head.JAM] = (of("largest current") - 1500) / 100
    gaps = of("gaps together")
    # Something holds a lid off its seal only where the press is on.
    heads[:, Head.OBSTRUCTED] = np.minimum((gaps - 120) / 10, (of("force at rest") - 4500) / 50)
    heads[:, Head.SEALED] = (120 - gaps) / 10
    return _steps(heads)


def _logistic(arrays: Arrays, features: Features) -> Heads:
    wide = _squared((features - arrays["mean"]) / arrays["spread"])
    return _steps(wide @ arrays["slopes"].T + arrays["offsets"])


def _trees(arrays: Arrays, features: Features) -> Heads:
    heads = np.zeros((len(features), HEADS))
    features = features.astype(np.float32)
    rows = np.arange(len(features))
    for head in range(HEADS):
        feature, limit = arrays[f"tree{head}_feature"], arrays[f"tree{head}_limit"]
        left, right = arrays[f"tree{head}_left"], arrays[f"tree{head}_right"]
        node = np.zeros(len(features), np.intp)
        for _ in range(DEEPEST):
            goes_left = features[rows, feature[node]] <= limit[node]
            child = np.where(goes_left, left[node], right[node])
            node = np.where(feature[node] >= 0, child, node)
        heads[:, head] = arrays[f"tree{head}_logit"][node]
    return _steps(heads)


def _squared(standard: Features) -> Features:
    """Return features with their squares; outliers are cut, or they would rule."""
    cut = np.clip(standard, -4, 4)
    return np.concatenate([cut, cut**2], axis=1)


def _steps(logits: NDArray[np.float64]) -> Heads:
    return np.clip(np.rint(STEPS_A_LOGIT * logits), -128, 127).astype(np.int8)
