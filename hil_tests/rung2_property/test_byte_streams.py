from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.relay.slip import PacketReader, encode_packet
from flight.relay.uartframe import FrameReader, encode_frame

Encode = Callable[[bytes], bytes]
Feed = Callable[[bytes], list[bytes]]
# Zeros, ends and escapes are what stuffing is about: make them common.
payload = st.one_of(
    st.binary(min_size=1, max_size=1024),
    st.lists(st.sampled_from([0, 1, 0xC0, 0xDB, 0xDC, 0xDD, 0xFF]), min_size=1, max_size=600).map(
        bytes
    ),
    st.integers(250, 520).map(lambda size: b"\x07" * size),
)


def framings() -> list[tuple[Encode, Callable[[], Feed]]]:
    return [
        (encode_frame, lambda: FrameReader().feed),
        (encode_packet, lambda: PacketReader(2048).feed),
    ]


@pytest.mark.parametrize(("encode", "reader"), framings(), ids=["uartframe", "slip"])
@given(sent=st.lists(payload, max_size=6), cut=st.integers(1, 64))
def test_payloads_survive_any_cut_of_the_stream(
    encode: Encode, reader: Callable[[], Feed], sent: list[bytes], cut: int
):
    stream = b"".join(map(encode, sent))
    feed = reader()
    assert [p for i in range(0, len(stream), cut) for p in feed(stream[i : i + cut])] == sent


@given(st.lists(st.binary(max_size=4096), max_size=4))
def test_noise_never_raises_and_never_grows_memory(noise: list[bytes]):
    frames, packets = FrameReader(), PacketReader(1000)
    for piece in noise:
        frames.feed(piece)
        packets.feed(piece)
        assert len(frames._buffer) <= 2100
        assert len(packets._buffer) <= 2000


@given(payload, st.data())
def test_a_flipped_bit_loses_its_frame_and_no_other(sent: bytes, data: st.DataObject):
    frame = bytearray(encode_frame(sent))
    bit = data.draw(st.integers(0, 8 * len(frame) - 9))
    frame[bit // 8] ^= 1 << bit % 8
    got = FrameReader().feed(bytes(frame) + b"\x00" + encode_frame(b"next"))
    assert got == [b"next"]
