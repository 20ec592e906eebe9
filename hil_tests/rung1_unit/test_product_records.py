import dataclasses

import msgpack
import numpy as np
import pytest

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.events import (
    Event,
    EventReport,
    Happening,
    Severity,
    decode_events,
    encode_events,
)
from flight.product.journal import GENESIS, Stamp, Step, decode_entry, enter, frame_of, stamp
from flight.product.part import (
    MAX_PART_BYTES,
    Header,
    Part,
    ProductId,
    ProductKind,
    cut_bytes,
    decode_part,
    join_bytes,
)
from flight.product.records import MAX_RECORD_BYTES, Schema, pack_record, peek_schema
from flight.product.status import Boot, Command, CommandKind, Health, ModelStamp, Reply
from flight.product.values import Decision, Finding, Kind, SensorKind, Verdict

NOW = Instant(5, 7)
DECISION = Decision(
    4, Verdict.ANOMALY, True, False, (Finding(Kind.ANOMALY, row=3, column=-1, score=-40, label=2),)
)


def make_step(**changes: object) -> Step:
    step = Step(
        number=9,
        boot=2,
        now=NOW,
        sensor="navcam",
        kind=SensorKind.CAMERA,
        task="terrain",
        frame_number=4,
        taken=Instant(1, 2),
        frame=Stamp((2, 3), bytes(range(32))),
        sample_bytes=2,
        axis=(50,),
        unit_counts=0,
        live_ms=0,
        frame_name="a.png",
        model_digest=b"m" * 32,
        no_answer=0,
        outputs=(stamp(np.zeros((1, 4), np.int8)),),
        room_bytes=1_000_000,
        first_product=16,
    )
    return dataclasses.replace(step, **changes)


def make_part(data: bytes = b"payload", *, index: int = 0, count: int = 1) -> Part:
    header = Header(
        ProductId(10, 1, 7), ProductKind.FRAME, "navcam", 4, NOW, b"m" * 8, b"c" * 8, 2, 1, count
    )
    return Part(header, index, (1, 2, 3, 0, 0, 2, 3), data)


def test_a_journal_entry_comes_back_whole():
    entry = enter(GENESIS, make_step(), DECISION)
    assert decode_entry(entry.encode()) == entry


def test_the_chain_depends_on_every_input_and_on_the_decision():
    digests = {enter(GENESIS, make_step(), DECISION).digest}
    digests.add(enter(bytes(31) + b"\1", make_step(), DECISION).digest)
    digests.add(enter(GENESIS, make_step(frame_number=5), DECISION).digest)
    digests.add(enter(GENESIS, make_step(outputs=()), DECISION).digest)
    changed = dataclasses.replace(DECISION, keep_frame=True)
    digests.add(enter(GENESIS, make_step(), changed).digest)
    assert len(digests) == 5


def test_a_frame_is_made_again_from_its_step_and_samples():
    frame = frame_of(make_step(), np.ones((2, 3), np.uint16))
    assert (frame.sensor, frame.number, frame.axis) == ("navcam", 4, (50,))
    with pytest.raises(WireError):
        frame_of(make_step(sample_bytes=3), np.ones((2, 3), np.uint16))


def test_a_part_comes_back_whole_and_a_flipped_byte_is_found():
    part = make_part()
    record = part.encode()
    assert decode_part(record) == part
    at = record.index(b"payload")
    with pytest.raises(WireError, match="CRC-32"):
        decode_part(record[:at] + b"q" + record[at + 1 :])


def test_a_long_record_is_cut_and_joined_in_any_order():
    record = bytes(range(256)) * 600
    pieces = cut_bytes(record)
    assert max(len(data) for _, data in pieces) == MAX_PART_BYTES
    parts = [
        dataclasses.replace(make_part(data, index=i, count=len(pieces)), geometry=geometry)
        for i, (geometry, data) in enumerate(pieces)
    ]
    assert join_bytes(reversed(parts)) == record
    assert cut_bytes(b"") == (((0, 0), b""),)
    with pytest.raises(WireError):
        join_bytes(parts[1:])


def test_priorities_follow_the_kind():
    assert ProductKind.DECISION.priority == 0
    assert ProductKind.HAZARD_MAP.priority == 1
    assert ProductKind.OUTPUTS.priority == 2
    assert ProductKind.FRAME.priority == 3


def test_events_come_back_and_speak_in_words():
    happening = Event.BUNDLE_LOST(bundles=3, why="evicted")
    reports = (EventReport(happening, NOW, 2), EventReport(Event.CLOCK_UNKNOWN(), NOW))
    assert decode_events(encode_events(reports)) == reports
    assert happening.words() == "3 bundles given up: evicted"
    assert happening.event.severity is Severity.WARNING


def test_an_event_takes_its_own_values_and_no_others():
    with pytest.raises(TypeError):
        Event.BUNDLE_LOST(bundles=3)
    assert len(Event.STORE_FAILED(what="x" * 999).values[0]) == 200


def test_event_numbers_are_never_shared():
    numbers = [event.number for event in Event]
    assert len(set(numbers)) == len(numbers)


def test_an_event_of_newer_software_costs_only_its_words():
    rows = [[9999, 1, 1, 2, [3]], [4, 1, 1, 1, []]]
    unknown, known = decode_events(pack_record(Schema.EVENTS, 1, [rows]))
    assert unknown.happening == Event.UNKNOWN(number=9999)
    assert known.happening == Event.CLOCK_UNKNOWN()


def test_an_event_with_the_wrong_values_is_a_wire_error():
    for row in ([30, 1, 1, 1, [3]], [30, 1, 1, 0, [3, 4]], [30, 1, 1, 1, [[], 1]]):
        with pytest.raises(WireError):
            decode_events(pack_record(Schema.EVENTS, 1, [[row]]))


@pytest.mark.parametrize(
    "record",
    [
        Boot(
            10,
            3,
            NOW,
            "0.1.0",
            b"c" * 32,
            5,
            (ModelStamp("terrain", "terrain", "1", b"d" * 32),),
            (("terrain", (1, -2)),),
        ),
        Health(NOW, ("temperature_mc", "load_permille"), (-1, 40)),
        Command(8, CommandKind.SEND_FRAME, "navcam", 3),
        Reply(8, True, "frame sent"),
    ],
)
def test_status_records_come_back_whole(record: Boot | Health | Command | Reply):
    assert type(record).decode(record.encode()) == record


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x90",
        msgpack.packb({}),
        msgpack.packb([99, 1]),
        msgpack.packb([1.5, 1]),
        msgpack.packb([True, 1]),
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 2000,
        bytes(MAX_RECORD_BYTES + 1),
    ],
)
def test_what_is_no_record_is_a_wire_error(data: bytes):
    for read in (
        peek_schema,
        decode_part,
        decode_entry,
        decode_events,
        Boot.decode,
        Command.decode,
    ):
        with pytest.raises(WireError):
            read(data)


def test_happenings_are_values():
    assert Event.CLOCK_UNKNOWN() == Happening(Event.CLOCK_UNKNOWN, ())
