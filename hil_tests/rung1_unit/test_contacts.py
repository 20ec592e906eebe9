import pytest

from flight.instant import Instant
from flight.relay.contactfile import (
    format_time,
    parse_time,
    read_ion_plan,
    read_toml_plan,
    write_ion_plan,
    write_toml_plan,
)
from flight.relay.contacts import Contact, ContactPlan, Range

# 2026/11/22-10:00:00 UTC: 9,822 days and ten hours after the epoch of 2000.
START = (9_822 * 86_400 + 36_000) * 1000
MINUTE = 60_000

ION = """
# lander 1, relay 2, ground 3
1 1 lander.ionconfig
s
@ 2026/11/22-10:00:00
a contact +0 +600 1 2 125000            # a comment
a contact +0 2026/11/22-10:10:00 2 1 15 0.5
a contact +3600 +4200 1 2 125000
a range +0 +7200 1 2 1.35
a range +0 +7200 2 1 2
m production 1000000
"""

PLAN = ContactPlan(
    (
        Contact(1, 2, START, START + 10 * MINUTE, 125_000),
        Contact(2, 1, START, START + 10 * MINUTE, 15, 0.5),
        Contact(1, 2, START + 60 * MINUTE, START + 70 * MINUTE, 125_000),
    ),
    (
        Range(1, 2, START, START + 120 * MINUTE, 1_350),
        Range(2, 1, START, START + 120 * MINUTE, 2_000),
    ),
)


def at(minutes: float) -> Instant:
    return Instant(0, START + int(minutes * MINUTE))


def test_an_ion_plan_is_read() -> None:
    assert read_ion_plan(ION, reference_ms=0) == PLAN


def test_relative_times_count_from_the_reference_that_is_given() -> None:
    plan = read_ion_plan("a contact +1 +2 1 2 3", reference_ms=START)
    assert plan.contacts == (Contact(1, 2, START + 1000, START + 2000, 3),)


def test_a_plan_written_for_ion_has_its_form_and_whole_seconds() -> None:
    text = write_ion_plan(PLAN)
    assert text.splitlines()[0] == (
        "a contact 2026/11/22-10:00:00 2026/11/22-10:10:00 1 2 125000 1"
    )
    again = read_ion_plan(text, reference_ms=0)
    assert again.contacts == PLAN.contacts
    assert [entry.one_way_ms for entry in again.ranges] == [2_000, 2_000]


def test_a_plan_written_as_toml_is_read_back_exactly() -> None:
    odd = PLAN.changed(add=[Contact(3, 2, START + 1, START + 999, 7, 0.995)])
    assert read_toml_plan(write_toml_plan(odd), reference_ms=0) == odd


def test_toml_takes_relative_times() -> None:
    text = "[[contact]]\nfrom_node=1\nto_node=2\nstart='+0'\nend='+1.5'\nrate_bytes_s=9\n"
    plan = read_toml_plan(text, reference_ms=START)
    assert plan.contacts == (Contact(1, 2, START, START + 1500, 9),)


@pytest.mark.parametrize(
    ("line", "say"),
    [
        ("a contact +0 +600 1 2", "a contact is"),
        ("a contact +0 +600 1 2 fast", "not a number"),
        ("a contact +0 yesterday 1 2 10", "not a time"),
        ("a range +0 +600 1 2", "a range is"),
        ("a rnage +0 +600 1 2 1", "not a contact"),
        ("d contact +0 1 2", "not a contact"),
        ("@", "not a contact"),
        ("a contact +0 +600 -1 2 10", "not a number"),
        ("a contact 2026/13/01-00:00:00 +600 1 2 10", "not a time"),
    ],
)
def test_a_wrong_line_is_named(line: str, say: str) -> None:
    with pytest.raises(ValueError, match=rf"line 2: .*{say}"):
        read_ion_plan(f"# first\n{line}\n", reference_ms=0)


@pytest.mark.parametrize(
    "text",
    [
        "a contact +5 +5 1 2 10",
        "a contact +0 +10 1 2 10\na contact +9 +20 1 2 10",
        "a range +0 +10 1 2 1\na range +9 +20 1 2 1",
    ],
)
def test_entries_that_contradict_each_other_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"overlaps|ends before"):
        read_ion_plan(text, reference_ms=0)


def test_times_are_read_and_written_to_the_millisecond() -> None:
    assert parse_time("2026/11/22-10:00:00", reference_ms=0) == START
    assert parse_time("2000/01/01-00:00:00.001", reference_ms=0) == 1
    assert parse_time("+0.0015", reference_ms=7) == 8
    assert format_time(START + 7) == "2026/11/22-10:00:00.007"


def test_the_contacts_open_now_are_those_that_began_and_did_not_end() -> None:
    assert PLAN.open_contacts(at(0)) == PLAN.contacts[:2]
    assert PLAN.open_contacts(at(10)) == ()
    assert PLAN.open_contacts(at(65)) == PLAN.contacts[2:]
    assert PLAN.open_contacts(Instant(0, 0)) == ()


def test_the_next_contact_is_the_open_one_or_the_one_to_come() -> None:
    assert PLAN.next_contact(1, 2, at(-1)) == PLAN.contacts[0]
    assert PLAN.next_contact(1, 2, at(9)) == PLAN.contacts[0]
    assert PLAN.next_contact(1, 2, at(10)) == PLAN.contacts[2]
    assert PLAN.next_contact(1, 2, at(70)) is None
    assert PLAN.next_contact(1, 3, at(0)) is None
    assert PLAN.next_contact(1, 2, Instant(0, 0)) is None


def test_a_range_counts_for_both_directions_unless_the_other_has_its_own() -> None:
    assert PLAN.one_way_ms(1, 2, at(1)) == 1_350
    assert PLAN.one_way_ms(2, 1, at(1)) == 2_000
    one = ContactPlan((), PLAN.ranges[:1])
    assert one.one_way_ms(2, 1, at(1)) == 1_350
    assert one.one_way_ms(2, 1, at(200)) == 0
    assert one.one_way_ms(2, 1, Instant(0, 0)) == 1_350


def test_contacts_lead_from_a_node_to_all_that_they_ever_reach() -> None:
    hour = (0, 3_600_000, 1)
    ahead = ContactPlan(tuple(Contact(*pair, *hour) for pair in [(1, 2), (2, 3), (3, 1), (4, 1)]))
    assert ahead.reached_from(1) == {1, 2, 3}
    assert ahead.reached_from(4) == {1, 2, 3, 4}
    assert ahead.reached_from(9) == {9}


def test_a_changed_plan_is_another_value() -> None:
    gone = PLAN.changed(remove=[PLAN.contacts[0]])
    assert gone.contacts == PLAN.contacts[1:]
    assert len(PLAN.contacts) == 3


@pytest.mark.parametrize(
    "plan",
    [
        lambda: ContactPlan((Contact(1, 2, 0, 1, -1),)),
        lambda: ContactPlan((Contact(-1, 2, 0, 1, 1),)),
        lambda: ContactPlan((Contact(1, 2, 0, 1, 1, confidence=1.5),)),
        lambda: ContactPlan((Contact(1, 2, 0, 1, 1, confidence=float("nan")),)),
        lambda: ContactPlan((), (Range(1, 2, 0, 1, -1),)),
        lambda: ContactPlan((Contact(1, 2, 0, 1, 1),) * 20_001),
    ],
)
def test_a_plan_that_makes_no_sense_cannot_be_made(plan) -> None:
    with pytest.raises(ValueError, match=r"below|no such node|at most|confidence"):
        plan()
