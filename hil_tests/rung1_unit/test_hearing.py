import pytest

from flight.relay.errors import WireError
from flight.relay.stream.hearing import take_pieces


def test_what_was_taken_is_forgotten_and_the_rest_waits():
    heard, seen = bytearray(b"abcdefg"), []

    def step(at: int) -> int | None:
        if at + 3 > len(heard):
            return None
        seen.append(bytes(heard[at : at + 3]))
        return at + 3

    take_pieces(heard, step)
    assert (seen, heard) == ([b"abc", b"def"], b"g")


def test_what_was_taken_before_an_error_is_forgotten_too():
    heard = bytearray(b"abc")

    def step(at: int) -> int | None:
        if at == 2:
            raise WireError("no such message")
        return at + 1

    with pytest.raises(WireError, match="no such"):
        take_pieces(heard, step)
    assert heard == b"c"
