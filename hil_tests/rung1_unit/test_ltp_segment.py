import pytest

from flight.relay.errors import WireError
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Reason,
    Report,
    ReportAck,
    SessionId,
    read_sdnv,
    read_segment,
    sdnv,
    write_cancel,
    write_cancel_ack,
    write_report,
    write_report_ack,
)

SESSION = SessionId(5, 300)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0xABC, "953c"), (0x1234, "a434"), (0x4234, "818434"), (0x7F, "7f")],
)
def test_sdnvs_are_those_of_rfc_6256(number: int, encoded: str):
    assert sdnv(number).hex() == encoded
    assert read_sdnv(bytes.fromhex(encoded), 0) == (number, len(encoded) // 2)


def test_an_sdnv_of_64_bits_is_read_and_one_more_is_refused():
    most = (1 << 64) - 1
    assert read_sdnv(sdnv(most), 0) == (most, 10)
    with pytest.raises(WireError, match="64 bits"):
        read_sdnv(sdnv(most + 1), 0)
    with pytest.raises(WireError, match="64 bits"):
        read_sdnv(b"\x80" * 10 + b"\x01", 0)


def test_a_data_segment_has_the_fields_of_section_3_2_1():
    red = bytes.fromhex("00 05 822c 00 01 8800 03 616263")
    assert read_segment(red) == DataSegment(0, SESSION, 1, 1024, b"abc", 0, 0)
    checkpoint = bytes.fromhex("03 05 822c 00 01 00 03 11 00 616263")
    assert read_segment(checkpoint) == DataSegment(3, SESSION, 1, 0, b"abc", 17, 0)


def test_claims_are_relative_to_the_lower_bound():
    report = Report(SESSION, 9, 17, 6000, 1000, ((1000, 3000), (4000, 4500)))
    datagram = write_report(report)
    assert datagram.hex(" ") == "08 05 82 2c 00 09 11 ae 70 87 68 02 00 8f 50 97 38 83 74"
    assert read_segment(datagram) == report


@pytest.mark.parametrize(
    ("datagram", "segment"),
    [
        (write_report_ack(ReportAck(SESSION, 9)), ReportAck(SESSION, 9)),
        (
            write_cancel(Cancel(SESSION, by_sender=True, reason=Reason.SYSTEM)),
            Cancel(SESSION, by_sender=True, reason=4),
        ),
        (
            write_cancel(Cancel(SESSION, by_sender=False, reason=Reason.USER)),
            Cancel(SESSION, by_sender=False, reason=0),
        ),
        (write_cancel_ack(CancelAck(SESSION, by_sender=True)), CancelAck(SESSION, by_sender=True)),
        (
            write_cancel_ack(CancelAck(SESSION, by_sender=False)),
            CancelAck(SESSION, by_sender=False),
        ),
    ],
)
def test_the_small_segments_come_back(datagram: bytes, segment: object):
    assert read_segment(datagram) == segment


def test_extensions_in_header_and_trailer_are_skipped():
    datagram = bytes.fromhex("09 05 822c 21 00 01 aa c0 00 09 01 02 bbbb")
    assert read_segment(datagram) == ReportAck(SESSION, 9)


@pytest.mark.parametrize(
    ("why", "datagram"),
    [
        ("empty", ""),
        ("version 1", "10 05 01 00 01 00 01 61"),
        ("reserved type 5", "05 05 01 00 01 00 01 61"),
        ("reserved type 10", "0a 05 01 00"),
        ("data cut short", "00 05 01 00 01 00 05 6162"),
        ("bytes after it", "00 05 01 00 01 00 01 6162"),
        ("checkpoint 0", "03 05 01 00 01 00 01 00 00 61"),
        ("report without scope", "08 05 01 00 09 11 05 05 00"),
        ("report serial 0", "08 05 01 00 00 11 05 00 00"),
        ("claim beyond upper", "08 05 01 00 09 11 05 00 01 00 06"),
        ("claims overlap", "08 05 01 00 09 11 09 00 02 00 03 02 03"),
        ("empty claim", "08 05 01 00 09 11 09 00 01 00 00"),
        ("claims promised, not there", "08 05 01 00 09 11 09 00 ffff7f 00 03"),
        ("extension cut short", "00 05 01 10 00 7f 01"),
    ],
)
def test_what_breaks_the_format_is_a_wire_error(why: str, datagram: str):
    with pytest.raises(WireError):
        read_segment(bytes.fromhex(datagram))
