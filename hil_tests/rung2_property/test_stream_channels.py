"""Two engines over lines that break, and sides that die: nothing acknowledged is ever lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.relay.settings import Layer
from flight.relay.stream import tcpcl3wire as v3
from flight.relay.stream import tcpcl4wire as v4
from flight.relay.stream.outgoing import Outgoing, Transfer
from flight.relay.stream.settings import TcpSettings
from hil_tests.rung1_unit import test_tcpcl3, test_tcpcl4
from hil_tests.streams import Streams

BLOCKS = 25


class History:
    """A sender that sends until it knows, a receiver that keeps what it accepted, and bad luck."""

    def __init__(self, layer: Layer, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        tcp = TcpSettings(
            segment_bytes=int(self.chance.choice([0, 100, 5000])),
            keepalive_s=int(self.chance.choice([0, 1, 15])),
            receive_blocks_max=int(self.chance.choice([2, 256])),
            answer_s=5,
        )
        self.streams = Streams(
            layer,
            bytes_s=int(self.chance.choice([50_000, 10**7])),
            both_call=bool(self.chance.random() < 0.5),
            here=tcp,
            there=tcp,
        )
        sizes = [int(self.chance.choice([1, 100, 3000, 20_000])) for _ in range(BLOCKS)]
        self.blocks = [bytes([number]) * size for number, size in enumerate(sizes)]
        self.due = list(range(BLOCKS))
        self.delivered: list[int] = []
        self.durable: list[bytes] = []
        self.streams.turn = self._turn
        self.is_calm = False

    def run(self) -> None:
        self.streams.open(rate_bytes_s=10**6)
        self.streams.run(6)
        self.is_calm = True
        self.streams.until(lambda: len(self.delivered) >= BLOCKS, seconds=120)

    def _turn(self) -> None:
        streams = self.streams
        here, there = streams.sides
        # What is accepted is durable: it outlives the receiver.
        self.durable += there.received
        there.received.clear()
        for key in here.delivered:
            assert self.blocks[key] in self.durable
            self.delivered.append(key)
        here.delivered.clear()
        self.due += here.failed
        here.failed.clear()
        while self.due and here.engine.has_room(1):
            key = self.due.pop(0)
            here.engine.send_block(self.blocks[key], key=key, priority=1, now=streams.now())
        if not self.is_calm:
            self._harm()

    def _harm(self) -> None:
        streams, dice = self.streams, self.chance.random()
        if dice < 0.006 and streams.cables:
            streams.cut(streams.cables[self.chance.integers(len(streams.cables))])
        elif dice < 0.0075:
            side = int(self.chance.integers(2))
            streams.restart(side).engine.set_contact(True, rate_bytes_s=10**6, now=streams.now())
            if side == 0:
                self.due = [n for n in range(BLOCKS) if n not in self.delivered]
        elif dice < 0.012:
            streams.sides[1].accepts = not streams.sides[1].accepts
            return
        elif dice < 0.03:
            streams.sides[1].accepts = True


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("layer", [Layer.TCPCL4, Layer.TCPCL3])
def test_all_is_delivered_whatever_breaks_and_nothing_is_claimed_too_soon(layer: Layer, seed: int):
    history = History(layer, seed)
    history.run()
    assert set(history.durable) == set(history.blocks)
    assert set(history.delivered) == set(range(BLOCKS))


def test_the_same_seed_gives_the_same_history():
    runs = []
    for _ in range(2):
        history = History(Layer.TCPCL4, 5)
        history.run()
        runs.append((history.streams.now_ns, history.delivered, history.durable))
    assert runs[0] == runs[1]


# --------------------------------------------------------------------------------- the wire

U64 = st.integers(0, (1 << 64) - 1)
NAMES = st.text(max_size=50)
ITEMS = st.lists(
    st.builds(v4.Item, st.booleans(), st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=4
).map(tuple)
STARTS = st.builds(v4.SegmentHead, st.sampled_from([v4.Mark(2), v4.Mark(3)]), U64, U64, ITEMS)
RESTS = st.builds(v4.SegmentHead, st.sampled_from([v4.Mark(0), v4.Mark(1)]), U64, U64, st.just(()))
MESSAGES4 = st.one_of(
    st.builds(v4.Init, st.integers(0, 0xFFFF), U64, U64, NAMES, ITEMS),
    STARTS,
    RESTS,
    st.builds(v4.Ack, st.integers(0, 255).map(v4.Mark), U64, U64),
    st.builds(v4.Refuse, st.integers(0, 255), U64),
    st.just(v4.Keepalive()),
    st.builds(v4.Term, st.booleans(), st.integers(0, 255)),
    st.builds(v4.Reject, st.integers(0, 255), st.integers(0, 255)),
)
MESSAGES3 = st.one_of(
    st.builds(v3.SegmentHead, st.integers(0, 3), U64),
    st.builds(v3.Ack, U64),
    st.builds(v3.Refuse, st.integers(0, 15)),
    st.just(v3.Keepalive()),
    st.builds(v3.Shutdown, st.none() | st.integers(0, 255)),
    st.builds(v3.Length, U64),
)


@pytest.mark.parametrize(("wire", "messages"), [(v4, MESSAGES4), (v3, MESSAGES3)])
@settings(max_examples=150)
@given(data=st.data())
def test_every_message_round_trips_and_every_cut_waits(wire, messages, data):
    message = data.draw(messages)
    written = wire.write_message(message)
    assert wire.read_message(written + b"more", 0) == (message, len(written))
    cut = data.draw(st.integers(0, len(written) - 1))
    assert wire.read_message(written[:cut], 0) is None


@settings(max_examples=100)
@given(
    block=st.binary(min_size=1, max_size=500),
    segment=st.integers(0, 600),
    rooms=st.lists(st.integers(1, 300), min_size=1),
)
def test_pieces_of_any_size_are_the_whole(block: bytes, segment: int, rooms: list[int]):
    outgoing = Outgoing(lambda transfer, size: b"<%d,%d>" % (transfer.sent, size))
    outgoing.segment = segment
    outgoing.say(b"hello")
    outgoing.begin(Transfer(1, 0, block))
    said = b""
    while not outgoing.is_idle or outgoing.has_words:
        for room in rooms:
            said += outgoing.pull(room, data=True)
    size = segment or len(block)
    cuts = range(0, len(block), size)
    parts = [b"<%d,%d>" % (at, len(block[at : at + size])) + block[at : at + size] for at in cuts]
    assert said == b"hello" + b"".join(parts)
    assert outgoing.pulled == len(said)


@settings(max_examples=60)
@given(
    blocks=st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=6),
    segment=st.integers(1, 500),
    step=st.integers(1, 50),
)
@pytest.mark.parametrize("kind", [test_tcpcl4, test_tcpcl3])
def test_any_cut_of_the_stream_gives_the_same_bundles(kind, blocks, segment: int, step: int):
    one, other = kind.pair() if kind is test_tcpcl3 else kind.pair({"segment_bytes": segment})
    said = b""
    for key, block in enumerate(blocks):
        one.begin(key, block)
        said += one.outgoing.pull(1 << 20, data=True)
    for at in range(0, len(said), step):
        other.receive(said[at : at + step], 0)
    assert [event.block for event in other.events] == blocks
