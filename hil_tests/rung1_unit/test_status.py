import pytest

from flight.instant import Instant
from flight.relay.bundle import (
    Bundle,
    BundleFlag,
    Reason,
    encode_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
)
from flight.relay.endpoint import NONE, ipn
from flight.relay.errors import WireError
from flight.relay.status import (
    Status,
    StatusReport,
    encode_status_report,
    is_report_wanted,
    make_report_bundle,
    read_status_report,
    report_on,
)

NOW = Instant(0, 816_000_000_500)


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


def test_time_is_told_only_when_it_was_asked_for() -> None:
    timed = report_on(subject(BundleFlag.STATUS_TIME), Status.DELETED, Reason.LIFETIME_EXPIRED, NOW)
    assert timed.asserted == ((Status.DELETED, NOW.dtn_ms),)
    assert read_status_report(encode_status_report(timed)) == timed
    assert report_on(subject(), Status.DELETED, Reason.NONE, NOW).asserted[0][1] is None


def test_a_fragment_is_named_by_offset_and_length() -> None:
    _, second = fragment_bundle(subject(), payload_bytes=4)
    report = report_on(second, Status.RECEIVED, Reason.NONE, NOW)
    read = read_status_report(encode_status_report(report))
    assert (read.subject.fragment_offset, read.subject.fragment_length) == (4, 3)


@pytest.mark.parametrize("status", list(Status))
def test_only_the_reports_asked_for_are_wanted(status: Status) -> None:
    flag = {
        Status.RECEIVED: BundleFlag.REPORT_RECEPTION,
        Status.FORWARDED: BundleFlag.REPORT_FORWARDING,
        Status.DELIVERED: BundleFlag.REPORT_DELIVERY,
        Status.DELETED: BundleFlag.REPORT_DELETION,
    }[status]
    assert is_report_wanted(subject(flag), status)
    assert not is_report_wanted(subject(), status)
    assert not is_report_wanted(subject(flag, report_to=NONE), status)


@pytest.mark.parametrize("now", [NOW, Instant(0, 0)])
def test_a_report_travels_as_a_bundle_that_asks_for_no_report(now: Instant) -> None:
    asked = subject(BundleFlag.REPORT_DELIVERY)
    report = report_on(asked, Status.DELIVERED, Reason.NONE, now)
    bundle = make_report_bundle(
        report, asked, node=ipn(3, 0), sequence=1, lifetime_ms=1000, now=now
    )
    bundle = read_bundle(encode_bundle(bundle))
    assert bundle.is_administrative
    assert bundle.reports_wanted == 0
    assert bundle.primary.destination == ipn(1, 2)
    assert read_status_report(bundle.payload) == report


def test_more_assertions_than_known_and_unknown_reasons_are_read() -> None:
    data = "8201848581f581f481f481f481f51863820100820005"
    report = read_status_report(bytes.fromhex(data))
    assert report.asserted == ((Status.RECEIVED, None),)
    assert report.reason == 0x63


@pytest.mark.parametrize(
    "record",
    [
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
