import pytest

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
            raise ValueError
        return at + 1

    with pytest.raises(ValueError, match=""):
        take_pieces(heard, step)
    assert heard == b"c"
