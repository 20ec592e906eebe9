"""Hiding XON and XOFF; the pairs follow from RFC 1662 section 4.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.relay.xonxoff import ControlReader, hide_controls


@pytest.mark.parametrize(
    ("plain", "hidden"),
    [("11", "7d31"), ("13", "7d33"), ("7d", "7d5d"), ("00", "00"), ("11137d41", "7d317d337d5d41")],
)
def test_the_three_bytes_are_hidden(plain: str, hidden: str):
    assert hide_controls(bytes.fromhex(plain)) == bytes.fromhex(hidden)
    assert ControlReader().feed(bytes.fromhex(hidden)) == bytes.fromhex(plain)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_what_was_hidden_comes_back_however_the_stream_is_cut(data: bytes, step: int):
    hidden = hide_controls(data)
    assert not set(hidden) & set(b"\x11\x13")
    reader = ControlReader()
    cut = [hidden[at : at + step] for at in range(0, len(hidden), step)]
    assert b"".join(map(reader.feed, cut)) == data


def test_what_the_line_itself_says_is_no_data():
    assert ControlReader().feed(b"\x13one\x11") == b"one"
    reader = ControlReader()
    assert reader.feed(b"\x7d\x11") + reader.feed(b"\x5d") == b"\x7d"


def test_a_delimiter_behind_a_spoilt_escape_is_a_delimiter():
    assert ControlReader().feed(b"spoilt\x7d\x00next\x00") == b"spoilt\x00next\x00"


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(data: bytes):
    assert len(ControlReader().feed(data)) <= len(data)
