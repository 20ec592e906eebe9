"""Who may enter, who has to go, and what is written for it."""

from pathlib import Path

import pytest

from flight.relay.settings import StoreSettings
from flight.relay.store.ram import RamMedium
from flight.relay.store.values import (
    Buried,
    Delete,
    Deleted,
    Duplicate,
    Fetch,
    Fetched,
    Kind,
    Missing,
    Operation,
    Put,
    Reason,
    Refused,
    Result,
    Stored,
)

SETTINGS = StoreSettings(
    Path("unused"), quota_bytes=10_000, received_quota_bytes=6_000, seen_limit=2, tombstone_limit=3
)


@pytest.fixture
def medium() -> RamMedium:
    return RamMedium(SETTINGS)


def put(name: str, *, size: int = 1_000, priority: int = 1, received: bool = False) -> Put:
    return Put(bytes(size), name.encode(), b"", priority, 0, 1_000, received=received)


def do(medium: RamMedium, *operations: Operation) -> list[Result]:
    return medium.apply(tuple(enumerate(operations, start=1)))


def names(medium: RamMedium) -> list[str]:
    return [entry.identity.decode() for entry in medium.load() if entry.kind == Kind.BUNDLE]


def test_numbers_have_no_gap(medium: RamMedium) -> None:
    results = do(medium, put("a"), put("b")) + do(medium, put("c"))
    assert [r.entry.sequence for r in results if isinstance(r, Stored)] == [1, 2, 3]


def test_the_lowest_priority_goes_first_and_its_oldest_first(medium: RamMedium) -> None:
    for name, priority in (("old 3", 3), ("p0", 0), ("p2", 2), ("new 3", 3)):
        do(medium, put(name, priority=priority, size=1_800))
    buried, *_ = do(medium, put("urgent", priority=0, size=3_000))
    assert isinstance(buried, Buried)
    assert (buried.reason, buried.sequences) == (Reason.EVICTED, (1,))
    do(medium, put("more urgent", priority=0, size=3_000))
    assert names(medium) == ["p0", "urgent", "more urgent"]


def test_ours_displaces_older_ones_of_its_own_priority_but_none_above(medium: RamMedium) -> None:
    do(medium, put("a", size=4_000, priority=1), put("b", size=4_000, priority=1))
    assert isinstance(do(medium, put("c", size=4_000, priority=1))[0], Buried)
    assert do(medium, put("low", size=4_000, priority=2)) == [Refused(1)]
    assert names(medium) == ["b", "c"]


def test_received_bundles_stay_within_their_share(medium: RamMedium) -> None:
    flood = [put(f"r{n}", priority=0, received=True) for n in range(20)]
    results = do(medium, *flood)
    assert sum(isinstance(r, Stored) for r in results) == 4
    assert sum(isinstance(r, Refused) for r in results) == 16
    assert isinstance(do(medium, put("ours", priority=0, size=4_000))[-1], Stored)


def test_a_received_bundle_displaces_only_received_ones_of_lower_priority(
    medium: RamMedium,
) -> None:
    do(medium, put("ours", priority=3, size=4_000))
    do(medium, *(put(f"r{n}", priority=2, received=True) for n in range(4)))
    results = do(medium, put("urgent", priority=0, received=True, size=1_500))
    assert [type(r) for r in results] == [Buried, Stored]
    assert names(medium)[:2] == ["ours", "r1"]


def test_a_second_arrival_is_a_duplicate_also_after_the_bundle_has_gone(medium: RamMedium) -> None:
    (first,) = do(medium, put("a", received=True))
    assert isinstance(first, Stored)
    assert do(medium, put("a", received=True)) == [Duplicate(1)]
    do(medium, Delete((first.entry.sequence,), Reason.DONE))
    assert do(medium, put("a", received=True)) == [Duplicate(1)]


def test_the_oldest_identities_are_forgotten_beyond_the_limit(medium: RamMedium) -> None:
    for name in "abc":
        do(medium, put(name, received=True, size=10))
    do(medium, Delete((1, 2, 3), Reason.DONE))
    assert medium.status().seen == 2
    assert isinstance(do(medium, put("a", received=True, size=10))[0], Stored)
    assert do(medium, put("c", received=True, size=10)) == [Duplicate(1)]


def test_a_damaged_bundle_may_arrive_again(medium: RamMedium) -> None:
    do(medium, put("a", received=True))
    do(medium, Delete((1,), Reason.CORRUPT))
    assert isinstance(do(medium, put("a", received=True))[0], Stored)


def test_an_expired_bundle_leaves_a_tombstone_and_a_delivered_one_none(medium: RamMedium) -> None:
    do(medium, put("a"), put("b"))
    assert do(medium, Delete((1,), Reason.DONE)) == [Deleted(1)]
    buried, deleted = do(medium, Delete((2,), Reason.EXPIRED))
    assert isinstance(buried, Buried)
    assert isinstance(deleted, Deleted)
    assert [entry.kind for entry in medium.load()] == [Kind.TOMBSTONE]


def test_a_bundle_that_carries_a_tombstone_takes_its_place(medium: RamMedium) -> None:
    do(medium, put("a"))
    do(medium, Delete((1,), Reason.EXPIRED))
    (tombstone,) = medium.load()
    do(medium, put("carrier")._replace(clears=(tombstone.sequence,)))
    assert names(medium) == ["carrier"]
    assert len(medium.load()) == 1


def test_losses_beyond_the_tombstone_limit_are_counted(medium: RamMedium) -> None:
    for number in range(5):
        do(medium, put(f"n{number}", size=10))
    for number in range(1, 6):
        do(medium, Delete((number,), Reason.EXPIRED))
    status = medium.status()
    assert (status.tombstones, status.uncounted) == (3, 2)


def test_what_has_gone_is_missing(medium: RamMedium) -> None:
    do(medium, put("a"))
    assert do(medium, Fetch(1)) == [Fetched(1, 1, bytes(1_000))]
    do(medium, Delete((1,), Reason.DONE))
    assert do(medium, Fetch(1)) == [Missing(1, 1)]


def test_a_put_repeated_after_a_failed_transaction_is_answered_as_stored(
    medium: RamMedium,
) -> None:
    first = do(medium, put("a"))
    assert do(medium, put("a")) == first
