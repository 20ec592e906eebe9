"""Routes against every path there is, tried one by one."""

from hypothesis import given
from hypothesis import strategies as st

from flight.instant import Instant
from flight.relay.bundle import Reason
from flight.relay.contactfile import read_ion_plan, read_toml_plan, write_ion_plan, write_toml_plan
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.routing import Route, Router

T = 816_000_000_000


@st.composite
def plans(draw: st.DrawFn, *, step_ms: int = 1000) -> ContactPlan:
    """Draw a plan of few nodes with whole-second contacts that do not overlap."""
    contacts, ranges = [], []
    for pair in draw(st.lists(st.permutations(range(1, 6)).map(lambda p: p[:2]), max_size=9)):
        if any((entry.from_node, entry.to_node) == tuple(pair) for entry in ranges):
            continue
        ranges.append(Range(*pair, T, T + 10**9, draw(st.integers(0, 3)) * step_ms))
        start = T
        for _ in range(draw(st.integers(1, 2))):
            start += draw(st.integers(0, 20)) * step_ms
            end = start + draw(st.integers(1, 20)) * step_ms
            contacts.append(Contact(*pair, start, end, draw(st.integers(0, 50))))
            start = end
    return ContactPlan(tuple(contacts), tuple(ranges))


def earliest_by_trial(plan: ContactPlan, size: int) -> int | None:
    """Return the earliest arrival at node 5 over every path of contacts without a circle."""
    best: int | None = None

    def extend(node: int, ready_ms: int, seen: tuple[int, ...]) -> None:
        nonlocal best
        if node == 5:
            best = ready_ms if best is None else min(best, ready_ms)
            return
        for contact in plan.contacts:
            if contact.from_node != node or contact.to_node in seen or not contact.rate_bytes_s:
                continue
            start = max(ready_ms, contact.start_ms)
            sent = start + -(-size * 1000 // contact.rate_bytes_s)
            if sent <= contact.end_ms:
                light = plan.one_way_ms(node, contact.to_node, Instant(0, start))
                extend(contact.to_node, sent + light, (*seen, contact.to_node))

    extend(1, T, (1,))
    return best


@given(plans(), st.integers(1, 400))
def test_no_path_arrives_before_the_route(plan: ContactPlan, size: int) -> None:
    route = Router(plan, node=1).find_route(
        5, size_bytes=size, priority=0, deadline_ms=T + 10**9, now=Instant(0, T)
    )
    best = earliest_by_trial(plan, size)
    assert (route.arrival_ms if isinstance(route, Route) else None) == best


@given(plans(), st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), max_size=12))
def test_promises_never_exceed_what_a_contact_holds(plan: ContactPlan, wanted) -> None:
    router = Router(plan, node=1)
    now = Instant(0, T)
    sent: dict[Contact, int] = {}
    for size, priority in sorted(wanted, key=lambda one: one[1]):
        route = router.find_route(
            5, size_bytes=size, priority=priority, deadline_ms=T + 10**9, now=now
        )
        if isinstance(route, Reason):
            continue
        router.promise(route, size_bytes=size, priority=priority, now=now)
        for contact in route.contacts:
            sent[contact] = sent.get(contact, 0) + size
    assert all(
        size * 1000 <= (contact.end_ms - contact.start_ms) * contact.rate_bytes_s
        for contact, size in sent.items()
    )


@given(plans())
def test_plans_are_read_back_from_both_forms(plan: ContactPlan) -> None:
    assert read_ion_plan(write_ion_plan(plan), reference_ms=0) == plan
    assert read_toml_plan(write_toml_plan(plan), reference_ms=0) == plan


@given(plans(step_ms=377))
def test_a_plan_in_whole_seconds_is_read_back_and_promises_no_more(plan: ContactPlan) -> None:
    whole = read_ion_plan(write_ion_plan(plan), reference_ms=0)
    for contact in whole.contacts:
        (exact,) = [
            c
            for c in plan.contacts_between(contact.from_node, contact.to_node)
            if c.start_ms <= contact.start_ms and contact.end_ms <= c.end_ms
        ]
        assert exact.rate_bytes_s == contact.rate_bytes_s
    for entry in plan.ranges:
        for at_ms in (entry.start_ms, entry.end_ms - 1):
            now = Instant(0, at_ms)
            light_ms = whole.one_way_ms(entry.from_node, entry.to_node, now)
            assert light_ms >= entry.one_way_ms


@given(plans(step_ms=7))
def test_toml_keeps_every_millisecond(plan: ContactPlan) -> None:
    assert read_toml_plan(write_toml_plan(plan), reference_ms=0) == plan
