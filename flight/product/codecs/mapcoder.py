"""How maps use the range coder: answers that adapt, and whole diagonals of ranks and labels."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.rangecoder import LEAST_SPAN, MASK, TOP, RangeDecoder, RangeEncoder
from flight.product.errors import WireError

_CHANCE_BITS = 22
_CODED_BITS = 16
_CHANCE_MASK = (1 << _CODED_BITS) - 1
_CERTAIN = 1 << _CHANCE_BITS
_EVEN = _CERTAIN >> 1
_DROPPED = _CHANCE_BITS - _CODED_BITS
_RATE_BITS = 16
_RATES = tuple((1 << (_RATE_BITS + 1)) // (2 * seen + 3) for seen in range(256))
"""What a chance moves by after so many answers: 1 / (seen + 3/2), as Krichevsky and Trofimov."""
_MOST_SEEN = len(_RATES) - 1


class Case:
    """A few yes-or-no questions about pixels of one kind, whose chances adapt to the answers."""

    __slots__ = ("chances", "parts", "seen", "surprises")

    def __init__(self, chances: list[int], seen: list[int]) -> None:
        self.chances = chances
        """Of a yes, in 2^-22."""
        self.seen = seen
        """How many answers each chance has heard, up to a limit."""
        self.surprises = 0
        """How many answers were the less likely one."""
        self.parts: dict[int, Case] = {}
        """The rarer kinds of these pixels that are told apart by now."""

    @classmethod
    def guess(cls, *chances: float) -> "Case":
        """Return a case whose chances are guesses."""
        return cls([int(chance * _CERTAIN) for chance in chances], [0] * len(chances))

    def divide(self, kind: int, faith: int) -> None:
        """Tell a kind of pixels from the others from now on.

        They take so many of the whole case's answers for their own.
        """
        self.parts[kind] = Case(self.chances.copy(), [min(faith, seen) for seen in self.seen])


class MapWriter(RangeEncoder):
    """Codes answers, places, labels and ranks as they are."""

    def rank(self, case: Case, rank: int, count: int) -> int:
        """Code no to the first ``rank`` of ``count`` questions, yes to the next, if there is one.

        Learns from the answers and returns the rank.
        """
        chances, seen = case.chances, case.seen
        low, span = self._low, self._span
        for which in range(count):
            chance, answers = chances[which], seen[which]
            if answers < _MOST_SEEN:
                seen[which] = answers + 1
            bound = (span >> _CODED_BITS) * (chance >> _DROPPED | 1)
            if which == rank:
                span = bound
                chances[which] = chance + ((_CERTAIN - chance) * _RATES[answers] >> _RATE_BITS)
                if chance < _EVEN:
                    case.surprises += 1
                if span < LEAST_SPAN:
                    low, span = self._settle(low, span)
                break
            low += bound
            span -= bound
            chances[which] = chance - (chance * _RATES[answers] >> _RATE_BITS)
            if chance > _EVEN:
                case.surprises += 1
            if span < LEAST_SPAN:
                low, span = self._settle(low, span)
        self._low, self._span = low, span
        return rank

    def place(self, place: int, length: int) -> int:
        """Code one of ``length`` places and return it."""
        self.put(place, 1, length)
        return place

    def label(self, counts: list[int], label: int) -> int:
        """Code a label by the counts of all and return it."""
        self.put(sum(counts[:label]), counts[label], sum(counts))
        return label

    def labels(self, ends: list[list[int]], labels: list[int]) -> None:
        """Code labels; ``ends`` are running sums of the counts of all."""
        for row, label in zip(ends, labels, strict=True):
            below = row[label - 1] if label else 0
            self.put(below, row[label] - below, row[-1])

    def ranks(self, chances: list[list[int]], ranks: list[int]) -> None:
        """Code a rank, 0 to 3, for each pixel.

        ``chances`` say how likely ranks 0, 1 and 2 are, each among those from it on, in 2^-16.
        What has chance 0 cannot be.
        """
        low, span = self._low, self._span
        for rank, first, second, third in zip(ranks, *chances, strict=True):
            bound = (span >> _CODED_BITS) * first
            if rank:
                low += bound
                span -= bound
                if span < LEAST_SPAN:
                    low, span = self._settle(low, span)
                bound = (span >> _CODED_BITS) * second
                if rank > 1:
                    low += bound
                    span -= bound
                    if span < LEAST_SPAN:
                        low, span = self._settle(low, span)
                    bound = (span >> _CODED_BITS) * third
                    if rank > 2:
                        low += bound
                        bound = span - bound
            span = bound
            if span < LEAST_SPAN:
                low, span = self._settle(low, span)
        self._low, self._span = low, span

    def _settle(self, low: int, span: int) -> tuple[int, int]:
        settled = self._bytes
        while span < LEAST_SPAN:
            span <<= 8
            if low >= TOP:
                self._carry()
                low &= MASK
            settled.append(low >> 24)
            low = low << 8 & MASK
        return low, span


class MapReader(RangeDecoder):
    """Gives back what a writer coded; what it is told in advance means nothing."""

    def rank(self, case: Case, rank: int, count: int) -> int:
        """Return how many of ``count`` questions are answered by no before one by yes, and learn.

        ``rank`` is not read.
        """
        chances, seen = case.chances, case.seen
        code, span = self._code, self._span
        rank = count
        for which in range(count):
            chance, answers = chances[which], seen[which]
            if answers < _MOST_SEEN:
                seen[which] = answers + 1
            bound = (span >> _CODED_BITS) * (chance >> _DROPPED | 1)
            if code < bound:
                span = bound
                chances[which] = chance + ((_CERTAIN - chance) * _RATES[answers] >> _RATE_BITS)
                if chance < _EVEN:
                    case.surprises += 1
                if span < LEAST_SPAN:
                    code, span = self._settle(code, span)
                rank = which
                break
            code -= bound
            span -= bound
            chances[which] = chance - (chance * _RATES[answers] >> _RATE_BITS)
            if chance > _EVEN:
                case.surprises += 1
            if span < LEAST_SPAN:
                code, span = self._settle(code, span)
        self._code, self._span = code, span
        return rank

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

    def labels(self, ends: list[list[int]]) -> NDArray[np.uint8]:
        """Return labels."""
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

    def ranks(self, chances: list[list[int]]) -> NDArray[np.uint8]:
        """Return a rank for each pixel."""
        found = bytearray()
        code, span = self._code, self._span
        for first, second, third in zip(*chances, strict=True):
            rank, bound = 0, (span >> _CODED_BITS) * first
            if code >= bound:
                for chance in (second, third):
                    rank += 1
                    code -= bound
                    span -= bound
                    if span < LEAST_SPAN:
                        code, span = self._settle(code, span)
                    bound = (span >> _CODED_BITS) * chance
                    if code < bound:
                        break
                else:
                    rank, code, bound = 3, code - bound, span - bound
            found.append(rank)
            span = bound
            if span < LEAST_SPAN:
                code, span = self._settle(code, span)
        self._code, self._span = code, span
        return np.frombuffer(found, np.uint8)

    def _settle(self, code: int, span: int) -> tuple[int, int]:
        data, place = self._data, self._place
        while span < LEAST_SPAN:
            span <<= 8
            if place >= len(data):
                raise WireError("range-coded stream is cut short")
            code = (code << 8 | data[place]) & MASK
            place += 1
        self._place = place
        return code, span
