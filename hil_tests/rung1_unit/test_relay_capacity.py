import pytest

from flight.instant import Instant
from flight.relay.capacity import capacity_bytes
from flight.relay.contacts import Contact, ContactPlan

LANDER, RELAY, GROUND = 1, 2, 3
PLAN = ContactPlan(
    (
        Contact(LANDER, RELAY, 1_000, 11_000, 100),
        Contact(LANDER, RELAY, 51_000, 61_000, 300),
        Contact(RELAY, GROUND, 20_000, 100_000, 40),
    )
)


@pytest.mark.parametrize(
    ("now_ms", "until_ms", "bytes_left"),
    [
        (1_000, 100_000, 3_200),  # The relay's way home is the narrowest.
        (1_000, 51_000, 1_000),
        (6_000, 30_000, 400),
        (55_000, 100_000, 1_800),
        (61_000, 100_000, 0),
    ],
)
def test_the_narrowest_hop_tells_what_can_still_leave(now_ms: int, until_ms: int, bytes_left: int):
    found = capacity_bytes(
        PLAN, node=LANDER, destination=GROUND, until_ms=until_ms, now=Instant(0, now_ms)
    )
    assert found == bytes_left


def test_without_a_clock_nobody_knows():
    assert (
        capacity_bytes(PLAN, node=LANDER, destination=GROUND, until_ms=5, now=Instant(7, 0)) is None
    )


def test_where_no_way_leads_nothing_can_leave():
    now = Instant(0, 1_000)
    assert capacity_bytes(PLAN, node=GROUND, destination=LANDER, until_ms=9_000, now=now) == 0
