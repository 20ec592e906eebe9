"""The entropy stage of the array codecs: tokens by context, interleaved static rANS, raw low bits.

A codec hands over non-negative integers, each with a context that says how large it is expected
to be. Of a large one the low bits are noise and go out raw; the rest becomes a token (0 to 31
direct, then two tokens an octave with raw bits below), and each token is coded by the frequency
table of its context with rANS (J. Duda, arXiv:1311.2540): 12-bit frequencies, 32-bit states, one
state for each of up to 1,024 lanes, so that one numpy operation moves all lanes a step.

The decoder works in chunks, because a context may depend on what the chunk before decoded.
States are float64 in the encoder: all values are integers below 2^53, hence exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.bits import RawBits, pack_raw
from flight.product.codecs.frequencies import (
    PRECISION,
    SCALE,
    TOKENS,
    Lookup,
    expected_frequencies,
    read_tables,
    write_tables,
)
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

Values = NDArray[np.uint32]
Contexts = NDArray[np.uint8]

_DIRECT = 32
_DIRECT_LOG = 5
_MAXIMUM_LANES = 1 << 10
SYMBOLS_A_LANE = 900
_FIRST_STATE = 1 << 16
_WORD_BITS = 16
_BLOCK_ROWS = 64
"""Rows whose working arrays stay in the cache."""


MAXIMUM_EXPANSION = 1 << 16
"""Samples a byte of stream: no array compresses better here, so a greater claim is a lie."""


FREE_STEPS = 192
SAMPLES_A_STEP = 48
BYTES_A_STEP = 32
"""A wavefront takes a step for each row and column, or band and line: it costs time, however few
samples it moves, so a long and thin box must bring the samples for it, or the bytes."""


def affords_steps(steps: int, samples: int, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a wavefront over so many samples."""
    return steps <= FREE_STEPS + samples // SAMPLES_A_STEP + stream_bytes // BYTES_A_STEP


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


def _tokenise(high: Values) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.uint8]]:
    """Return each value's token, and where and how many low bits a token leaves out."""
    tokens = np.minimum(high, _DIRECT).astype(np.uint8)
    large = (high >= _DIRECT).nonzero()[0]
    _, exponents = np.frexp(high[large].astype(np.float64))
    lengths = exponents.astype(np.uint32) - 1
    second = high[large] >> (lengths - 1) & 1
    tokens[large] = _DIRECT + 2 * (lengths - _DIRECT_LOG) + second
    return tokens, large, (lengths - 1).astype(np.uint8)


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
    widths = scheme.shifts[contexts]
    tokens, large, extra = _tokenise(values >> widths)
    widths[large] += extra
    raw = pack_raw(values, widths)

    entries = (scheme.tables.astype(np.int32) * TOKENS)[contexts] + tokens
    counts = np.bincount(entries, minlength=scheme.expected.size)
    tables, frequencies = write_tables(counts.reshape(-1, TOKENS), scheme.expected)

    lanes = _lanes(values.size // symbols_a_lane, chunks)
    states, words = _rans(frequencies, entries, chunks, lanes)
    head = write_varints([lanes, len(tables), words.size])
    return b"".join(
        (head, tables, states.astype("<u4").tobytes(), words.astype("<u2").tobytes(), raw)
    )


def _in_lanes(
    entries: NDArray[np.int32], chunks: NDArray[np.intp], lanes: int, padding: int
) -> NDArray[np.int32]:
    """Return the entries as rows of lanes; every chunk begins a row."""
    rows = -(-chunks // lanes)
    laid = np.full((int(rows.sum()), lanes), padding, np.int32)
    flat = laid.reshape(-1)
    source = target = 0
    for size, row_count in zip(chunks.tolist(), rows.tolist(), strict=True):
        flat[target : target + size] = entries[source : source + size]
        source += size
        target += row_count * lanes
    return laid


def _rans(
    frequencies: NDArray[np.int64],
    entries: NDArray[np.int32],
    chunks: NDArray[np.intp],
    lanes: int,
) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """Return the lanes' last states and the 16-bit words, in the decoder's order.

    ``entries`` are places in the flattened frequency tables.
    """
    # A symbol that owns the whole scale leaves a state as it is: it pads the last row of a chunk.
    frequency_of = np.append(frequencies, SCALE).astype(np.float64)
    below_of = np.append(np.cumsum(frequencies, axis=1) - frequencies, 0).astype(np.float64)
    entry_rows = _in_lanes(entries, chunks, lanes, frequencies.size)
    states = np.full(lanes, float(_FIRST_STATE))
    scratch, kept = np.empty(lanes), np.empty(lanes)
    emitted: list[NDArray[np.uint16]] = []
    for block in range((len(entry_rows) - 1) // _BLOCK_ROWS * _BLOCK_ROWS, -1, -_BLOCK_ROWS):
        frequencies_here = frequency_of[entry_rows[block : block + _BLOCK_ROWS]]
        below_here = below_of[entry_rows[block : block + _BLOCK_ROWS]]
        before = np.empty(below_here.shape)
        full = np.empty(below_here.shape, np.bool_)
        rows = (
            frequencies_here,
            frequencies_here * float(1 << (32 - PRECISION)),
            SCALE - frequencies_here,
            below_here,
            before,
            full,
        )
        for frequency, limit, gap, below, old, over in zip(
            *(row[::-1] for row in rows), strict=True
        ):
            # A state at its limit leaves its low word behind: which one, is looked up later.
            old[:] = states
            np.greater_equal(states, limit, out=over)
            np.multiply(states, 1 / (1 << _WORD_BITS), out=kept)
            np.floor(kept, out=kept)
            np.copyto(states, kept, where=over)
            # (state // f) * SCALE + below + state % f = state + (state // f) * (SCALE - f) + below
            np.divide(states, frequency, out=scratch)
            np.floor(scratch, out=scratch)
            scratch *= gap
            states += scratch
            states += below
        emitted.append(before[full].astype(np.uint32).astype(np.uint16))
    emitted.reverse()
    return states, np.concatenate(emitted) if emitted else np.zeros(0, np.uint16)


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
        self._lookup = scheme.lookup.replaced(frequencies, scheme.expected)
        place += table_bytes
        self._states = np.frombuffer(data, "<u4", lanes, place).astype(np.uint32)
        self._frequency, self._place = np.empty(lanes, np.uint32), np.empty(lanes, np.uint32)
        place += 4 * lanes
        # A row may ask for a word a lane before the overrun is noticed.
        self._words = np.zeros(word_count + lanes, np.uint32)
        self._words[:word_count] = np.frombuffer(data, "<u2", word_count, place)
        self._word_count = word_count
        self._next_word = 0
        self._raw = RawBits(data[end_of_words:])

    def take(self, contexts: Contexts) -> Values:
        """Return the next values, one for each context.

        Raises:
            WireError: the stream has no more.
        """
        tokens = self._take_tokens(self._scheme.tables[contexts])
        shifts = self._scheme.shifts[contexts]
        large = (tokens >= _DIRECT).nonzero()[0]
        if large.size:
            octaves = tokens[large] - _DIRECT
            lengths = (octaves >> 1) + (_DIRECT_LOG - 1)
            tokens[large] = (octaves & 1 | 2) << lengths
            widths = shifts.copy()
            widths[large] += lengths.astype(np.uint8)
        else:
            widths = shifts
        return (tokens << shifts) | self._raw.take(widths)

    def _take_tokens(self, tables: NDArray[np.uint8]) -> Values:
        """Return a chunk's tokens: rows of lanes, one step of every lane's state a row."""
        count = tables.size
        slots = tables.astype(np.intp)
        slots <<= PRECISION
        lookup, lanes = self._lookup, self._states.size
        frequency, place = self._frequency, self._place
        for first in range(0, count, lanes):
            row = slots[first : first + lanes]
            if row.size < lanes:
                frequency, place = frequency[: row.size], place[: row.size]
            states = self._states[: row.size]
            np.bitwise_and(states, _SLOT_MASK, out=place)
            row += place
            lookup.frequencies.take(row, out=frequency, mode="clip")
            lookup.places.take(row, out=place, mode="clip")
            states >>= _PRECISION_SHIFT
            states *= frequency
            states += place
            low = (states < _FIRST_STATE).nonzero()[0]
            if low.size:
                words = self._words[self._next_word : self._next_word + low.size]
                self._next_word += low.size
                if self._next_word > self._word_count:
                    raise WireError("symbol stream is cut short")
                states[low] = (states[low] << _WORD_SHIFT) | words
        tokens: Values = lookup.tokens.take(slots, mode="clip")
        return tokens

    def finish(self) -> None:
        """Check that the stream held exactly what was taken.

        Raises:
            WireError: it did not.
        """
        if self._next_word != self._word_count or not (self._states == _FIRST_STATE).all():
            raise WireError("symbol stream does not end where its values do")
        self._raw.finish()


_SLOT_MASK = np.uint32(SCALE - 1)
_PRECISION_SHIFT = np.uint32(PRECISION)
_WORD_SHIFT = np.uint32(_WORD_BITS)
