import pytest

from flight.relay.bundle import Bundle, Reason, fragment_bundle, make_bundle
from flight.relay.endpoint import NONE, ipn
from flight.relay.errors import WireError
from flight.relay.status import (
    REPORT_FLAG,
    Status,
    StatusReport,
    encode_status_report,
    read_status_report,
)


def subject(flags: int = 0, **changes) -> Bundle:
    fields = {
        "source": ipn(1, 1),
        "destination": ipn(3, 65),
        "report_to": ipn(1, 2),
        "created_ms": 816_000_000_000,
        "sequence": 7,
        "lifetime_ms": 60_000,
        "flags": flags,
    }
    return make_bundle(b"payload", **(fields | changes))


def test_the_layout_is_the_rfcs() -> None:
    report = StatusReport(subject().id, ((Status.DELIVERED, None),), Reason.NONE)
    # [1, [[[false], [false], [true], [false]], 0, ipn:1.1, [816000000000, 7]]]
    expected = "8201848481f481f481f581f4008202820101821b000000bdfd63e00007"
    assert encode_status_report(report).hex() == expected
    assert read_status_report(bytes.fromhex(expected)) == report


def test_times_are_told_where_they_are_given() -> None:
    timed = StatusReport(
        subject().id, ((Status.RECEIVED, 0), (Status.DELETED, 99)), Reason.LIFETIME_EXPIRED
    )
    assert read_status_report(encode_status_report(timed)) == timed


def test_a_fragment_is_named_by_offset_and_length() -> None:
    _, second = fragment_bundle(subject(), payload_bytes=4)
    report = StatusReport(second.id, ((Status.RECEIVED, None),))
    read = read_status_report(encode_status_report(report))
    assert (read.subject.fragment_offset, read.subject.fragment_length) == (4, 3)


@pytest.mark.parametrize("status", list(Status))
def test_only_the_reports_asked_for_are_wanted(status: Status) -> None:
    assert subject(REPORT_FLAG[status]).reports_wanted == REPORT_FLAG[status]
    assert subject().reports_wanted == 0
    assert subject(REPORT_FLAG[status], report_to=NONE).reports_wanted == 0


def test_more_assertions_than_known_and_unknown_reasons_are_read() -> None:
    data = "8201848581f581f481f481f481f51863820100820005"
    report = read_status_report(bytes.fromhex(data))
    assert report.asserted == ((Status.RECEIVED, None),)
    assert report.reason == 0x63


def test_the_numbers_that_ion_wrote_before_4_1_3_are_read_as_true_and_false() -> None:
    # [1, [[[0], [1, 99], [0], [0]], 0, ipn:1.1, [5, 0]]]
    data = "820184848100820118638100810000820282010182" + "0500"
    report = read_status_report(bytes.fromhex(data))
    assert report.asserted == ((Status.FORWARDED, 99),)


@pytest.mark.parametrize(
    "record",
    [
        "8201848481f481f4810281f4008202820101820007",
        "",
        "8202848481f481f481f581f4008202820101820007",
        "8101",
        "8201838481f481f481f581f4008202820101",
        "8201848381f481f481f4008202820101820007",
        "8201848480f481f481f581f4008202820101820007",
        "8201848481f481f481f581f400820282010183000700",
        "8201848481f481f481f581f400820282010182000700",
        "8201848481f681f481f581f4008202820101820007",
    ],
)
def test_broken_reports_are_refused(record: str) -> None:
    with pytest.raises(WireError):
        read_status_report(bytes.fromhex(record))
