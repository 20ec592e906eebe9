from flight.instant import Instant
from flight.relay.bundle import Reason
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.routing import CONTACTS_TRIED, Route, Router

T = 816_000_000_000
NOW = Instant(0, T)
FOREVER = T + 10**9

# Lander 1 reaches ground 9 over relay 2 (late, fast) or relay 3 (early, slow).
TO_2 = Contact(1, 2, T + 100_000, T + 200_000, 1_000)
FROM_2 = Contact(2, 9, T + 150_000, T + 250_000, 1_000)
TO_3 = Contact(1, 3, T, T + 10_000, 100)
FROM_3 = Contact(3, 9, T + 20_000, T + 60_000, 100)
RANGES = (Range(1, 2, T, FOREVER, 58), Range(2, 9, T, FOREVER, 1_350))
PLAN = ContactPlan((TO_2, FROM_2, TO_3, FROM_3), RANGES)


def find(router: Router, size_bytes: int = 100, **changes) -> Route | Reason:
    fields = {"size_bytes": size_bytes, "priority": 1, "deadline_ms": FOREVER, "now": NOW}
    return router.find_route(9, **(fields | changes))


def test_the_route_is_the_one_that_arrives_first() -> None:
    assert find(Router(PLAN, node=1)) == Route((TO_3, FROM_3), T + 20_000 + 1_000)


def test_sending_and_light_take_their_time() -> None:
    route = find(Router(ContactPlan((TO_2, FROM_2), RANGES), node=1), size_bytes=2_000)
    # Sent by 102.000 s, at the relay 58 ms later, sent on from 150 s to 152 s, then 1.35 s.
    assert route == Route((TO_2, FROM_2), T + 150_000 + 2_000 + 1_350)


def test_a_bundle_that_does_not_fit_a_contact_goes_another_way() -> None:
    route = find(Router(PLAN, node=1), size_bytes=1_001)
    assert isinstance(route, Route)
    assert route.next_node == 2


def test_what_is_promised_fills_a_contact() -> None:
    router = Router(PLAN, node=1)
    for _ in range(2):
        route = find(router, size_bytes=500)
        assert isinstance(route, Route)
        assert route.next_node == 3
        router.promise(route, size_bytes=500, priority=1, now=NOW)
    route = find(router, size_bytes=500)
    assert isinstance(route, Route)
    assert route.next_node == 2


def test_promises_to_lower_priorities_delay_no_higher_one() -> None:
    router = Router(PLAN, node=1)
    route = find(router, size_bytes=1_000, priority=2)
    assert isinstance(route, Route)
    router.promise(route, size_bytes=1_000, priority=2, now=NOW)
    assert find(router, size_bytes=1_000, priority=1) == route
    behind = find(router, size_bytes=1_000, priority=2)
    assert isinstance(behind, Route)
    assert behind.next_node == 2


def test_a_later_hop_that_is_full_sends_bundles_another_way() -> None:
    narrow = Contact(3, 9, T + 20_000, T + 25_000, 100)
    router = Router(ContactPlan((TO_2, FROM_2, TO_3, narrow), RANGES), node=1)
    route = find(router, size_bytes=400)
    assert isinstance(route, Route)
    router.promise(route, size_bytes=400, priority=1, now=NOW)
    route = find(router, size_bytes=400)
    assert isinstance(route, Route)
    assert route.next_node == 2


def test_a_changed_plan_changes_the_route() -> None:
    router = Router(PLAN, node=1)
    router.replace_plan(PLAN.changed(remove=[FROM_3]))
    route = find(router)
    assert isinstance(route, Route)
    assert route.next_node == 2
    router.replace_plan(PLAN)
    assert find(router) == Route((TO_3, FROM_3), T + 21_000)


def test_the_node_it_came_from_is_not_passed() -> None:
    route = find(Router(PLAN, node=1), exclude=frozenset({3}))
    assert isinstance(route, Route)
    assert route.next_node == 2


def test_no_route_and_no_route_in_time_are_told_apart() -> None:
    router = Router(PLAN, node=1)
    assert find(router, deadline_ms=T + 20_999) is Reason.NO_TIMELY_CONTACT
    assert find(router, size_bytes=10**6) is Reason.NO_TIMELY_CONTACT
    assert find(Router(ContactPlan((FROM_2,)), node=1)) is Reason.NO_KNOWN_ROUTE
    assert find(router, now=Instant(0, T + 10**8)) is Reason.NO_TIMELY_CONTACT


def test_a_contact_without_rate_carries_nothing() -> None:
    plan = ContactPlan((Contact(1, 9, T, FOREVER, 0),))
    assert find(Router(plan, node=1)) is Reason.NO_TIMELY_CONTACT


def test_without_a_clock_the_fewest_hops_win() -> None:
    plan = PLAN.changed(add=[Contact(1, 9, T + 300_000, T + 400_000, 1)])
    route = find(Router(plan, node=1), now=Instant(0, 0))
    assert isinstance(route, Route)
    assert route.next_node == 9
    Router(plan, node=1).promise(route, size_bytes=1, priority=0, now=Instant(0, 0))


def test_the_first_hop_can_be_limited() -> None:
    route = find(Router(PLAN, node=1), first=frozenset({2}))
    assert isinstance(route, Route)
    assert route.next_node == 2
    assert find(Router(PLAN, node=1), first=frozenset({7})) is Reason.NO_KNOWN_ROUTE


def test_void_promises_leave_the_whole_contact() -> None:
    router = Router(PLAN, node=1)
    route = find(router, size_bytes=1_000)
    assert isinstance(route, Route)
    router.promise(route, size_bytes=1_000, priority=0, now=NOW)
    assert find(router, size_bytes=1_000) != route
    router.forget_promises()
    assert find(router, size_bytes=1_000) == route


def test_the_work_for_one_bundle_is_bounded_however_many_contacts_are_full() -> None:
    count = CONTACTS_TRIED + 1
    contacts = tuple(Contact(1, 9, T + 1_000 * i, T + 1_000 * i + 500, 100) for i in range(count))
    router = Router(ContactPlan(contacts), node=1)
    for contact in contacts[:-1]:
        router.reserve(contact, size_bytes=50, priority=0, ready_ms=T)
    assert find(router, size_bytes=50) is Reason.NO_TIMELY_CONTACT
    assert isinstance(find(router, size_bytes=50, now=Instant(0, T + 600)), Route)
