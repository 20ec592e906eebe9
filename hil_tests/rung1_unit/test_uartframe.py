from zlib import crc32

import pytest

from flight.relay import uartframe
from flight.relay.uartframe import MAX_PAYLOAD_BYTES, FrameReader, encode_frame, frame_bytes

# Cheshire and Baker's encoding, the table that every implementation quotes.
COBS_VECTORS = [
    ("00", "0101"),
    ("0000", "010101"),
    ("001100", "01021101"),
    ("11220033", "0311220233"),
    ("11223344", "0511223344"),
    ("11000000", "0211010101"),
    (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()),
    (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
    (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
    ((bytes(range(2, 256)) + b"\0").hex(), "ff" + bytes(range(2, 256)).hex() + "0101"),
    ((bytes(range(3, 256)) + b"\0\1").hex(), "fe" + bytes(range(3, 256)).hex() + "0201"),
]


@pytest.mark.parametrize(("plain", "stuffed"), COBS_VECTORS)
def test_stuffing_gives_the_published_bytes_and_back(plain: str, stuffed: str):
    assert uartframe._stuff(bytes.fromhex(plain)).hex() == stuffed
    assert uartframe._unstuff(bytes.fromhex(stuffed)) == bytes.fromhex(plain)


def test_the_crc_is_the_one_that_the_docstring_names():
    assert crc32(b"123456789") == 0xCBF43926
    assert encode_frame(b"123456789") == b"\x0e123456789" + b"\xcb\xf4\x39\x26\x00"


def test_two_delimiters_in_a_row_are_an_idle_line_and_not_a_loss():
    reader = FrameReader()
    assert reader.feed(b"\0\0\0" + encode_frame(b"x") + b"\0\0") == [b"x"]
    assert reader.frames_dropped == 0


def test_a_reader_that_starts_amid_a_frame_finds_the_next_one():
    reader = FrameReader()
    stream = encode_frame(b"first payload") + encode_frame(b"second")
    assert reader.feed(stream[5:]) == [b"second"]
    assert reader.frames_dropped == 1


def test_a_line_stuck_without_delimiters_takes_no_memory_and_costs_one_frame():
    reader = FrameReader()
    for _ in range(100):
        assert reader.feed(b"\x55" * 1000) == []
    assert len(reader._buffer) <= frame_bytes(MAX_PAYLOAD_BYTES)
    assert reader.feed(b"\0" + encode_frame(b"alive")) == [b"alive"]
    assert reader.frames_dropped == 1


def test_a_payload_that_is_too_long_is_our_mistake():
    assert FrameReader().feed(encode_frame(bytes(MAX_PAYLOAD_BYTES))) == [bytes(MAX_PAYLOAD_BYTES)]
    with pytest.raises(ValueError, match="exceeds"):
        encode_frame(bytes(MAX_PAYLOAD_BYTES + 1))


def test_the_bound_on_a_frame_is_reached_and_never_passed():
    for size in (0, 1, 249, 250, 251, 504, 1024, MAX_PAYLOAD_BYTES):
        payloads = [bytes(size), b"\x01" * size, bytes(range(256)) * 8]
        longest = max(len(encode_frame(payload[:size])) for payload in payloads)
        assert longest <= frame_bytes(size) <= longest + 1
