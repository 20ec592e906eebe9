"""How maps use the range coder: answers that adapt, and whole diagonals of ranks and labels."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.rangecoder import LEAST_SPAN, RangeDecoder, RangeEncoder
from flight.product.errors import WireError

_CHANCE_BITS = 22
_CODED_BITS = 16
_CHANCE_MASK = (1 << _CODED_BITS) - 1
RANKS = 4
"""The last rank."""
_CERTAIN = 1 << _CHANCE_BITS
_DROPPED = _CHANCE_BITS - _CODED_BITS
_RATE_BITS = 16
_RATES = tuple((1 << (_RATE_BITS + 1)) // (2 * seen + 3) for seen in range(256))
"""What a chance moves by after so many answers: 1 / (seen + 3/2), as Krichevsky and Trofimov."""
_MOST_SEEN = len(_RATES) - 1


class Questions:
    """A few yes-or-no questions, each with the chance of a yes, which adapts to the answers."""

    __slots__ = ("chances", "seen", "surprises")

    def __init__(self, chances: list[int], seen: list[int]) -> None:
        self.chances = chances
        """In 2^-22."""
        self.seen = seen
        """How many answers each chance has heard, up to a limit."""
        self.surprises = 0
        """How many answers were the less likely one."""

    @classmethod
    def guess(cls, *chances: float) -> "Questions":
        """Return questions whose chances are guesses."""
        return cls([int(chance * _CERTAIN) for chance in chances], [0] * len(chances))

    def heirs(self, most_seen: int) -> "Questions":
        """Return the same questions for a rarer case: the chances, but less faith in them."""
        return Questions(self.chances.copy(), [min(most_seen, seen) for seen in self.seen])


class MapWriter(RangeEncoder):
    """Codes answers, places, labels and ranks as they are."""

    def answer(self, questions: Questions, which: int, yes: bool) -> bool:
        """Code the answer to one of the questions, learn from it, and return it."""
        chance = questions.chances[which]
        seen = questions.seen[which]
        bound = (self._span >> _CODED_BITS) * (chance >> _DROPPED | 1)
        if yes:
            self._span = bound
            questions.chances[which] = chance + ((_CERTAIN - chance) * _RATES[seen] >> _RATE_BITS)
            questions.surprises += chance < _CERTAIN >> 1
        else:
            self._low += bound
            self._span -= bound
            questions.chances[which] = chance - (chance * _RATES[seen] >> _RATE_BITS)
            questions.surprises += chance > _CERTAIN >> 1
        if seen < _MOST_SEEN:
            questions.seen[which] = seen + 1
        while self._span < LEAST_SPAN:
            self._span <<= 8
            self._shift()
        return yes

    def place(self, place: int, length: int) -> int:
        """Code one of ``length`` places and return it."""
        self.put(place, 1, length)
        return place

    def label(self, counts: list[int], label: int) -> int:
        """Code a label by the counts of all and return it."""
        self.put(sum(counts[:label]), counts[label], sum(counts))
        return label

    def labels(self, ends: list[list[int]], labels: list[int]) -> NDArray[np.uint8]:
        """Code labels and return them; ``ends`` are running sums of the counts of all."""
        for row, label in zip(ends, labels, strict=True):
            below = row[label - 1] if label else 0
            self.put(below, row[label] - below, row[-1])
        return np.array(labels, np.uint8)

    def ranks(self, chances: list[list[int]], ranks: list[int]) -> NDArray[np.uint8]:
        """Code a rank for each pixel and return them.

        ``chances`` are two numbers a pixel: how likely rank 0 is, in 2^-16, and how likely each
        of the others but the last is among those from it on, 16 bits each, rank 1 lowest. What
        has chance 0 cannot be.
        """
        low, span = self._low, self._span
        for rank, first, more in zip(ranks, *chances, strict=True):
            bound = (span >> _CODED_BITS) * first
            if not rank:
                span = bound
            else:
                low += bound
                span -= bound
                later = more
                for _ in range(rank - 1):
                    chance = later & _CHANCE_MASK
                    later >>= _CODED_BITS
                    if chance:
                        low, span = self._settle(low, span)
                        bound = (span >> _CODED_BITS) * chance
                        low += bound
                        span -= bound
                if later:
                    low, span = self._settle(low, span)
                    span = (span >> _CODED_BITS) * (later & _CHANCE_MASK)
            if span < LEAST_SPAN:
                low, span = self._settle(low, span)
        self._low, self._span = low, span
        return np.array(ranks, np.uint8)

    def _settle(self, low: int, span: int) -> tuple[int, int]:
        self._low = low
        while span < LEAST_SPAN:
            span <<= 8
            self._shift()
        return self._low, span


class MapReader(RangeDecoder):
    """Gives back what a writer coded; what it is told in advance means nothing."""

    def answer(self, questions: Questions, which: int, yes: bool) -> bool:
        """Return the answer to one of the questions, and learn from it; ``yes`` is not read."""
        chance = questions.chances[which]
        seen = questions.seen[which]
        bound = (self._span >> _CODED_BITS) * (chance >> _DROPPED | 1)
        yes = self._code < bound
        if yes:
            self._span = bound
            questions.chances[which] = chance + ((_CERTAIN - chance) * _RATES[seen] >> _RATE_BITS)
            questions.surprises += chance < _CERTAIN >> 1
        else:
            self._code -= bound
            self._span -= bound
            questions.chances[which] = chance - (chance * _RATES[seen] >> _RATE_BITS)
            questions.surprises += chance > _CERTAIN >> 1
        if seen < _MOST_SEEN:
            questions.seen[which] = seen + 1
        if self._span < LEAST_SPAN:
            self._refill()
        return yes

    def place(self, place: int, length: int) -> int:
        """Return one of ``length`` places."""
        place = self.look(length)
        self.take(place, 1)
        return place

    def label(self, counts: list[int], label: int) -> int:
        """Return a label."""
        ends = list(accumulate(counts))
        if not ends[-1]:
            raise WireError("a label that does not exist")
        label = bisect_right(ends, self.look(ends[-1]))
        below = ends[label - 1] if label else 0
        self.take(below, ends[label] - below)
        return label

    def labels(self, ends: list[list[int]], labels: list[int]) -> NDArray[np.uint8]:
        """Return labels."""
        del labels
        found = bytearray()
        code, span = self._code, self._span
        for row in ends:
            if not row[-1]:
                raise WireError("a label that does not exist")
            unit = span // row[-1]
            label = bisect_right(row, min(code // unit, row[-1] - 1))
            below = row[label - 1] if label else 0
            code -= below * unit
            span = (row[label] - below) * unit
            if span < LEAST_SPAN:
                code, span = self._settle(code, span)
            found.append(label)
        self._code, self._span = code, span
        return np.frombuffer(found, np.uint8)

    def ranks(self, chances: list[list[int]], ranks: list[int]) -> NDArray[np.uint8]:
        """Return a rank for each pixel."""
        del ranks
        found = bytearray()
        code, span = self._code, self._span
        for first, more in zip(*chances, strict=True):
            bound = (span >> _CODED_BITS) * first
            if code < bound:
                found.append(0)
                span = bound
            else:
                code -= bound
                span -= bound
                later, rank = more, 1
                while later:
                    chance = later & _CHANCE_MASK
                    if chance:
                        if span < LEAST_SPAN:
                            code, span = self._settle(code, span)
                        bound = (span >> _CODED_BITS) * chance
                        if code < bound:
                            span = bound
                            break
                        code -= bound
                        span -= bound
                    later >>= _CODED_BITS
                    rank += 1
                found.append(rank if later else RANKS)
            if span < LEAST_SPAN:
                code, span = self._settle(code, span)
        self._code, self._span = code, span
        return np.frombuffer(found, np.uint8)

    def _settle(self, code: int, span: int) -> tuple[int, int]:
        self._code, self._span = code, span
        self._refill()
        return self._code, self._span
