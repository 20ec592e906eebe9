"""An adaptive range coder in plain Python, for what is small: side information, maps, packets.

The interval [low, low + span) shrinks with every symbol; bytes leave at the top, and a carry goes
after them (G. N. N. Martin, 1979). Everything is integer, so a stream is the same on every
machine.
"""

from bisect import bisect_right
from itertools import accumulate

from flight.product.errors import WireError

TOP = 1 << 32
MASK = TOP - 1
LEAST_SPAN = 1 << 24
_STEP = 24
_HALVE_ABOVE = 6000
_RAW_BITS = 12
_OVERRUN_BYTES = 9
"""A sound stream never needs more zero bytes beyond its end than this."""


class RangeEncoder:
    """Symbols in, bytes out."""

    def __init__(self) -> None:
        self._low = 0
        self._span = TOP - 1
        self._bytes = bytearray()

    def put(self, below: int, frequency: int, total: int) -> None:
        """Code a symbol that owns ``frequency`` of ``total``, after ``below`` of it."""
        unit = self._span // total
        self._low += below * unit
        self._span = frequency * unit
        while self._span < LEAST_SPAN:
            self._span <<= 8
            self._shift()

    def put_bits(self, value: int, width: int) -> None:
        """Code the ``width`` low bits of ``value``, high bits first, at one bit each."""
        while width > 0:
            step = min(width, _RAW_BITS)
            width -= step
            self.put(value >> width & ((1 << step) - 1), 1, 1 << step)

    def _shift(self) -> None:
        if self._low >= TOP:
            self._carry()
            self._low &= MASK
        self._bytes.append(self._low >> 24)
        self._low = self._low << 8 & MASK

    def _carry(self) -> None:
        """Add one to the bytes that have left."""
        last = len(self._bytes) - 1
        while self._bytes[last] == 0xFF:
            self._bytes[last] = 0
            last -= 1
        self._bytes[last] += 1

    def finish(self) -> bytes:
        """Return the stream. A few zeros at its end are left out: the decoder supplies them."""
        # The shortest number inside the interval ends the stream.
        end = self._low + self._span - 1
        for bits in (24, 16, 8, 0):
            value = end >> bits << bits
            if value >= self._low:
                self._low = value
                break
        for _ in range(4):
            self._shift()
        stream = bytes(self._bytes)
        return stream[:-4] + stream[-4:].rstrip(b"\0")


class RangeDecoder:
    """Bytes in, symbols out. Raises WireError once it has read well past the end."""

    def __init__(self, data: bytes) -> None:
        self._end = len(data)
        self._data = data + bytes(_OVERRUN_BYTES)
        self._place = 4
        self._code = int.from_bytes(self._data[:4], "big")
        self._span = TOP - 1
        self._unit = 1

    def look(self, total: int) -> int:
        """Return which of ``total`` the next symbol's interval covers; ``take`` must follow."""
        self._unit = self._span // total
        return min(self._code // self._unit, total - 1)

    def take(self, below: int, frequency: int) -> None:
        """Accept the symbol that ``look`` fell upon."""
        self._code -= below * self._unit
        self._span = frequency * self._unit
        if self._span < LEAST_SPAN:
            self._refill()

    def _refill(self) -> None:
        while self._span < LEAST_SPAN:
            self._span <<= 8
            if self._place >= len(self._data):
                raise WireError("range-coded stream is cut short")
            self._code = (self._code << 8 | self._data[self._place]) & MASK
            self._place += 1

    def finish(self) -> None:
        """Check that the stream ends where its symbols do.

        Raises:
            WireError: bytes are left over.
        """
        if self._place < self._end:
            raise WireError("range-coded stream is longer than its symbols")

    def take_bits(self, width: int) -> int:
        """Return ``width`` raw bits."""
        value = 0
        while width > 0:
            step = min(width, _RAW_BITS)
            width -= step
            bits = self.look(1 << step)
            self.take(bits, 1)
            value |= bits << width
        return value


class Tokens:
    """An adaptive frequency table over the tokens 0 to ``count`` - 1."""

    __slots__ = ("_frequencies", "_total")

    def __init__(self, count: int) -> None:
        # The first tokens start a little ahead: small numbers are the common ones.
        self._frequencies = [3] + [1] * (count - 1)
        self._total = count + 2

    def put(self, coder: RangeEncoder, token: int) -> None:
        """Code a token and learn from it."""
        coder.put(sum(self._frequencies[:token]), self._frequencies[token], self._total)
        self._learn(token)

    def take(self, coder: RangeDecoder) -> int:
        """Return the next token and learn from it."""
        ends = list(accumulate(self._frequencies))
        token = bisect_right(ends, coder.look(self._total))
        frequency = self._frequencies[token]
        coder.take(ends[token] - frequency, frequency)
        self._learn(token)
        return token

    def _learn(self, token: int) -> None:
        self._frequencies[token] += _STEP
        self._total += _STEP
        if self._total > _HALVE_ABOVE:
            self._frequencies = [(frequency + 1) >> 1 for frequency in self._frequencies]
            self._total = sum(self._frequencies)


class Integers:
    """An adaptive model of signed integers up to ``bits`` bits: the length adapts, the rest is raw.

    Small ones get a token each; larger ones a token for each length.
    """

    __slots__ = ("_direct", "_tokens")

    def __init__(self, bits: int, *, direct: int = 1) -> None:
        self._direct = direct
        self._tokens = Tokens(direct + bits + 2)

    def put(self, coder: RangeEncoder, value: int) -> None:
        """Code one integer."""
        folded = value << 1 if value >= 0 else (-value << 1) - 1
        if folded < self._direct:
            self._tokens.put(coder, folded)
            return
        rest = folded - self._direct + 1
        length = rest.bit_length()
        self._tokens.put(coder, self._direct + length - 1)
        coder.put_bits(rest - (1 << (length - 1)), length - 1)

    def take(self, coder: RangeDecoder) -> int:
        """Return the next integer."""
        token = self._tokens.take(coder)
        folded = token
        if token >= self._direct:
            length = token - self._direct + 1
            folded = (1 << (length - 1)) + coder.take_bits(length - 1) + self._direct - 1
        return folded >> 1 if not folded & 1 else -((folded + 1) >> 1)
