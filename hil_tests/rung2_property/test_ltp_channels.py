"""Two engines over any bad channel deliver all, once, in simulated time."""

from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import (
    BlockDelivered,
    BlockFailed,
    BlockReceived,
    LtpEvent,
)
from flight.relay.ltp.segment import SessionId
from flight.relay.ltp.settings import LtpSettings
from flight.relay.uartframe import FrameReader, encode_frame
from hil_tests.channel import NS, Channel, ChannelSettings, Link

slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

channels = st.builds(
    ChannelSettings,
    rate_bytes_s=st.sampled_from([2_000, 20_000, 1_000_000]),
    one_way_ns=st.sampled_from([0, 30_000_000, 1_350_000_000]),
    loss=st.floats(0, 0.4),
    burst_enter=st.sampled_from([0.0, 0.02]),
    burst_leave=st.sampled_from([0.1, 0.5]),
    duplicate=st.floats(0, 0.3),
    reorder=st.floats(0, 0.5),
    reorder_ns=st.sampled_from([1_000_000, 100_000_000, 3_000_000_000]),
    corrupt=st.floats(0, 0.2),
)
options = st.fixed_dictionaries(
    {
        "segment_bytes": st.sampled_from([64, 256, 1400]),
        "reorder_ms": st.sampled_from([0, 30]),
        "repeats_max": st.integers(1, 3),
        "attempts_max": st.just(60),
    }
)
block_sizes = st.lists(st.integers(1, 6000), min_size=1, max_size=8)


class Framed:
    """An engine behind a line that checks: what is damaged does not arrive."""

    def __init__(self, engine: LtpEngine) -> None:
        self.engine = engine
        self.next_deadline_ns = engine.next_deadline_ns
        self.expire = engine.expire

    def receive(self, datagram: bytes, now: Instant) -> None:
        for payload in FrameReader().feed(datagram):
            self.engine.receive(payload, now)

    def take_datagrams(self) -> tuple[bytes, ...]:
        return tuple(map(encode_frame, self.engine.take_datagrams()))


class Ends:
    """A node's part at both ends: sends blocks, accepts what arrives, sends again what failed."""

    def __init__(self, settings: dict, blocks: list[bytes], seed: int, accept_ns: int) -> None:
        self.settings = settings
        self.blocks = blocks
        self.accept_ns = accept_ns
        self.lives = 0
        self.random = Random(seed)
        self.left = self.engine(1, 2)
        self.right = self.engine(2, 1)
        self.waiting = dict(enumerate(blocks))
        self.under_way: set[int] = set()
        self.delivered: list[int] = []
        self.accepted: list[tuple[SessionId, bytes]] = []
        self.durable: set[bytes] = set()
        self.to_accept: list[tuple[int, SessionId, bytes]] = []
        self.log: list[tuple[int, LtpEvent]] = []

    def engine(self, own: int, peer: int) -> LtpEngine:
        self.lives += 1
        seed = self.random.getrandbits(64)
        return LtpEngine(LtpSettings(own, peer, **self.settings), seed=seed)

    def turn(self, now: Instant) -> None:
        for event in self.right.take_events():
            self.log.append((now.mono_ns, event))
            if isinstance(event, BlockReceived):
                self.to_accept.append((now.mono_ns + self.accept_ns, event.session, event.block))
        while self.to_accept and self.to_accept[0][0] <= now.mono_ns:
            _, session, block = self.to_accept.pop(0)
            self.accepted.append((session, block))
            self.durable.add(block)
            self.right.accept(session, now)
        for event in self.left.take_events():
            self.log.append((now.mono_ns, event))
            if isinstance(event, BlockDelivered):
                assert self.blocks[event.key] in self.durable, "claimed, and not durable there"
                self.under_way.remove(event.key)
                self.delivered.append(event.key)
            elif isinstance(event, BlockFailed):
                self.under_way.remove(event.key)
                self.waiting[event.key] = self.blocks[event.key]
        for key in list(self.waiting):
            if self.left.send_block(self.waiting[key], key=key, priority=key % 4, now=now):
                self.under_way.add(key)
                del self.waiting[key]

    def is_done(self) -> bool:
        return len(set(self.delivered)) == len(self.blocks)


def run(
    ends: Ends,
    link: Link,
    *,
    hours: float = 5,
    windows: tuple[tuple[int, int], ...] = ((0, 1 << 62),),
    also: Callable[[int], None] | None = None,
) -> None:
    """Move until all is delivered and both sides are silent, or the time is up."""
    settings = link.to_right.settings
    opened = -1

    def turn(now: Instant) -> None:
        nonlocal opened
        for index, (start, end) in enumerate(windows):
            if start <= now.mono_ns < end and index != opened:
                opened = index
                open_contact(ends, settings, end, now)
        if also is not None:
            also(now.mono_ns)
        ends.turn(now)

    for start, _ in windows:
        link.alarms.append((start, lambda _now_ns: None))
    until_ns = int(hours * 3600) * NS
    turn(Instant(0, 0))
    while link.step(turn, until_ns):
        if ends.accept_ns and ends.to_accept and not link.alarms:
            link.alarms.append((ends.to_accept[0][0], lambda _now_ns: None))


def open_contact(ends: Ends, settings: ChannelSettings, end: int, now: Instant) -> None:
    for engine in (ends.left, ends.right):
        engine.set_contact(
            True,
            rate_bytes_s=settings.rate_bytes_s,
            one_way_ns=settings.one_way_ns,
            ends_mono_ns=None if end == 1 << 62 else end,
            now=now,
        )


def check(ends: Ends) -> None:
    """All that must hold after any history in which nobody crashed."""
    assert sorted(ends.delivered) == list(range(len(ends.blocks)))
    sessions = [session for session, _ in ends.accepted]
    assert len(sessions) == len(set(sessions)), "accepted twice under one session id"
    assert {block for _, block in ends.accepted} == set(ends.blocks)
    for engine in (ends.left, ends.right):
        assert engine.next_deadline_ns() is None, "a session without an end"


def blocks_of(sizes: list[int], seed: int) -> list[bytes]:
    random = Random(seed)
    return [index.to_bytes(2, "big") + random.randbytes(size) for index, size in enumerate(sizes)]


@slow
@given(channels, channels, options, block_sizes, st.integers(0, 2**32), st.sampled_from([0, NS]))
def test_any_channel_delivers_every_block_once(
    there: ChannelSettings,
    back: ChannelSettings,
    options: dict,
    sizes: list[int],
    seed: int,
    accept_ns: int,
):
    ends = Ends(options, blocks_of(sizes, seed), seed, accept_ns)
    link = Link(Framed(ends.left), Framed(ends.right), Channel(there, seed), Channel(back, ~seed))
    run(ends, link)
    check(ends)


@slow
@given(
    channels,
    block_sizes,
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30_000)), min_size=2, max_size=6),
)
def test_windows_that_close_lose_nothing_and_waste_nothing(
    channel: ChannelSettings, sizes: list[int], seed: int, plan: list[tuple[int, int]]
):
    windows, start = [], 0
    for length_s, gap_s in plan:
        windows.append((start, start + length_s * NS))
        start += (length_s + gap_s) * NS
    windows.append((start, 1 << 62))
    bounds = ChannelSettings(**{**vars(channel), "windows": tuple(windows)})
    ends = Ends({"attempts_max": 60}, blocks_of(sizes, seed), seed, 0)
    link = Link(
        Framed(ends.left), Framed(ends.right), Channel(bounds, seed), Channel(bounds, ~seed)
    )
    run(ends, link, hours=start / NS / 3600 + 3, windows=tuple(windows))
    check(ends)


@slow
@given(
    channels,
    block_sizes,
    st.integers(0, 2**32),
    st.lists(
        st.tuples(st.integers(0, 60_000), st.sampled_from(["left", "right"])),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0, 500_000_000]),
)
def test_a_crash_of_either_side_claims_nothing_that_is_not_durable(
    channel: ChannelSettings,
    sizes: list[int],
    seed: int,
    crashes: list[tuple[int, str]],
    accept_ns: int,
):
    ends = Ends({"attempts_max": 60}, blocks_of(sizes, seed), seed, accept_ns)
    link = Link(
        Framed(ends.left), Framed(ends.right), Channel(channel, seed), Channel(channel, ~seed)
    )
    accepted_in: dict[tuple[int, SessionId], int] = {}

    def crash(side: str) -> Callable[[int], None]:
        def act(now_ns: int) -> None:
            now = Instant(now_ns, 0)
            if side == "left":
                ends.left = ends.engine(1, 2)
                link.left = Framed(ends.left)
                for key in ends.under_way:  # the store still has them
                    ends.waiting[key] = ends.blocks[key]
                ends.under_way.clear()
            else:
                for session, _ in ends.accepted:
                    accepted_in[ends.lives, session] = accepted_in.get((ends.lives, session), 0) + 1
                ends.accepted.clear()
                ends.to_accept.clear()
                ends.right = ends.engine(2, 1)
                link.right = Framed(ends.right)
            open_contact(ends, channel, 1 << 62, now)

        return act

    link.alarms += sorted(
        [(ms * 1_000_000, crash(side)) for ms, side in crashes], key=lambda alarm: alarm[0]
    )
    run(ends, link)
    assert ends.is_done()
    assert max(accepted_in.values(), default=1) == 1
    assert ends.durable == set(ends.blocks)
    assert ends.left.next_deadline_ns() is None
    assert ends.right.next_deadline_ns() is None


@given(channels, block_sizes, st.integers(0, 2**32))
@settings(slow, max_examples=10)
def test_the_same_seed_gives_the_same_history(
    channel: ChannelSettings, sizes: list[int], seed: int
):
    logs = []
    for _ in range(2):
        ends = Ends({}, blocks_of(sizes, seed), seed, 0)
        link = Link(
            Framed(ends.left), Framed(ends.right), Channel(channel, seed), Channel(channel, ~seed)
        )
        run(ends, link, hours=0.2)
        logs.append(ends.log)
    assert logs[0] == logs[1]


@given(channels, st.lists(st.integers(1, 3000), min_size=1, max_size=5), st.integers(0, 2**32))
@settings(slow, max_examples=20)
def test_every_session_ends_even_if_the_peer_falls_silent_for_ever(
    channel: ChannelSettings, sizes: list[int], seed: int
):
    ends = Ends({"attempts_max": 4}, blocks_of(sizes, seed), seed, 0)
    dead = ChannelSettings(**{**vars(channel), "loss": 1.0})
    link = Link(Framed(ends.left), Framed(ends.right), Channel(channel, seed), Channel(dead, ~seed))
    sent = list(ends.waiting)
    gone: list[BlockFailed] = []

    def turn(now: Instant) -> None:
        if now.mono_ns == 0:
            open_contact(ends, channel, 1 << 62, now)
        for key in list(ends.waiting):
            if ends.left.send_block(ends.waiting[key], key=key, priority=1, now=now):
                del ends.waiting[key]
        for event in ends.right.take_events():
            if isinstance(event, BlockReceived):
                ends.right.accept(event.session, now)
        gone.extend(e for e in ends.left.take_events() if isinstance(e, BlockFailed))

    link.run(turn, 20 * 3600 * NS)
    assert sorted(event.key for event in gone) == sent
    assert ends.left.next_deadline_ns() is None
    assert ends.right.next_deadline_ns() is None


small = st.integers(0, 3)
hostile_data = st.builds(
    lambda kind, number, offset, data, checkpoint, report, service: (
        bytes([kind, 2, number, 0, service])
        + offset
        + bytes([len(data)])
        + (bytes([checkpoint, report]) if 0 < kind < 4 else b"")
        + data
    ),
    st.sampled_from([0, 0, 1, 2, 3, 4, 7]),
    small,
    st.one_of(small.map(lambda n: bytes([n])), st.just(b"\x88\x00"), st.just(b"\xff\xff\x7f")),
    st.binary(max_size=3),
    st.integers(1, 3),
    st.integers(0, 2),
    small,
)
hostile_control = st.one_of(
    st.builds(
        lambda own, number, fields: bytes([8, own, number, 0]) + fields,
        st.integers(1, 2),
        small,
        st.binary(min_size=5, max_size=9).map(lambda b: bytes(x & 15 for x in b)),
    ),
    st.builds(
        lambda kind, own, number, last: bytes([kind, own, number, 0]) + last,
        st.sampled_from([9, 12, 13, 14, 15]),
        st.integers(1, 2),
        small,
        st.binary(max_size=1),
    ),
)
