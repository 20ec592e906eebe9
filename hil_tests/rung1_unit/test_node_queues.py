"""Who is next, and who has run out of time."""

from flight.instant import Instant
from flight.relay.bundle import BundleId
from flight.relay.endpoint import ipn
from flight.relay.node.labels import Label
from flight.relay.node.queues import Held, Queues, Stage, Way, is_past
from flight.relay.store.values import Entry, Kind

NOW = Instant(1_000, 5_000)


def held(
    number: int, *, priority: int = 1, node: int = 3, expires: int = 0, left: int = 99
) -> Held:
    entry = Entry(number, Kind.BUNDLE, False, priority, b"", b"", 1, expires, left)
    return Held(
        entry,
        BundleId(ipn(1, 1), 1, number),
        Label(ipn(node, 1), ipn(node, 1), 0, True),
        NOW,
        Stage.QUEUED,
    )


def filled(*bundles: Held) -> Queues:
    queues = Queues()
    for bundle in bundles:
        queues.add(bundle, NOW)
    return queues


def order(queues: Queues, *nodes: int) -> list[int]:
    numbers = []
    while (first := queues.first(tuple(map(Way, nodes)))) is not None:
        numbers.append(first.entry.sequence)
        first.stage = Stage.SENDING
    return numbers


def test_urgent_ones_go_first_and_the_oldest_of_each_class() -> None:
    queues = filled(held(1, priority=2), held(2, priority=0), held(3, priority=2), held(4))
    assert order(queues, 3) == [2, 4, 1, 3]


def test_only_bundles_of_the_asked_destinations_count() -> None:
    queues = filled(held(1, node=4), held(2, node=5), held(3, node=4))
    assert order(queues, 4) == [1, 3]
    assert order(queues, 5, 4) == [2]


def test_what_comes_back_takes_its_old_place() -> None:
    first, second = held(1), held(2)
    queues = filled(first, second)
    first.stage = Stage.SENDING
    queues.queue(first)
    assert order(queues, 3) == [1, 2]


def test_what_rests_is_passed_over_until_its_time() -> None:
    first, second = held(1), held(2)
    queues = filled(first, second)
    queues.rest(first, 2_000)
    assert queues.first((Way(3),)) is second
    queues.wake(Instant(1_999, 0))
    assert queues.first((Way(3),)) is second
    queues.wake(Instant(2_000, 0))
    assert queues.first((Way(3),)) is first


def test_lifetimes_end_by_the_clock_where_there_is_one_and_by_age_elsewhere() -> None:
    by_clock, by_age = held(1, expires=6_000, left=10**9), held(2, left=3)
    queues = filled(by_clock, by_age)
    assert queues.next_deadline_ns(NOW) == 1_000 + 3_000_000
    assert queues.take_expired(Instant(3_001_000, 5_003)) == [by_age]
    assert queues.take_expired(Instant(3_001_000, 6_000)) == [by_clock]
    assert is_past(by_clock, Instant(0, 6_000))
    assert not is_past(by_clock, Instant(0, 5_999))
    assert is_past(by_age, Instant(3_001_000, 0))


def test_bundles_wait_by_link_once_they_have_one_and_fall_back_in_line() -> None:
    first, second, third = held(1), held(2), held(3)
    queues = filled(first, second, third)
    queues.assign(first, 0)
    queues.assign(second, 1)
    assert queues.first((Way(3),)) is third
    assert queues.first((Way(3, 1),)) is second
    assert queues.ahead((Way(3, 0), Way(3, 1)), 9) == [1, 2]
    second.stage = Stage.SENDING
    queues.undecide()
    queues.queue(second)
    assert order(queues, 3) == [1, 2, 3]


def test_destinations_without_bundles_are_forgotten() -> None:
    queues = filled(held(1, node=4), held(2, node=5))
    queues.held.pop(1)
    queues.tidy()
    assert queues.ways() == (Way(5),)


def test_the_count_tells_priorities_apart() -> None:
    queues = filled(held(1, priority=0), held(2, priority=3), held(3, priority=3))
    assert queues.count_queued() == (1, 0, 0, 2)
