"""When LTP engines send: contacts, timers, pacing, room, and what weather does to sessions."""

import pytest

from flight.instant import Instant
from flight.relay.errors import WireError
from flight.relay.ltp import receive_session, send_session
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.segment import (
    Cancel,
    Reason,
    Report,
    ReportAck,
    SessionId,
    read_segment,
    write_cancel,
    write_report,
    write_report_ack,
)
from flight.relay.ltp.settings import LtpSettings
from hil_tests.rung1_unit.test_ltp_engine import (
    LIGHT_NS,
    START,
    UNPACED,
    as_datagram,
    at,
    block_of,
    engines,
    flow,
    give,
    kinds,
)


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
