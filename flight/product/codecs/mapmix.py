"""What the map codec learns of a busy map: which neighbour a pixel is like, asked in turn.

Is it W's label, else N's, NE's, NW's? For each of these questions there are three opinions, each
with its own idea of what matters: which neighbours near by are alike, which further out are, and
what labels they have. An opinion is the logarithm of how often yes stood against no; a weighted
sum of the opinions is the answer's chance, and the weights learn from every answer (as in Mahoney's
PAQ). Everything is a whole number below 2^53, so sums may be taken in any order.

A label that is none of the four is foretold by what has stood east of W's and south of N's.
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
QUESTIONS = 4
OTHER = QUESTIONS
"""The rank of a label that is none of the first four neighbours'."""
CHANCE_BITS = 16
MOST_LABELS = 64

_CORNER = ((N, W), (NE, W), (NE, N), (NW, W), (NW, N), (NW, NE))
_RING = ((WW, W), (NN, N), (WW, N), (NN, W), (NNE, NE), (NNW, NW), (NNE, N), (NNW, N))
_PAIRS = (*_CORNER, *_RING)
_OPINIONS = (
    ((WW, W), (NN, N), (WW, N), (NN, W)),
    ((WW, W), (NN, N), (NNE, NE), (NNW, NW), (NNE, N), (NNW, N)),
)
"""Which pairs of neighbours an opinion looks at, beside those of the corner."""
_FIRST, _SECOND = (np.array(ends) for ends in zip(*_PAIRS, strict=True))
_WAYS = 15
"""In which four labels can be alike."""
_LABEL_CASES = 1 << 10
_LOG_UNIT = 256
_BEGIN = 0.4
_MOST_COUNTED = 255
_CHECK_PIXELS = 1 << 12
_LOGS = np.array([round(_LOG_UNIT * math.log(count + _BEGIN)) for count in range(1 << 13)], float)
_FARTHEST = 2047
_ONE = 1 << CHANCE_BITS
_LEAST = 24
_CHANCES = np.array(
    [
        min(max(round(_ONE / (1 + math.exp(-log / _LOG_UNIT))), _LEAST), _ONE - _LEAST)
        for log in range(-_FARTHEST, _FARTHEST + 1)
    ],
    float,
)
_SCALE = 2.0**-16
_FIRST_WEIGHT = float(int(0.42 / _SCALE))
_HEAVIEST = float(1 << 20)
_SMALL_STEP_BITS = 7
_LEAST_PENDING, _MOST_PENDING, _PENDING_SHARE = 32, 1 << 10, 16
"""To learn costs time, so what was foretold waits until it is a share of all that was learned."""
_HALVE_LABELS_ABOVE = 1 << 7
_CHECK_LABELS = 1 << 6


def _corner_ways() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the number of the way for each combination of the corner's pairs, and what is asked.

    That is (QUESTIONS, ways): 1 where a neighbour is like none that is asked before it.
    """
    numbers: dict[int, int] = {}
    ways, asked = np.zeros(1 << len(_CORNER)), np.ones((QUESTIONS, _WAYS))
    for labels in itertools.product(range(QUESTIONS), repeat=QUESTIONS):
        alike = [labels[one] == labels[other] for one, other in _CORNER]
        bits = sum(same << at for at, same in enumerate(alike))
        ways[bits] = numbers.setdefault(bits, len(numbers))
        for same, pair in zip(alike, _CORNER, strict=True):
            if same:
                asked[max(pair), numbers[bits]] = 0
    return ways, asked


_CORNER_WAYS, _ASKED = _corner_ways()
_CORNER_BITS = 2.0 ** np.arange(len(_CORNER))
_HEARD = np.triu(np.ones((QUESTIONS, OTHER + 1)))
"""(QUESTIONS, ranks): 1 where a pixel of this rank comes to this question."""
_PACKED = np.array([[1, 0, 0, 0], [0, *(2.0 ** (CHANCE_BITS * at) for at in range(QUESTIONS - 1))]])
_ANSWERS = np.eye(QUESTIONS, OTHER + 1)


class Mixer:
    """What adapts, the same at both ends: ``foretell`` and ``learn`` in turn, a diagonal each."""

    def __init__(self, labels: int) -> None:
        seen = 2
        while seen < len(PLACES) and labels ** (seen + 1) <= _LABEL_CASES:
            seen += 1
        self._seen = seen
        cases = [_WAYS << len(pairs) for pairs in _OPINIONS] + [labels**seen]
        # Rows: the opinions' cases. Columns: the corner's way, the ring's pairs, the labels.
        self._which = np.zeros((len(cases), 1 + len(_RING) + seen))
        for row, pairs in zip(self._which, _OPINIONS, strict=False):
            row[0] = 1
            for at, pair in enumerate(pairs):
                row[1 + _RING.index(pair)] = _WAYS << at
        self._which[-1, 1 + len(_RING) :] = float(labels) ** np.arange(seen)
        # Case 0 takes what nobody asked.
        starts = np.cumsum([1, *cases])
        self._size = QUESTIONS * int(starts[-1])
        question = np.arange(QUESTIONS) * starts[-1]
        self._starts = question[:, None, None] + starts[None, :-1, None]
        self._no, self._yes = np.zeros((2, self._size), np.int64)
        self._weights = np.full((QUESTIONS, 1, len(cases)), _FIRST_WEIGHT)
        self._pending: list[tuple[NDArray[np.float64], ...]] = []
        self._cases: list[NDArray[np.int64]] = []
        self._ranks: list[Ranks] = []
        self._pending_pixels = self._pixels = self._unchecked = 0

    def foretell(self, near: Labels) -> NDArray[np.int64]:
        """Return (2, pixels): the chance of the first yes, and those of the others as one number.

        ``near`` is (9, pixels), the labels at PLACES. A chance is in 2^-CHANCE_BITS, and takes so
        many bits of the number, the next question's the lowest. It is 0 where a question would
        name a label for the second time: then it is not asked.
        """
        alike = near.take(_FIRST, axis=0) == near.take(_SECOND, axis=0)
        way = _CORNER_WAYS.take((_CORNER_BITS @ alike[: len(_CORNER)]).astype(np.int64))
        features = np.empty((self._which.shape[1], near.shape[1]))
        features[0] = way
        features[1 : 1 + len(_RING)] = alike[len(_CORNER) :]
        features[1 + len(_RING) :] = near[: self._seen]
        asked = _ASKED.take(way.astype(np.int64), axis=1)
        cases = self._starts + (self._which @ features).astype(np.int64)
        logs = _LOGS.take(self._yes.take(cases))
        logs -= _LOGS.take(self._no.take(cases))
        sums = np.matmul(self._weights, logs)[:, 0]
        sums *= _SCALE
        sums += _FARTHEST
        chances = _CHANCES.take(sums.astype(np.int64), mode="clip")
        chances *= asked
        self._pending.append((logs, chances, asked))
        self._cases.append(cases)
        packed: NDArray[np.float64] = _PACKED @ chances
        return packed.astype(np.int64)

    def learn(self, ranks: Ranks) -> None:
        """Learn the ranks that the foretold pixels have."""
        self._ranks.append(ranks)
        self._pending_pixels += ranks.size
        self._pixels += ranks.size
        if self._pending_pixels >= min(
            _MOST_PENDING, max(_LEAST_PENDING, self._pixels // _PENDING_SHARE)
        ):
            self._learn()

    def _learn(self) -> None:
        """Learn from the last diagonals; old counts fade."""
        logs, chances, asked = (
            np.concatenate(arrays, axis=-1) for arrays in zip(*self._pending, strict=True)
        )
        ranks, cases = np.concatenate(self._ranks), np.concatenate(self._cases, axis=-1)
        asked *= _HEARD.take(ranks, axis=1)
        answers = _ANSWERS.take(ranks, axis=1)
        errors = (answers * _ONE - chances) * asked
        change = np.matmul(logs, errors[:, :, None])[:, None, :, 0]
        change *= _SCALE / max(1, ranks.size >> _SMALL_STEP_BITS)
        self._weights += np.floor(change)
        np.clip(self._weights, -_HEAVIEST, _HEAVIEST, out=self._weights)
        cases += (answers * self._size).astype(np.int64)[:, None]
        cases *= asked.astype(np.int64)[:, None]
        counts = np.bincount(cases.reshape(-1), minlength=2 * self._size)
        self._no += counts[: self._size]
        self._yes += counts[self._size :]
        self._no[0] = 0
        self._unchecked += self._pending_pixels
        if self._unchecked >= _CHECK_PIXELS or self._pixels < _CHECK_PIXELS:
            self._unchecked = 0
            while (many := (self._no + self._yes > _MOST_COUNTED).nonzero()[0]).size:
                self._no[many] >>= 1
                self._yes[many] >>= 1
        self._pending, self._cases, self._ranks = [], [], []
        self._pending_pixels = 0


class Beside:
    """Which labels stand east of which, and south of which, among those that are no neighbour's."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._counts = np.ones((2 * labels, labels))
        self._south = np.array([[0], [labels]])
        self._up_to = np.triu(np.ones((labels, labels)))
        self._rows = np.zeros((2, 0), np.int64)
        self._learned = 0

    def foretell(self, near: Labels) -> NDArray[np.int64]:
        """Return (pixels, labels), running sums of weights: the four neighbours' have none."""
        four = near[:QUESTIONS].astype(np.int64)
        self._rows = four[:2] + self._south
        east, south = self._counts.take(self._rows, axis=0)
        weights = east * south
        four += np.arange(0, weights.size, self._labels)
        weights.reshape(-1)[four] = 0
        # Whole numbers far below 2^53: a product adds them up as exactly as a running sum.
        sums: NDArray[np.float64] = weights @ self._up_to
        return sums.astype(np.int64)

    def learn(self, labels: Labels) -> None:
        """Count the labels of the foretold pixels; old counts fade."""
        self._rows *= self._labels
        self._rows += labels
        np.add.at(self._counts.reshape(-1), self._rows.reshape(-1), 1.0)
        self._learned += labels.size
        if self._learned >= _CHECK_LABELS:
            self._learned = 0
            many = (self._counts.max(axis=1) > _HALVE_LABELS_ABOVE).nonzero()[0]
            self._counts[many] = np.floor((self._counts[many] + 1) * 0.5)
