import pytest

from flight.relay.slip import PacketReader, encode_packet


def test_end_and_escape_are_replaced_as_rfc_1055_says():
    assert encode_packet(b"\xc0\xdb").hex() == "c0dbdcdbddc0"
    assert PacketReader(10).feed(bytes.fromhex("c0dbdcdbddc0")) == [b"\xc0\xdb"]


def test_noise_before_the_first_end_is_a_packet_of_its_own_and_spoils_no_other():
    reader = PacketReader(100)
    assert reader.feed(b"noise" + encode_packet(b"one") + encode_packet(b"two"))[-2:] == [
        b"one",
        b"two",
    ]


@pytest.mark.parametrize("damaged", [b"\xdb\x00", b"ab\xdb", b"\xdb\xdb\xdc"])
def test_a_wrong_escape_drops_its_packet_and_no_other(damaged: bytes):
    reader = PacketReader(100)
    assert reader.feed(b"\xc0" + damaged + encode_packet(b"next")) == [b"next"]
    assert reader.packets_dropped == 1


def test_a_packet_beyond_the_limit_is_dropped_in_bounded_memory():
    reader = PacketReader(10)
    for _ in range(100):
        assert reader.feed(b"x" * 50) == []
        assert len(reader._buffer) <= 20
    assert reader.feed(encode_packet(b"y" * 11) + encode_packet(b"z" * 10)) == [b"z" * 10]
    assert reader.packets_dropped == 2
