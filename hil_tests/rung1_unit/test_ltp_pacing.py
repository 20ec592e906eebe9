from flight.relay.ltp.pacing import Pacer
from flight.relay.ltp.settings import LtpSettings

NS = 10**9


def pacer(ends_ns: int | None = None, **settings: int) -> Pacer:
    options = {"segment_bytes": 1000, "margin_ms": 200, "catch_up_ms": 5, **settings}
    made = Pacer(LtpSettings(1, 2, **options))
    made.open(
        rate_bytes_s=10_000, return_rate_bytes_s=1000, one_way_ns=1_350_000_000, ends_ns=ends_ns
    )
    return made


def test_patience_is_light_time_twice_both_segments_on_the_line_and_the_margin():
    assert pacer().timeout_ns == 2_700_000_000 + 100_000_000 + NS + 200_000_000


def test_the_bytes_of_the_frame_count():
    made = pacer(frame_bytes=100)
    made.spend(1000, 1, 0, was_idle=True)
    assert made.next_ns() == 110_000_000


def test_no_segment_begins_that_would_not_end_in_the_contact_and_no_deadline_asks_for_one():
    made = pacer(ends_ns=NS)
    assert made.allowance(895_000_000) == 1
    assert made.allowance(895_000_001) == 0
    assert made.next_ns() is None
    made.open(rate_bytes_s=10_000, return_rate_bytes_s=10_000, one_way_ns=0, ends_ns=None)
    assert made.next_ns() is not None


def test_a_queue_at_the_peer_lengthens_patience_and_one_lost_report_does_not():
    made = pacer()
    planned_ns = made.timeout_ns
    for _ in range(7):
        made.saw_response(9 * NS)
    made.saw_response(3 * NS)
    assert made.timeout_ns == planned_ns
    for _ in range(8):
        made.saw_response(9 * NS)
    assert made.timeout_ns == 9 * NS + 200_000_000


def test_copies_follow_the_losses_seen():
    made = pacer()
    assert made.copies(3) == 1
    for _ in range(200):
        made.saw_losses(1, 20)
    assert made.copies(3) == 2
    for _ in range(200):
        made.saw_losses(8, 32)
    assert (made.copies(3), made.copies(2)) == (3, 2)
    for _ in range(200):
        made.saw_losses(0, 32)
    assert made.copies(3) == 1
