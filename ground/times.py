"""DTN time for people: milliseconds since 2000 as UTC, and back."""

from datetime import datetime, timedelta, timezone

DTN_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""RFC 9171 section 4.2.6. Leap seconds are not counted, as in POSIX time."""

_LATEST_MS = int((datetime(9999, 12, 31, tzinfo=timezone.utc) - DTN_EPOCH).total_seconds() * 1000)


def utc(dtn_ms: int) -> str:
    """Return a DTN time as ISO 8601 UTC to the millisecond; ``-`` where it is 0, unknown."""
    if dtn_ms == 0:
        return "-"
    if not 0 < dtn_ms <= _LATEST_MS:
        return f"{dtn_ms} ms"
    moment = DTN_EPOCH + timedelta(milliseconds=dtn_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def parse_utc(text: str) -> int:
    """Return the DTN milliseconds of an ISO 8601 time; one without a zone is UTC.

    Raises:
        ValueError: it is no such time, or before 2000.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    milliseconds = (moment - DTN_EPOCH) // timedelta(milliseconds=1)
    if milliseconds <= 0:
        raise ValueError("before 2000-01-01")
    return milliseconds


def duration(milliseconds: int) -> str:
    """Return a span of time in the largest units that say it: ``2 h 05 min``."""
    seconds = abs(milliseconds) / 1000
    sign = "-" if milliseconds < 0 else ""
    if seconds < 60:
        return f"{sign}{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{sign}{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours} h {minutes:02d} min"
    return f"{sign}{hours // 24} d {hours % 24:02d} h"


def span(nanoseconds: int) -> str:
    """Return a measured span of time, to the microsecond below a second: ``2.713 s``."""
    seconds = nanoseconds / 1e9
    return f"{seconds:.3f} s" if abs(seconds) >= 1 else f"{seconds * 1000:.3f} ms"


def data_size(count: int) -> str:
    """Return a number of bytes with a decimal unit: ``1.2 MB``."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
