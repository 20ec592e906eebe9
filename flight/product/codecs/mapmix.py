"""What the map codec learns of a busy map: which neighbour a pixel is like, asked in turn.

Is it W's label, else N's, else NE's? For each of these questions there are three opinions, each
with its own idea of what matters: which neighbours near by are alike, which further out are, and
what labels they have. An opinion is the logarithm of how often yes stood against no; a weighted
sum of the opinions is the answer's chance, and the weights learn from every answer (as in Mahoney's
PAQ). Everything is a whole number below 2^53, so sums may be taken in any order.

A label that is none of the three is foretold by what has stood east of W's and south of N's.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
Ranks = NDArray[np.uint8]

W, N, NE, NW, WW, NN, NNE, NNW, NWW = range(9)
PLACES = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2))
"""(row, column) of each neighbour, in that order."""
QUESTIONS = 3
OTHER = QUESTIONS
"""The rank of a label that is none of the first three neighbours'."""
MOST_LABELS = 64

_CORNER = ((N, W), (NE, W), (NE, N), (NW, W), (NW, N), (NW, NE))
_RING = ((WW, W), (NN, N), (WW, N), (NN, W), (NNE, NE), (NNE, N), (NWW, W))
_PAIRS = (*_CORNER, *_RING)
_OPINIONS = (
    ((WW, W), (NN, N), (WW, N), (NN, W)),
    ((WW, W), (NN, N), (NNE, NE), (NNE, N), (NWW, W)),
)
"""Which pairs of neighbours an opinion looks at, beside those of the corner."""
_FIRST, _SECOND = (np.array(ends) for ends in zip(*_PAIRS, strict=True))
_WAYS, _NO_WAY, _WAY = 18, 11, (-8, -5, 3, -2, -1, 4)
"""Fifteen ways in which four labels can be alike: the number of each is a sum over the corner's
pairs that are, and no two have the same."""
_LABEL_CASES = 1 << 9
_LOG_UNIT = 256
_BEGIN = 0.4
_MOST_COUNTED = 255
_CHECK_PIXELS = 1 << 9
_LOGS = np.array([round(_LOG_UNIT * math.log(count + _BEGIN)) for count in range(1 << 13)], float)
_FARTHEST = 2047
_CENTRE = 1 << 15
"""No weighted sum of logarithms goes so far."""
_ONE = 1 << 16
_LEAST = 24
_WEIGHT_UNIT = 2.0**-16
_FIRST_WEIGHT = float(int(0.42 / _WEIGHT_UNIT))
_HEAVIEST = 4 / _WEIGHT_UNIT
_SMALL_STEP_BITS = 8
_HALVE_LABELS_ABOVE = 1 << 7
_CHECK_LABELS = 1 << 6


def _chances() -> NDArray[np.int64]:
    """Return the chance of a yes for each sum, from -_CENTRE on; what is not asked has none."""
    chances = np.full(2 * _CENTRE, _ONE - _LEAST, np.int64)
    chances[:_CENTRE] = _LEAST
    for log in range(-_FARTHEST, _FARTHEST + 1):
        chance = round(_ONE / (1 + math.exp(-log / _LOG_UNIT)))
        chances[_CENTRE + log] = min(max(chance, _LEAST), _ONE - _LEAST)
    chances[0] = 0
    return chances


def _centres() -> NDArray[np.float64]:
    """Return (ways, QUESTIONS): where sums begin; far below where a question names no new label."""
    centres = np.full((_WAYS, QUESTIONS), float(_CENTRE))
    for labels in itertools.product(range(NW + 1), repeat=NW + 1):
        alike = [labels[one] == labels[other] for one, other in _CORNER]
        way = _NO_WAY + sum(itertools.compress(_WAY, alike))
        for later, _ in itertools.compress(_CORNER, alike):
            if later < QUESTIONS:
                centres[way, later] = -4.0 * _CENTRE
    return centres


_CHANCES = _chances()
_CENTRES = _centres()
_HEARD = np.triu(np.ones((QUESTIONS, OTHER + 1), np.bool_)).T.copy()
"""(ranks, QUESTIONS): whether a pixel of this rank comes to this question."""


class Mixer:
    """What adapts, the same at both ends: any number of ``foretell``, then ``learn``."""

    def __init__(self, labels: int) -> None:
        seen = 2
        while seen < len(PLACES) and labels ** (seen + 1) <= _LABEL_CASES:
            seen += 1
        self._seen = seen
        cases = [_WAYS << len(pairs) for pairs in _OPINIONS] + [labels**seen]
        # Rows: the corner's way, the opinions' cases. Columns: pairs that are alike, then labels.
        self._which = np.zeros((1 + len(cases), len(_PAIRS) + seen))
        self._which[: len(cases), : len(_CORNER)] = _WAY
        for row, pairs in zip(self._which[1:], _OPINIONS, strict=False):
            for at, pair in enumerate(pairs):
                row[_PAIRS.index(pair)] = _WAYS << at
        self._which[-1, len(_PAIRS) :] = float(labels) ** np.arange(seen)
        starts = itertools.accumulate(cases[:-1], initial=0)
        first = [_NO_WAY, *(start + _NO_WAY for start in starts)]
        self._starts = np.array(first, float)[:, None]
        # (2, cases, QUESTIONS): how often a question was answered by yes, how often by no.
        self._counts = np.zeros((2, _NO_WAY + sum(cases), QUESTIONS), np.int64)
        self._weights = np.full((len(cases), QUESTIONS), _FIRST_WEIGHT)
        self._shares = self._weights * _WEIGHT_UNIT
        self._cases: list[NDArray[np.int64]] = []
        self._logs: list[NDArray[np.float64]] = []
        self._chances: list[NDArray[np.int64]] = []
        self._unchecked = 0

    def foretell(self, near: Labels) -> list[list[int]]:
        """Return the chance of a yes, in 2^-16, to each question for each pixel.

        ``near`` is (9, pixels), the labels at PLACES. A chance is 0 where a question would name a
        label for the second time: then it is not asked.
        """
        features = np.empty((self._which.shape[1], near.shape[1]))
        np.equal(near.take(_FIRST, axis=0), near.take(_SECOND, axis=0), out=features[: len(_PAIRS)])
        features[len(_PAIRS) :] = near[: self._seen]
        found = self._which @ features
        found += self._starts
        cases = found.astype(np.int64)
        way, cases = cases[0], cases[1:]
        yes, no = self._counts
        logs = _LOGS.take(yes.take(cases, axis=0))
        logs -= _LOGS.take(no.take(cases, axis=0))
        sums = np.einsum("onq,oq->nq", logs, self._shares)
        sums += _CENTRES.take(way, axis=0)
        chances = _CHANCES.take(sums.astype(np.int64), mode="clip")
        self._cases.append(cases)
        self._logs.append(logs)
        self._chances.append(chances)
        asked: list[list[int]] = chances.T.tolist()
        return asked

    def learn(self, ranks: Ranks) -> None:
        """Learn the ranks that the foretold pixels have; old counts fade."""
        chances, cases = np.concatenate(self._chances), np.concatenate(self._cases, axis=1)
        logs = np.concatenate(self._logs, axis=1)
        self._cases, self._logs, self._chances = [], [], []
        heard = _HEARD.take(ranks, axis=0)
        heard &= chances > 0
        told = heard.reshape(-1).nonzero()[0]
        pixel = told // QUESTIONS
        question = told - pixel * QUESTIONS
        yes = ranks.take(pixel) == question
        errors = np.zeros(chances.shape)
        errors.reshape(-1)[told] = yes * float(_ONE) - chances.take(told)
        change = np.einsum("onq,nq->oq", logs, errors)
        change *= _WEIGHT_UNIT / max(1, ranks.size >> _SMALL_STEP_BITS)
        self._weights += np.floor(change)
        np.clip(self._weights, -_HEAVIEST, _HEAVIEST, out=self._weights)
        self._shares = self._weights * _WEIGHT_UNIT
        counts = self._counts.reshape(-1)
        question[~yes] += counts.size // 2
        answered = cases.take(pixel, axis=1) * QUESTIONS
        answered += question
        counts += np.bincount(answered.reshape(-1), minlength=counts.size)
        self._unchecked += ranks.size
        if self._unchecked >= _CHECK_PIXELS:
            self._unchecked = 0
            while (many := self._counts[0] + self._counts[1] > _MOST_COUNTED).any():
                self._counts[:, many] >>= 1


class Beside:
    """Which labels stand east of which, and south of which, among those that are no neighbour's."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._counts = np.ones((2 * labels, labels))
        self._south = np.array([[0], [labels]])
        self._up_to = np.triu(np.ones((labels, labels)))
        self._rows: list[NDArray[np.int64]] = []
        self._learned = 0

    def foretell(self, near: Labels) -> list[list[int]]:
        """Return for each pixel running sums of the labels' weights; the neighbours' have none."""
        three = near[:QUESTIONS].astype(np.int64)
        rows = three[:2] + self._south
        self._rows.append(rows)
        east, south = self._counts.take(rows, axis=0)
        weights = east * south
        three += np.arange(0, weights.size, self._labels)
        weights.reshape(-1)[three] = 0
        # Whole numbers far below 2^53: a product adds them up as exactly as a running sum.
        sums: list[list[int]] = (weights @ self._up_to).astype(np.int64).tolist()
        return sums

    def learn(self, labels: Labels) -> None:
        """Count the labels of the foretold pixels; old counts fade."""
        if not labels.size:
            return
        rows = np.concatenate(self._rows, axis=1) * self._labels + labels
        self._rows = []
        flat = self._counts.reshape(-1)
        flat += np.bincount(rows.reshape(-1), minlength=flat.size)
        self._learned += labels.size
        if self._learned >= _CHECK_LABELS:
            self._learned = 0
            many = (self._counts.max(axis=1) > _HALVE_LABELS_ABOVE).nonzero()[0]
            self._counts[many] = np.floor((self._counts[many] + 1) * 0.5)
