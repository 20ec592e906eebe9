"""Status reports: what became of a bundle, told to whom it asked (RFC 9171 section 6.1.1).

record := [1, [[asserted, time?] * 4, reason, source, [time, sequence], (offset, length)?]]
"""

from dataclasses import dataclass
from enum import IntEnum

from flight.relay.bundle import BundleFlag, BundleId, Reason
from flight.relay.cbor import (
    FALSE,
    TRUE,
    encode_array,
    encode_uint,
    read_array,
    read_bool,
    read_uint,
    skip_item,
)
from flight.relay.endpoint import encode_endpoint, read_endpoint
from flight.relay.errors import WireError

RECORD_TYPE = 1
"""Administrative record type of a status report (RFC 9171 section 6.1)."""


class Status(IntEnum):
    """What is asserted; the value is its place in a report (RFC 9171 section 6.1.1)."""

    RECEIVED = 0
    FORWARDED = 1
    DELIVERED = 2
    DELETED = 3


REPORT_FLAG = {
    Status.RECEIVED: BundleFlag.REPORT_RECEPTION,
    Status.FORWARDED: BundleFlag.REPORT_FORWARDING,
    Status.DELIVERED: BundleFlag.REPORT_DELIVERY,
    Status.DELETED: BundleFlag.REPORT_DELETION,
}
"""Which of Bundle.reports_wanted asks for each report (RFC 9171 section 4.2.3)."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of one bundle, or one fragment of it (RFC 9171 section 6.1.1)."""

    subject: BundleId
    asserted: tuple[tuple[Status, int | None], ...]
    """Each with its DTN time in milliseconds, or None where no time was asked for."""
    reason: int = Reason.NONE
    """A Reason, or a number that this node does not know."""


def encode_status_report(report: StatusReport) -> bytes:
    """Return the administrative record of a status report (RFC 9171 section 6.1.1)."""
    asserted = dict(report.asserted)
    items = []
    for status in Status:
        time_ms = asserted.get(status)
        said = TRUE if status in asserted else FALSE
        items.append(encode_array(said, *(() if time_ms is None else (encode_uint(time_ms),))))
    subject = report.subject
    parts = [
        encode_array(*items),
        encode_uint(report.reason),
        encode_endpoint(subject.source),
        encode_array(encode_uint(subject.created_ms), encode_uint(subject.sequence)),
    ]
    if subject.fragment_length:
        parts += [encode_uint(subject.fragment_offset), encode_uint(subject.fragment_length)]
    return encode_array(encode_uint(RECORD_TYPE), encode_array(*parts))


def read_status_report(record: bytes) -> StatusReport:
    """Return the status report that an administrative record holds (RFC 9171 section 6.1.1).

    Raises:
        WireError: it is another record, or broken.
    """
    two, at = read_array(record, 0)
    kind, at = read_uint(record, at)
    if two != 2 or kind != RECORD_TYPE:
        raise WireError("not a status report")
    count, at = read_array(record, at)
    if count not in {4, 6}:
        raise WireError("a status report has four or six elements")
    asserted, at = _read_asserted(record, at)
    reason, at = read_uint(record, at)
    source, at = read_endpoint(record, at)
    two, at = read_array(record, at)
    if two != 2:
        raise WireError("a creation timestamp has two elements")
    created_ms, at = read_uint(record, at)
    sequence, at = read_uint(record, at)
    offset = length = 0
    if count == 6:
        offset, at = read_uint(record, at)
        length, at = read_uint(record, at)
    if at != len(record):
        raise WireError("bytes follow the status report")
    subject = BundleId(source, created_ms, sequence, offset, length)
    return StatusReport(subject, asserted, reason)


def _read_asserted(data: bytes, at: int) -> tuple[tuple[tuple[Status, int | None], ...], int]:
    count, at = read_array(data, at)
    if count < len(Status):
        raise WireError("a status report asserts four things or more")
    asserted = []
    for status in Status:
        size, at = read_array(data, at)
        if size not in {1, 2}:
            raise WireError("a status item has one element or two")
        said, at = _read_said(data, at)
        time_ms: int | None = None
        if size == 2:
            time_ms, at = read_uint(data, at)
        if said:
            asserted.append((status, time_ms))
    for _ in range(count - len(Status)):  # things that a later protocol may assert
        at = skip_item(data, at)
    return tuple(asserted), at


def _read_said(data: bytes, at: int) -> tuple[bool, int]:
    """Return whether a thing is asserted, and the place after that.

    ION before 4.1.3 writes the numbers 1 and 0 where true and false belong.
    """
    if data[at : at + 1] in {encode_uint(0), encode_uint(1)}:
        said, at = read_uint(data, at)
        return bool(said), at
    return read_bool(data, at)
