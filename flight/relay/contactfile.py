"""Contact plans as text: ION's ``a contact`` and ``a range`` lines, and TOML.

    a contact +0 +600 1 2 125000          # from 1 to 2, 125,000 bytes a second, from now on
    a range   2026/11/22-10:00:00 2026/11/22-18:00:00 1 2 2

``+N`` counts seconds from the reference time, which ``@ yyyy/mm/dd-hh:mm:ss`` sets (ionrc(5)).
In TOML::

    [[contact]]
    from_node = 1
    to_node = 2
    start = "+0"
    end = "2026/11/22-18:00:00"
    rate_bytes_s = 125_000

    [[range]]                   # one_way_ms in place of the rate: ION has whole seconds only
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from flight.relay.contacts import Contact, ContactPlan, Range
from flight.settings import SettingsError, parse_settings, read_text

DTN_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""The instant 0 of DTN time (RFC 9171 section 4.2.6)."""

_ION_TIME = "%Y/%m/%d-%H:%M:%S"

_OTHER_ION_COMMANDS = frozenset("1eilmsvwhq?^")
"""First words of an ionrc line that says nothing of contacts."""


@dataclass(frozen=True, slots=True)
class _ContactRow:
    from_node: int
    to_node: int
    start: str
    end: str
    rate_bytes_s: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class _RangeRow:
    from_node: int
    to_node: int
    start: str
    end: str
    one_way_ms: int


@dataclass(frozen=True, slots=True)
class _PlanFile:
    contact: tuple[_ContactRow, ...] = ()
    range: tuple[_RangeRow, ...] = ()


def read_plan(path: Path, *, reference_ms: int) -> ContactPlan:
    """Return the contact plan in a file: TOML where its name ends in .toml, else ION's lines.

    Raises:
        SettingsError: the file cannot be read, or is no contact plan.
    """
    text = read_text(path)
    try:
        if path.suffix == ".toml":
            return read_toml_plan(text, reference_ms=reference_ms, source=str(path))
        return read_ion_plan(text, reference_ms=reference_ms)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def read_toml_plan(text: str, *, reference_ms: int, source: str = "contact plan") -> ContactPlan:
    """Return the contact plan that TOML text holds; ``+N`` counts from ``reference_ms``.

    Raises:
        ValueError: no TOML, an unknown or missing key, a bad time, or overlapping contacts.
    """
    rows = parse_settings(_PlanFile, text, source=source, folder=Path())
    contacts = tuple(
        Contact(
            row.from_node,
            row.to_node,
            parse_time(row.start, reference_ms=reference_ms),
            parse_time(row.end, reference_ms=reference_ms),
            row.rate_bytes_s,
            row.confidence,
        )
        for row in rows.contact
    )
    ranges = tuple(
        Range(
            row.from_node,
            row.to_node,
            parse_time(row.start, reference_ms=reference_ms),
            parse_time(row.end, reference_ms=reference_ms),
            row.one_way_ms,
        )
        for row in rows.range
    )
    return ContactPlan(contacts, ranges)


def read_ion_plan(text: str, *, reference_ms: int) -> ContactPlan:
    """Return the contact plan in ionadmin commands; other commands are passed over (ionrc(5)).

    Raises:
        ValueError: a line is wrong, or removes what another file added; the number is named.
    """
    contacts: list[Contact] = []
    ranges: list[Range] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        try:
            if not words or words[0] in _OTHER_ION_COMMANDS:
                continue
            if words[0] == "@" and len(words) == 2:
                reference_ms = parse_time(words[1], reference_ms=reference_ms)
            elif words[:2] == ["a", "contact"]:
                contacts.append(_ion_contact(words[2:], reference_ms))
            elif words[:2] == ["a", "range"]:
                ranges.append(_ion_range(words[2:], reference_ms))
            else:
                raise ValueError("not a contact, range or time")
        except ValueError as error:
            raise ValueError(f"contact plan line {number}: {error}: {line.strip()[:80]}") from error
    return ContactPlan(tuple(contacts), tuple(ranges))


def write_ion_plan(plan: ContactPlan) -> str:
    """Return the plan as ionadmin commands with absolute times (ionrc(5)).

    ION counts whole seconds: a contact is written as its inner whole seconds, a light time as
    the next second above. Ranges that follow each other and then say the same become one.
    """
    lines = []
    for contact in plan.contacts:
        start, end = -(-contact.start_ms // 1000), contact.end_ms // 1000
        if start < end:
            lines.append(
                f"a contact {_ion_time(start)} {_ion_time(end)} {contact.from_node} "
                f"{contact.to_node} {contact.rate_bytes_s} {contact.confidence:g}"
            )
    for from_node, to_node, start, end, light_s in _ion_ranges(plan):
        lines.append(f"a range {_ion_time(start)} {_ion_time(end)} {from_node} {to_node} {light_s}")
    return "".join(f"{line}\n" for line in lines)


def write_toml_plan(plan: ContactPlan) -> str:
    """Return the plan as TOML, to the millisecond."""
    tables = [
        _toml_table(
            "contact",
            contact,
            f"rate_bytes_s = {contact.rate_bytes_s}\nconfidence = {contact.confidence!r}\n",
        )
        for contact in plan.contacts
    ] + [_toml_table("range", entry, f"one_way_ms = {entry.one_way_ms}\n") for entry in plan.ranges]
    return "\n".join(tables)


def parse_time(text: str, *, reference_ms: int) -> int:
    """Return DTN milliseconds for ``+N`` seconds or ``yyyy/mm/dd-hh:mm:ss``, with ``.mmm`` or not.

    Raises:
        ValueError: neither form.
    """
    if text.startswith("+"):
        return reference_ms + _thousandths(text[1:])
    whole, _, fraction = text.partition(".")
    try:
        instant = datetime.strptime(whole, _ION_TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        raise ValueError(
            f"not a time: {text[:40]!r}; write +SECONDS or yyyy/mm/dd-hh:mm:ss"
        ) from None
    milliseconds = (instant - DTN_EPOCH) // timedelta(milliseconds=1)
    return milliseconds + _thousandths(f"0.{fraction or 0}")


def format_time(dtn_ms: int) -> str:
    """Return ``yyyy/mm/dd-hh:mm:ss.mmm`` for DTN milliseconds; parse_time reads it back."""
    return f"{_ion_time(dtn_ms // 1000)}.{dtn_ms % 1000:03d}"


def _ion_ranges(plan: ContactPlan) -> list[tuple[int, int, int, int, int]]:
    """Return (from, to, start, end, light time) of the ranges in whole seconds, none overlapping.

    Outer seconds: of two that meet within a second the first one has it.
    """
    last: dict[tuple[int, int], list[int]] = {}
    found: list[list[int]] = []
    for entry in plan.ranges:
        start, end = entry.start_ms // 1000, -(-entry.end_ms // 1000)
        light_s = -(-entry.one_way_ms // 1000)
        before = last.get(entry[:2])
        if before is not None:
            start = max(start, before[3])
            if (start, light_s) == (before[3], before[4]):
                before[3] = max(end, start)
                continue
        if start < end:
            last[entry[:2]] = [*entry[:2], start, end, light_s]
            found.append(last[entry[:2]])
    return [(one, other, start, end, light_s) for one, other, start, end, light_s in found]


def _ion_contact(words: Sequence[str], reference_ms: int) -> Contact:
    if not 5 <= len(words) <= 7:
        raise ValueError("a contact is: start end from to bytes-a-second [confidence]")
    return Contact(
        _number(words[2]),
        _number(words[3]),
        parse_time(words[0], reference_ms=reference_ms),
        parse_time(words[1], reference_ms=reference_ms),
        _number(words[4]),
        float(words[5]) if len(words) > 5 else 1.0,
    )


def _ion_range(words: Sequence[str], reference_ms: int) -> Range:
    if len(words) != 5:
        raise ValueError("a range is: start end from to light-seconds")
    return Range(
        _number(words[2]),
        _number(words[3]),
        parse_time(words[0], reference_ms=reference_ms),
        parse_time(words[1], reference_ms=reference_ms),
        _thousandths(words[4]),
    )


def _toml_table(name: str, entry: Contact | Range, extra: str) -> str:
    return (
        f"[[{name}]]\nfrom_node = {entry.from_node}\nto_node = {entry.to_node}\n"
        f'start = "{format_time(entry.start_ms)}"\nend = "{format_time(entry.end_ms)}"\n{extra}'
    )


def _ion_time(seconds: int) -> str:
    return (DTN_EPOCH + timedelta(seconds=seconds)).strftime(_ION_TIME)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ValueError(f"not a number: {text[:40]!r}")
    return int(text)


def _thousandths(text: str) -> int:
    """Return a decimal number times 1000, exactly, more digits cut off."""
    whole, _, fraction = text.partition(".")
    return _number(whole) * 1000 + _number((fraction + "000")[:3])
