"""The entropy stage of the array codecs: tokens by context, interleaved static rANS, raw low bits.

A codec hands over non-negative integers, each with a context that says how large it is expected
to be. Of a large one the low bits are noise and go out raw; the rest becomes a token (0 to 31
direct, then two tokens an octave with raw bits below), and each token is coded by the frequency
table of its context with rANS (J. Duda, arXiv:1311.2540): 12-bit frequencies, 32-bit states, one
state for each of up to 1,024 lanes, so that one numpy operation moves all lanes a step.

The decoder works in chunks, because a context may depend on what the chunk before decoded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.bits import RawBits, pack_raw
from flight.product.codecs.frequencies import (
    FREQUENCY_BIT,
    PRECISION,
    SCALE,
    TOKEN_BIT,
    TOKEN_MASK,
    TOKENS,
    Lookup,
    expected_frequencies,
    read_tables,
    write_tables,
)
from flight.product.codecs.rans import FIRST_STATE, WORD_BITS, lay_in_lanes, rans
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

Values = NDArray[np.uint32]
Contexts = NDArray[np.uint8]

_DIRECT = 32
_DIRECT_LOG = 5
_MAXIMUM_LANES = 1 << 10
SYMBOLS_A_LANE = 900
_BLOCK = 1 << 16
"""Values whose working arrays stay in the cache."""

# What numpy takes faster than a number of Python.
_FIRST_PAIR = np.uint32(_DIRECT)
_PRECISION, _TOKEN_BIT, _TOKEN_MASK = (
    np.array(number, np.uint32) for number in (PRECISION, TOKEN_BIT, TOKEN_MASK)
)


def _values_of_tokens() -> tuple[Values, Values]:
    """Return each token's value, and how many low bits it leaves out."""
    octaves = np.arange(TOKENS, dtype=np.uint32) - _FIRST_PAIR
    lengths = (octaves >> 1) + (_DIRECT_LOG - 1)
    pairs = (octaves & 1 | 2) << lengths
    direct = np.arange(TOKENS, dtype=np.uint32)
    values = np.where(direct < _DIRECT, direct, pairs)
    return values.astype(np.uint32), np.where(direct < _DIRECT, 0, lengths).astype(np.uint32)


_TOKEN_VALUES, _TOKEN_WIDTHS = _values_of_tokens()


MAXIMUM_EXPANSION = 1 << 16
"""Samples a byte of stream: no array compresses better here, so a greater claim is a lie."""


FREE_STEPS = 192
SAMPLES_A_STEP = 48
BYTES_A_STEP = 32
"""A wavefront takes a step for each row and column, or band and line: it costs time, however few
samples it moves, so a long and thin box must bring the samples for it, or the bytes."""


def affords_steps(
    steps: int, samples: int, stream_bytes: int, samples_a_step: int = SAMPLES_A_STEP
) -> bool:
    """Return whether a stream is long enough for a wavefront over so many samples."""
    return steps <= FREE_STEPS + samples // samples_a_step + stream_bytes // BYTES_A_STEP


def check_expansion(samples: int, stream_bytes: int) -> None:
    """Refuse a size that its stream cannot pay for, before anything is allocated.

    Raises:
        WireError: there are more than MAXIMUM_EXPANSION samples a byte.
    """
    if samples > stream_bytes * MAXIMUM_EXPANSION:
        raise WireError("the stream is too short for its samples")


def check_steps(steps: int, samples: int, stream_bytes: int) -> None:
    """Refuse a wavefront that its stream cannot pay for, before anything is allocated.

    Raises:
        WireError: the box has too many samples, or is too long and thin.
    """
    check_expansion(samples, stream_bytes)
    if not affords_steps(steps, samples, stream_bytes):
        raise WireError("the stream is too short for so long a box")


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """What contexts mean: how many low bits go raw, and which frequency table the rest uses."""

    shifts: NDArray[np.uint8]
    tables: NDArray[np.uint8]
    expected: NDArray[np.int64]
    """(tables, TOKENS) frequencies that are used unless better ones are sent."""
    lookup: Lookup
    """Of the expected frequencies."""


def _lanes(wanted: int, chunks: NDArray[np.intp]) -> int:
    """Return how many lanes pay: each costs some 16 bits, and rows should fill a long chunk."""
    longest = int(chunks.max()) if chunks.size else 0
    most = max(1, min(wanted, _MAXIMUM_LANES))
    return max(1, -(-longest // max(1, -(-longest // most))))


def _tokenise(high: Values) -> tuple[Values, NDArray[np.intp], Values]:
    """Return each value's token, and where and how many low bits a token leaves out."""
    tokens = np.minimum(high, _FIRST_PAIR)
    large = (high >= _FIRST_PAIR).nonzero()[0]
    values = high.take(large)
    _, exponents = np.frexp(values.astype(np.float64))
    lengths = exponents.astype(np.uint32) - np.uint32(2)
    tokens[large] = (
        _FIRST_PAIR + 2 * (lengths - np.uint32(_DIRECT_LOG - 1)) + (values >> lengths & 1)
    )
    return tokens, large, lengths


def expect(probabilities: NDArray[np.float64], shift: int) -> NDArray[np.int64]:
    """Return a table's expected frequencies from the probabilities of 0, 1, 2 and so on."""
    tokens, _, _ = _tokenise(np.arange(probabilities.size, dtype=np.uint32) >> np.uint32(shift))
    weights = np.zeros(TOKENS)
    # In order, one by one: the same sums on every machine.
    np.add.at(weights, tokens, probabilities)
    return expected_frequencies(weights)


def encode_symbols(
    scheme: Scheme,
    values: Values,
    contexts: Contexts,
    chunks: NDArray[np.intp],
    symbols_a_lane: int = SYMBOLS_A_LANE,
) -> bytes:
    """Return the stream of ``values``, whose decoder will ask for ``chunks`` of them at a time.

    Fewer ``symbols_a_lane`` make it faster and larger.
    """
    entries, widths = np.empty(values.size, np.uint16), np.empty(values.size, np.uint8)
    counts = np.zeros(scheme.expected.size, np.int64)
    shifts = scheme.shifts.astype(np.uint32)
    first_entries = scheme.tables.astype(np.uint32) * np.uint32(TOKENS)
    for first in range(0, values.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        width = shifts.take(contexts[block])
        tokens, large, extra = _tokenise(values[block] >> width)
        width[large] += extra
        widths[block] = width
        tokens += first_entries.take(contexts[block])
        entries[block] = tokens
        counts += np.bincount(tokens, minlength=counts.size)
    tables, frequencies = write_tables(counts.reshape(-1, TOKENS), scheme.expected)

    lanes = _lanes(values.size // symbols_a_lane, chunks)
    states, words = rans(frequencies, lay_in_lanes(entries, chunks, lanes, counts.size))
    head = write_varints([lanes, len(tables), words.size])
    raw = pack_raw(values, widths)
    return b"".join((head, tables, states.astype("<u4").tobytes(), words.tobytes(), raw))


class SymbolDecoder:
    """Gives back the values of a stream, chunk by chunk. Raises WireError on a broken one."""

    def __init__(self, scheme: Scheme, data: bytes) -> None:
        self._scheme = scheme
        (lanes, table_bytes, word_count), place = read_varints(data, 3)
        if not 1 <= lanes <= _MAXIMUM_LANES:
            raise WireError("number of lanes is not allowed")
        end_of_words = place + table_bytes + 4 * lanes + 2 * word_count
        if end_of_words > len(data):
            raise WireError("symbol stream is cut short")
        frequencies = read_tables(data[place : place + table_bytes], scheme.expected)
        self._slots = scheme.lookup.replaced(frequencies, scheme.expected).slots
        self._bases = scheme.tables.astype(np.uint32) << _PRECISION
        self._shifts = scheme.shifts.astype(np.uint32)
        place += table_bytes
        self._states = np.frombuffer(data, "<u4", lanes, place).astype(np.uint32)
        place += 4 * lanes
        # A row may ask for a word a lane before the overrun is noticed.
        self._words = np.zeros(word_count + lanes, np.uint32)
        self._words[:word_count] = np.frombuffer(data, "<u2", word_count, place)
        self._word_count = word_count
        self._next_word = 0
        # Whole rows of a constant are faster than a number.
        self._row = tuple(
            np.full(lanes, constant, np.uint32)
            for constant in (SCALE - 1, PRECISION, FREQUENCY_BIT, FIRST_STATE, WORD_BITS, 0)
        )
        self._low = np.empty(lanes, np.bool_)
        self._raw = RawBits(data[end_of_words:])

    def take(self, contexts: Contexts) -> Values:
        """Return the next values, one for each context.

        Raises:
            WireError: the stream has no more.
        """
        tokens = self._take_tokens(self._bases.take(contexts))
        shifts = self._shifts.take(contexts)
        values = _TOKEN_VALUES.take(tokens)
        np.left_shift(values, shifts, out=values)
        shifts += _TOKEN_WIDTHS.take(tokens)
        if not self._raw.empty:
            values |= self._raw.take(shifts)
        return values

    def _take_tokens(self, slots: Values) -> Values:
        """Return a chunk's tokens: rows of lanes, one step of every lane's state a row.

        ``slots`` are where each token's frequency table begins.
        """
        lanes = self._states.size
        states, low, row = self._states, self._low, self._row
        entries = np.empty_like(slots)
        for first in range(0, slots.size, lanes):
            slot, entry = slots[first : first + lanes], entries[first : first + lanes]
            if slot.size < lanes:
                states, low = states[: slot.size], low[: slot.size]
                row = tuple(constant[: slot.size] for constant in row)
            mask, precision, frequency_bit, first_state, word_bits, scratch = row
            np.bitwise_and(states, mask, scratch)
            np.add(slot, scratch, slot)
            self._slots.take(slot, out=entry, mode="clip")
            np.right_shift(states, precision, states)
            np.right_shift(entry, frequency_bit, scratch)
            np.multiply(states, scratch, states)
            np.bitwise_and(entry, mask, scratch)
            np.add(states, scratch, states)
            np.less(states, first_state, low)
            short = low.nonzero()[0]
            if short.size:
                words = self._words[self._next_word : self._next_word + short.size]
                self._next_word += short.size
                if self._next_word > self._word_count:
                    raise WireError("symbol stream is cut short")
                high = states.take(short)
                np.left_shift(high, word_bits[: short.size], out=high)
                np.bitwise_or(high, words, out=high)
                states[short] = high
        np.right_shift(entries, _TOKEN_BIT, out=entries)
        np.bitwise_and(entries, _TOKEN_MASK, out=entries)
        return entries

    def finish(self) -> None:
        """Check that the stream held exactly what was taken.

        Raises:
            WireError: it did not.
        """
        if self._next_word != self._word_count or not (self._states == FIRST_STATE).all():
            raise WireError("symbol stream does not end where its values do")
        self._raw.finish()
