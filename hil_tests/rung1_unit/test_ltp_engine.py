from random import Random  # noqa: TID251 - seeded, for payloads

from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import (
    BlockDelivered,
    BlockFailed,
    BlockReceived,
    GreenReceived,
    ReceptionFailed,
)
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Reason,
    Report,
    read_segment,
    sdnv,
    write_report,
)
from flight.relay.ltp.settings import LtpSettings

NS = 10**9
START = Instant(10 * NS, 0)
LIGHT_NS = 1_350_000_000
UNPACED = 10**15


def at(seconds: float) -> Instant:
    return Instant(START.mono_ns + int(seconds * NS), 0)


def engines(**settings: int) -> tuple[LtpEngine, LtpEngine]:
    pair = (
        LtpEngine(LtpSettings(1, 2, **settings), seed=1),
        LtpEngine(LtpSettings(2, 1, **settings), seed=2),
    )
    for engine in pair:
        engine.set_contact(True, rate_bytes_s=UNPACED, one_way_ns=LIGHT_NS, now=START)
    return pair


def flow(engine: LtpEngine, now: Instant) -> list[bytes]:
    """All that the engine wants to send now."""
    datagrams: list[bytes] = []
    while True:
        engine.expire(now)
        taken = engine.take_datagrams()
        if not taken:
            return datagrams
        datagrams += taken


def give(engine: LtpEngine, datagrams: list[bytes], now: Instant) -> None:
    for datagram in datagrams:
        engine.receive(datagram, now)


def block_of(size: int) -> bytes:
    return Random(size).randbytes(size)


def kinds(datagrams: list[bytes]) -> list[int]:
    return [datagram[0] for datagram in datagrams]


def test_a_block_is_claimed_only_after_it_is_accepted():
    sender, receiver = engines()
    block = block_of(10_000)
    assert sender.send_block(block, key=7, priority=1, now=START)
    give(receiver, flow(sender, at(0)), at(1.35))
    (received,) = receiver.take_events()
    assert received == BlockReceived(received.session, 1, block)
    assert flow(receiver, at(1.4)) == []
    receiver.accept(received.session, at(1.5))
    reports = flow(receiver, at(1.5))
    assert [read_segment(r).claims for r in reports] == [((0, 10_000),)]
    give(sender, reports, at(2.85))
    assert sender.take_events() == (BlockDelivered(7),)
    give(receiver, flow(sender, at(2.85)), at(4.2))
    assert receiver.next_deadline_ns() is None
    assert sender.next_deadline_ns() is None


def test_a_block_whose_end_came_with_its_mark_damaged_is_not_claimed_before_it_is_accepted():
    sender, receiver = engines(reorder_ms=0)
    block = block_of(2_000)
    sender.send_block(block, key=7, priority=1, now=START)
    first, last = flow(sender, at(0))
    assert last[0] == 3  # a checkpoint, the end of the red part and of the block
    give(receiver, [first, bytes([1]) + last[1:]], at(1.35))
    assert receiver.take_events() == ()
    reports = flow(receiver, at(1.4))
    assert [read_segment(r).claims for r in reports] == [((0, 1_999),)]
    give(sender, reports, at(2.8))
    assert sender.take_events() == ()
    give(receiver, flow(sender, at(2.8)), at(4.2))
    (received,) = receiver.take_events()
    assert received == BlockReceived(received.session, 1, block)
    receiver.accept(received.session, at(4.3))
    give(sender, flow(receiver, at(4.3)), at(5.7))
    assert sender.take_events() == (BlockDelivered(7),)


def test_segments_fill_the_datagram_and_the_checkpoint_is_small():
    sender, _ = engines(segment_bytes=1400)
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    *data, checkpoint = flow(sender, at(0))
    assert {len(d) for d in data[:-1]} == {1400}
    assert checkpoint[0] == 3
    assert len(checkpoint) < 64
    assert b"".join(read_segment(d).data for d in [*data, checkpoint]) == block_of(20_000)


def test_only_what_is_missing_is_sent_again_with_a_checkpoint_that_cites_the_report():
    sender, receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    lost = [sent[2], sent[3], sent[7]]
    give(receiver, [d for d in sent if d not in lost], at(1.35))
    (report,) = flow(receiver, at(1.35))
    give(sender, [report], at(2.7))
    again = flow(sender, at(2.7))
    acks = [d for d in again if d[0] == 9]
    data = [read_segment(d) for d in again if d[0] != 9]
    assert len(acks) == 1
    assert b"".join(s.data for s in data) == b"".join(read_segment(d).data for d in lost)
    assert [s.checkpoint > 0 for s in data] == [False, False, False, True]
    assert len(data[-1].data) == 32  # a full segment has no room for a checkpoint's fields
    assert data[-1].report == read_segment(report).serial
    give(receiver, again, at(4.05))
    assert receiver.take_events()[0].block == block_of(20_000)


def test_a_lost_checkpoint_is_sent_again_one_round_trip_later_and_nothing_else():
    sender, _ = engines(margin_ms=200)
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    checkpoint = flow(sender, at(0))[-1]
    assert flow(sender, at(2.89)) == []
    assert flow(sender, at(2.92)) == [checkpoint]


def test_a_lost_report_is_sent_again_until_it_is_acknowledged():
    sender, receiver = engines()
    sender.send_block(b"small", key=1, priority=1, now=START)
    give(receiver, flow(sender, at(0)), at(1.35))
    receiver.accept(receiver.take_events()[0].session, at(1.35))
    first = flow(receiver, at(1.35))
    assert flow(receiver, at(4.3)) == first
    give(sender, first, at(5.65))
    give(receiver, flow(sender, at(5.65)), at(7))
    assert flow(receiver, at(100)) == []


def test_without_any_answer_the_block_comes_back_and_the_session_ends():
    sender, _ = engines(attempts_max=5)
    sender.send_block(b"hello", key=3, priority=1, now=START)
    sent, now_ns = [], START.mono_ns
    while (deadline := sender.next_deadline_ns()) is not None:
        now_ns = max(now_ns, deadline)
        sent += flow(sender, Instant(now_ns, 0))
    assert kinds(sent) == [3] * 5 + [12] * 5
    assert sender.take_events() == (BlockFailed(3, Reason.RETRANSMISSIONS),)
    assert sender.counts().send_sessions == 0
    assert now_ns < at(120).mono_ns


def test_a_receiver_that_was_restarted_cancels_instead_of_claiming():
    sender, receiver = engines()
    block = block_of(20_000)
    sender.send_block(block, key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, sent[:3] + sent[-1:], at(1.35))
    give(sender, flow(receiver, at(1.35)), at(2.7))
    again = flow(sender, at(2.7))
    _, reborn = engines()
    give(reborn, again, at(4.05))
    (cancel,) = flow(reborn, at(4.05))
    assert read_segment(cancel) == Cancel(
        read_segment(sent[0]).session, by_sender=False, reason=Reason.SYSTEM
    )
    give(sender, [cancel], at(5.4))
    assert sender.take_events() == (BlockFailed(1, Reason.SYSTEM),)
    give(reborn, flow(sender, at(5.4)), at(6.75))
    assert reborn.counts().receive_sessions == 0


def test_a_report_unclaims_what_an_earlier_life_of_the_receiver_claimed():
    sender, _receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    session, checkpoint = read_segment(sent[-1]).session, read_segment(sent[-1]).checkpoint
    half = len(sent) // 2
    edge = read_segment(sent[half]).offset
    first = Report(session, 100, checkpoint, 20_000, 0, ((0, edge),))
    second = Report(session, 900, checkpoint, 20_000, 0, ((edge, 20_000),))
    give(sender, [write_report(first)], at(2.7))
    flow(sender, at(2.7))
    give(sender, [write_report(second)], at(2.8))
    assert sender.take_events() == ()
    assert sender.counts().send_sessions == 1


def test_a_repeated_report_says_nothing_new_and_is_acknowledged_once_a_round_trip():
    sender, receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, sent[5:], at(1.35))
    (report,) = flow(receiver, at(1.35))
    give(sender, [report, report], at(2.7))
    assert kinds(flow(sender, at(2.7))) == [9, 0, 0, 0, 0, 0, 1]
    give(sender, [report], at(2.8))
    assert flow(sender, at(2.8)) == []
    give(sender, [report], at(5.6))
    assert kinds(flow(sender, at(5.6)))[0] == 9


def test_data_sent_after_a_checkpoint_are_not_repeated_by_its_late_report():
    sender, _receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    session, checkpoint = read_segment(sent[-1]).session, read_segment(sent[-1]).checkpoint
    start = read_segment(sent[1]).offset
    gap_at_front = ((start, 20_000),)
    give(sender, [write_report(Report(session, 5, checkpoint, 20_000, 0, gap_at_front))], at(2.7))
    assert kinds(flow(sender, at(2.7))) == [9, 0, 1]
    give(sender, [write_report(Report(session, 6, checkpoint, 20_000, 0, gap_at_front))], at(2.8))
    assert kinds(flow(sender, at(2.8))) == [9]


def test_both_sides_can_cancel_and_are_acknowledged():
    sender, receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, sent[:4], at(1.35))
    sender.cancel_block(1, at(1.4))
    (cancel,) = flow(sender, at(1.4))
    assert sender.take_events() == (BlockFailed(1, Reason.USER),)
    give(receiver, [cancel], at(2.75))
    session = read_segment(sent[0]).session
    assert receiver.take_events() == (ReceptionFailed(session, Reason.USER),)
    (ack,) = flow(receiver, at(2.75))
    assert read_segment(ack) == CancelAck(session, by_sender=True)
    give(sender, [ack], at(4.1))
    assert sender.counts().send_sessions == receiver.counts().receive_sessions == 0

    sender.send_block(b"refuse me", key=2, priority=1, now=at(5))
    give(receiver, flow(sender, at(5)), at(6.35))
    (received,) = receiver.take_events()
    receiver.refuse(received.session, Reason.SYSTEM, at(6.35))
    give(sender, flow(receiver, at(6.35)), at(7.7))
    assert sender.take_events() == (BlockFailed(2, Reason.SYSTEM),)
    give(receiver, flow(sender, at(7.7)), at(9))
    assert receiver.counts().receive_sessions == 0


def test_a_late_checkpoint_of_an_accepted_block_gets_the_claim_again_and_no_second_block():
    sender, receiver = engines()
    sender.send_block(b"once", key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, sent, at(1.35))
    receiver.accept(receiver.take_events()[0].session, at(1.35))
    report = read_segment(flow(receiver, at(1.35))[0])
    give(sender, [write_report(report)], at(2.7))
    give(receiver, flow(sender, at(2.7)), at(4))
    give(receiver, sent, at(5))
    (again,) = flow(receiver, at(5))
    assert read_segment(again).claims == report.claims
    assert receiver.take_events() == ()


def test_a_long_report_is_split_and_each_part_is_answered():
    sender, receiver = engines(segment_bytes=64)
    block = block_of(3000)
    sender.send_block(block, key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, [*sent[:-1:2], sent[-1]], at(1.35))
    reports = [read_segment(d) for d in flow(receiver, at(1.35))]
    assert len(reports) > 5
    assert [r.lower for r in reports[1:]] == [r.upper for r in reports[:-1]]
    assert all(len(write_report(r)) <= 64 for r in reports)
    give(sender, [write_report(r) for r in reports], at(2.7))
    again = flow(sender, at(2.7))
    with_gaps = [r for r in reports if sum(b - a for a, b in r.claims) < r.upper - r.lower]
    assert sum(d[0] == 9 for d in again) == len(reports)
    assert sum(d[0] == 1 for d in again) == len(with_gaps)
    assert all(len(d) <= 64 for d in again)
    give(receiver, again, at(4.05))
    (received,) = receiver.take_events()
    assert received.block == block


def test_the_green_part_is_handed_on_as_it_comes_and_never_repeated():
    sender, receiver = engines()
    block = block_of(6000)
    sender.send_block(block, key=1, priority=1, now=START, red_bytes=2000)
    sent = flow(sender, at(0))
    assert kinds(sent) == [0, 2, 4, 4, 7]
    give(receiver, sent[:2] + sent[3:], at(1.35))
    events = receiver.take_events()
    assert isinstance(events[0], BlockReceived)
    assert events[0].block == block[:2000]
    green = [e for e in events if isinstance(e, GreenReceived)]
    assert all(block[g.offset :].startswith(g.data) for g in green)
    assert [g.is_end for g in green] == [False, True]
    receiver.accept(events[0].session, at(1.35))
    give(sender, flow(receiver, at(1.35)), at(2.7))
    assert sender.take_events() == (BlockDelivered(1),)


def test_a_block_without_red_data_is_done_when_it_has_left():
    sender, receiver = engines()
    sender.send_block(block_of(3000), key=1, priority=1, now=START, red_bytes=0)
    sent = flow(sender, at(0))
    assert kinds(sent) == [4, 4, 7]
    assert sender.take_events() == (BlockDelivered(1),)
    give(receiver, sent, at(1.35))
    assert len(receiver.take_events()) == 3
    assert receiver.counts().receive_sessions == 0


def test_red_data_beyond_the_green_are_miscolored_and_cancel_the_session():
    sender, receiver = engines()
    sender.send_block(block_of(6000), key=1, priority=1, now=START, red_bytes=4000)
    sent = [read_segment(d) for d in flow(sender, at(0))]
    receiver.receive(as_datagram(sent[0]), at(1.35))
    receiver.receive(as_datagram(sent[-1]._replace(offset=100)), at(1.35))
    (cancel,) = flow(receiver, at(1.35))
    assert read_segment(cancel).reason == Reason.MISCOLORED


def as_datagram(segment: DataSegment) -> bytes:
    fields = (*segment.session, 0, segment.client_service, segment.offset, len(segment.data))
    body = b"".join(map(sdnv, fields))
    if 0 < segment.type < 4:
        body += sdnv(segment.checkpoint) + sdnv(segment.report)
    return bytes([segment.type]) + body + segment.data
