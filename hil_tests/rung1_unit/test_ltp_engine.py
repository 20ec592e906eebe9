from random import Random  # noqa: TID251 - seeded, for payloads

import pytest

from flight.instant import Instant
from flight.relay.errors import WireError
from flight.relay.ltp import receive_session, send_session
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
    ReportAck,
    SessionId,
    read_segment,
    sdnv,
    write_cancel,
    write_report,
    write_report_ack,
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


def test_nothing_leaves_while_there_is_no_contact_and_all_goes_on_in_the_next():
    sender, receiver = engines()
    sender.set_contact(
        True, rate_bytes_s=14_000, one_way_ns=LIGHT_NS, ends_mono_ns=at(0.55).mono_ns, now=START
    )
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent, now = [], START
    while (deadline := sender.next_deadline_ns()) is not None:
        now = Instant(max(now.mono_ns, deadline), 0)
        sent += flow(sender, now)
    assert len(sent) == 5  # 0.1 s each; the sixth would not end in time
    assert not sender.has_room(0)
    assert not sender.send_block(b"x", key=2, priority=0, now=at(1))
    give(receiver, sent, at(2))
    reopened = at(30_000)
    sender.set_contact(True, rate_bytes_s=UNPACED, one_way_ns=LIGHT_NS, now=reopened)
    rest = flow(sender, reopened)
    assert len(rest) == 11
    give(receiver, rest, at(30_002))
    assert receiver.take_events()[0].block == block_of(20_000)


def test_a_timer_stands_still_between_contacts():
    sender, _ = engines()
    sender.send_block(b"hello", key=1, priority=1, now=START)
    assert len(flow(sender, at(0))) == 1
    sender.set_contact(False, now=at(0.5))
    assert flow(sender, at(5000)) == []
    sender.set_contact(True, rate_bytes_s=UNPACED, one_way_ns=LIGHT_NS, now=at(5000))
    assert flow(sender, at(5002.5)) == []
    assert len(flow(sender, at(5003))) == 1


def test_priority_0_waits_behind_one_segment_at_most():
    sender, _ = engines()
    sender.set_contact(True, rate_bytes_s=14_000, one_way_ns=LIGHT_NS, now=START)
    sender.send_block(b"\x03" * 60_000, key=1, priority=3, now=START)
    sender.expire(START)
    assert len(sender.take_datagrams()) == 1
    assert sender.send_block(b"urgent", key=2, priority=0, now=at(0.01))
    sender.expire(at(0.01))
    assert sender.take_datagrams() == ()
    deadline = sender.next_deadline_ns()
    assert deadline == at(0.1).mono_ns
    sender.expire(Instant(deadline, 0))
    (datagram,) = sender.take_datagrams()
    assert read_segment(datagram).data == b"urgent"


def test_pacing_keeps_the_rate_and_a_late_loop_catches_up_a_little_only():
    sender, _ = engines(catch_up_ms=100, frame_bytes=0)
    sender.set_contact(True, rate_bytes_s=140_000, one_way_ns=LIGHT_NS, now=START)
    sender.send_block(block_of(500_000), key=1, priority=1, now=START)
    sent = 0
    for step in range(100):
        sender.expire(at(step / 100))
        sent += sum(map(len, sender.take_datagrams()))
    assert 0.98 < sent / 140_000 < 1.02
    sender.expire(at(2))
    late = len(sender.take_datagrams())
    assert 10 <= late <= 12


def test_room_is_given_by_priority_and_the_last_sessions_are_for_the_most_urgent():
    sender, _ = engines(send_sessions_max=16, ahead_ms=1)
    sender.set_contact(True, rate_bytes_s=14_000, one_way_ns=LIGHT_NS, now=START)
    assert sender.send_block(block_of(1000), key=1, priority=2, now=START)
    assert sender.send_block(block_of(1000), key=5, priority=2, now=START)
    assert not sender.has_room(2)
    assert not sender.send_block(block_of(1000), key=2, priority=3, now=START)
    assert sender.send_block(block_of(1000), key=3, priority=1, now=START)
    assert sender.send_block(block_of(1000), key=4, priority=0, now=START)

    sender, _ = engines(send_sessions_max=16)
    for key in range(14):
        assert sender.send_block(b"x", key=key, priority=1, now=START)
        flow(sender, START)
    assert not sender.has_room(1)
    assert sender.has_room(0)


def test_sessions_of_other_engines_are_counted_and_dropped():
    sender, receiver = engines()
    stranger = LtpEngine(LtpSettings(9, 2), seed=5)
    stranger.set_contact(True, rate_bytes_s=UNPACED, one_way_ns=LIGHT_NS, now=START)
    stranger.send_block(b"hello", key=1, priority=1, now=START)
    give(receiver, flow(stranger, START), at(1))
    give(sender, [write_cancel(Cancel(SessionId(9, 4), by_sender=False, reason=0))], at(1))
    assert receiver.counts().segments_foreign == sender.counts().segments_foreign == 1
    assert receiver.take_events() == sender.take_events() == ()


def test_a_report_beyond_the_red_part_is_a_wire_error_and_changes_nothing():
    sender, _ = engines()
    sender.send_block(b"hello", key=1, priority=1, now=START)
    session = read_segment(flow(sender, START)[0]).session
    with pytest.raises(WireError):
        sender.receive(write_report(Report(session, 1, 0, 6, 0, ((0, 6),))), at(1))
    assert sender.take_datagrams() == ()
    assert sender.counts().send_sessions == 1


def test_on_a_lossy_link_small_checkpoints_and_reports_are_repeated_before_their_timers():
    sender, receiver = engines()
    sender._pacer.loss_ppm = receiver._pacer.loss_ppm = 200_000
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    copies = flow(sender, at(0.4)) + flow(sender, at(0.8))
    assert copies == [sent[-1]] * 2
    give(receiver, sent[1:], at(1.35))
    report = flow(receiver, at(1.35))
    give(receiver, copies, at(1.5))
    assert flow(receiver, at(1.5)) == []
    assert flow(receiver, at(1.7)) == report
    assert flow(receiver, at(2.1)) == report
    assert flow(receiver, at(2.5)) == []


def test_a_report_waits_for_overtaken_segments_when_told_that_the_link_reorders():
    sender, receiver = engines(reorder_ms=50)
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = flow(sender, at(0))
    give(receiver, [*sent[:4], *sent[5:]], at(1.35))
    assert flow(receiver, at(1.36)) == []
    give(receiver, [sent[4]], at(1.37))
    assert flow(receiver, at(1.5)) == []
    assert receiver.take_events()[0].block == block_of(20_000)
    sender.send_block(block_of(20_000), key=2, priority=1, now=at(2))
    give(receiver, flow(sender, at(2))[1:], at(3.35))
    assert flow(receiver, at(3.39)) == []
    assert kinds(flow(receiver, at(3.41))) == [8]


def test_two_lives_of_a_sender_do_not_share_session_numbers():
    numbers = set()
    for seed in range(200):
        sender = LtpEngine(LtpSettings(1, 2), seed=seed)
        sender.set_contact(True, rate_bytes_s=UNPACED, one_way_ns=0, now=START)
        sender.send_block(b"x", key=1, priority=1, now=START)
        numbers.add(read_segment(flow(sender, START)[0]).session.number)
    assert len(numbers) == 200
    assert max(numbers) < 1 << 29


@pytest.mark.parametrize("table", [send_session.TRANSITIONS, receive_session.TRANSITIONS])
def test_every_state_leads_to_closed_and_nothing_leads_out_of_it(table: dict):
    states = {state for state, _ in table}
    closed = next(state for state in table.values() if state.name == "CLOSED")
    assert closed not in states
    reached = {closed}
    for _ in states:
        reached |= {state for (state, _), after in table.items() if after in reached}
    assert states < reached


def test_acks_of_what_was_never_said_are_weather():
    sender, _receiver = engines()
    for ack in (ReportAck(SessionId(2, 5), 9), ReportAck(SessionId(1, 5), 9)):
        sender.receive(write_report_ack(ack), START)
    assert sender.take_datagrams() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"block": b"", "priority": 1},
        {"block": bytes(101), "priority": 1},
        {"block": b"x", "priority": 4},
        {"block": b"x", "priority": 1, "red_bytes": 2},
    ],
)
def test_blocks_that_cannot_be_sent_are_our_mistake(wrong: dict):
    sender, _ = engines(block_bytes_max=100)
    with pytest.raises(ValueError, match=r"block|priority|red"):
        sender.send_block(key=1, now=START, **wrong)


def test_a_segment_beyond_the_end_is_seen_although_its_header_was_foretold():
    sender, receiver = engines()
    sender.send_block(block_of(20_000), key=1, priority=1, now=START)
    sent = [read_segment(d) for d in flow(sender, at(0))]
    receiver.receive(as_datagram(sent[1]), at(1))
    receiver.receive(as_datagram(sent[2]), at(1))
    end = sent[3]._replace(type=3, checkpoint=9, data=sent[3].data[:5])
    receiver.receive(as_datagram(end), at(1))
    flow(receiver, at(1))
    receiver.receive(as_datagram(sent[3]), at(1))
    (cancel,) = flow(receiver, at(1))
    assert read_segment(cancel).reason == Reason.MISCOLORED


def test_blocks_that_come_in_interleaved_are_all_whole():
    sender, receiver = engines()
    blocks = [block_of(20_000), block_of(30_001), block_of(9)]
    flows = []
    for key, block in enumerate(blocks):
        sender.send_block(block, key=key, priority=1, now=START)
        flows.append(flow(sender, at(0)))
    while any(flows):
        for datagrams in flows:
            give(receiver, datagrams[:2], at(1.35))
            del datagrams[:2]
    received = [event.block for event in receiver.take_events()]
    assert sorted(received) == sorted(blocks)
