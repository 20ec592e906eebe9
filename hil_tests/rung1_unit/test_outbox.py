from dataclasses import replace

import numpy as np

from flight.autonomy.downlink import record_plan
from flight.autonomy.plan import Plan, Slot
from flight.board.jobs import Answer, EncodeJob, Packed
from flight.eventlog import EventLog
from flight.instant import Instant
from flight.outbox import MOST_ATTEMPTS, RETRY_NS, SLICE_BYTES, About, Name, Outbox
from flight.product.codecs import CodecId, encode
from flight.product.events import MAX_EVENTS_A_RECORD, Event
from flight.product.part import ProductId, ProductKind, decode_part
from flight.product.values import NoAnswer

NOW = Instant(1, 100)
ABOUT = About(ProductId(10, 3, 32), "navcam", 4, Instant(1, 77), b"m" * 8)


class Bench:
    """An outbox between an encoder that only takes orders and a store that only takes bundles."""

    def __init__(self) -> None:
        self.jobs: list[EncodeJob] = []
        self.sent: list[tuple[bytes, int, Name]] = []
        self.done: list[int] = []
        self.outbox = Outbox(self, self.send, config_digest=b"c" * 8, done=self.done.append)

    def submit(self, job: EncodeJob, now: Instant) -> int:
        self.jobs.append(job)
        return len(self.jobs)

    def send(self, payload: bytes, priority: int, name: Name, now: Instant) -> int:
        self.sent.append((payload, priority, name))
        return len(self.sent)


PICTURE = np.zeros((8, 8), np.uint8)
IMAGE = Plan(Slot.THUMBNAIL, ProductKind.THUMBNAIL, CodecId.IMAGE, PICTURE.nbytes)
RECORD = record_plan(ProductKind.DECISION, b"record")


def packed(samples: np.ndarray, **options: int) -> tuple[Packed, ...]:
    parts = encode(CodecId.IMAGE, samples, **options)
    return tuple(Packed(part.geometry, memoryview(part.data)) for part in parts)


def test_a_step_is_done_when_every_part_of_every_product_is_stored():
    bench = Bench()
    bench.outbox.add(RECORD, ABOUT, NOW, group=7)
    bench.outbox.add(IMAGE, ABOUT, NOW, group=7)
    bench.outbox.stored(1)
    assert bench.done == []
    bench.outbox.take(Answer(1, parts=packed(PICTURE)), NOW)
    assert bench.done == []
    bench.outbox.stored(2)
    assert bench.done == [7]
    assert bench.outbox.idle
    part = decode_part(bench.sent[1][0])
    assert (part.header.kind, part.header.sensor) == (ProductKind.THUMBNAIL, "navcam")


def test_the_same_product_made_again_has_the_same_names():
    first, second = Bench(), Bench()
    for bench, now in ((first, NOW), (second, Instant(99, 999))):
        bench.outbox.add(RECORD, ABOUT, now)
    assert [name for _, _, name in first.sent] == [name for _, _, name in second.sent]
    assert first.sent[0][2][0] == ABOUT.taken.dtn_ms


def test_what_the_store_has_no_room_for_is_offered_again_and_holds_up_new_steps():
    bench = Bench()
    bench.outbox.add(RECORD, ABOUT, NOW, group=7)
    bench.outbox.refused(1, NOW)
    assert not bench.outbox.room
    due = bench.outbox.next_deadline_ns()
    assert due == NOW.mono_ns + RETRY_NS
    bench.outbox.expire(Instant(due, 0))
    assert bench.outbox.room
    assert bench.sent[0] == bench.sent[1]
    bench.outbox.stored(2)
    assert bench.done == [7]


def test_a_product_that_kills_its_encoder_is_given_up_with_an_event():
    bench = Bench()
    bench.outbox.add(IMAGE, ABOUT, NOW, group=7)
    losses = [
        bench.outbox.take(Answer(job, no_answer=NoAnswer.WORKER_DIED), NOW)
        for job in range(1, MOST_ATTEMPTS + 1)
    ]
    assert losses[:-1] == [None] * (MOST_ATTEMPTS - 1)
    assert losses[-1] == Event.PRODUCT_LOST(product="10.3.32", kind="THUMBNAIL")
    assert bench.done == [7]


def test_answers_to_others_are_passed_over():
    bench = Bench()
    assert bench.outbox.take(Answer(99), NOW) is None
    bench.outbox.stored(99)
    assert bench.outbox.idle


def test_a_repeated_event_is_a_count_and_the_log_has_a_limit():
    log = EventLog()
    for _ in range(3):
        log.note(Event.CLOCK_UNKNOWN(), NOW)
    for number in range(MAX_EVENTS_A_RECORD + 5):
        log.note(Event.SENSOR_DONE(sensor="a", frames=number), NOW)
    assert log.urgent
    assert log.dropped == 6
    reports = log.take()
    assert (len(reports), reports[0].count) == (MAX_EVENTS_A_RECORD, 3)
    assert not log.urgent


def test_parts_that_go_ahead_are_a_product_of_their_own_with_its_own_number_and_priority():
    bench = Bench()
    about = replace(ABOUT, id=replace(ABOUT.id, number=32 + Slot.FRAME))
    frame = Plan(Slot.FRAME, ProductKind.FRAME, CodecId.IMAGE, 256, tile=8, ahead=(1,))
    bench.outbox.add(frame, about, NOW, group=7)
    bench.outbox.take(Answer(1, parts=packed(np.eye(16, dtype=np.uint8), tile=8)), NOW)
    found = [decode_part(payload).header for payload, _, _ in bench.sent]
    assert [(h.kind, h.id.number, h.count) for h in found] == [
        (ProductKind.REGION, 32 + Slot.REGION, 1),
        *[(ProductKind.FRAME, 32 + Slot.FRAME, 3)] * 3,
    ]
    assert [priority for _, priority, _ in bench.sent] == [2, 3, 3, 3]
    for ticket in range(1, 5):
        assert bench.done == []
        bench.outbox.stored(ticket)
    assert bench.done == [7]


def test_a_large_product_goes_into_the_store_a_few_parts_a_turn_in_order():
    bench, noise = Bench(), np.random.default_rng(1).integers(0, 256, (512, 1024), np.uint8)
    whole = Plan(Slot.FRAME, ProductKind.FRAME, CodecId.IMAGE, noise.nbytes, tile=128)
    bench.outbox.add(whole, ABOUT, NOW, group=7)
    bench.outbox.add(RECORD, ABOUT, NOW)
    bench.outbox.take(Answer(1, parts=packed(noise, tile=128)), NOW)
    now, turns = NOW, 1

    def sent_bytes() -> int:
        return sum(len(payload) for payload, _, _ in bench.sent)

    while bench.outbox.next_deadline_ns() == 0:
        assert not bench.outbox.idle
        before = sent_bytes()
        bench.outbox.expire(now)  # the same turn again, and its slice is sent
        assert sent_bytes() == before
        now, turns = Instant(now.mono_ns + 1, 100), turns + 1
        bench.outbox.expire(now)
        assert sent_bytes() - before <= SLICE_BYTES + max(len(p) for p, _, _ in bench.sent)
    assert turns > 3
    parts = [decode_part(payload) for payload, _, _ in bench.sent]
    frame = [part for part in parts if part.header.kind is ProductKind.FRAME]
    assert [part.index for part in frame] == list(range(frame[0].header.count)) == list(range(32))
    for ticket in range(1, len(bench.sent) + 1):
        assert bench.done == []
        bench.outbox.stored(ticket)
    assert bench.done == [7]
    assert bench.outbox.idle


def test_what_waits_counts_until_it_is_in_the_store():
    bench = Bench()
    bench.outbox.add(IMAGE, ABOUT, NOW)
    assert bench.outbox.waiting_bytes == PICTURE.nbytes
    bench.outbox.take(Answer(1, parts=packed(PICTURE)), NOW)
    assert bench.outbox.waiting_bytes == 0
