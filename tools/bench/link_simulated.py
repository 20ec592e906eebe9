"""LTP alone in simulated time: how near a bad link's limit it comes."""

import random
from dataclasses import dataclass, field, replace

from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockDelivered, BlockReceived
from flight.relay.ltp.settings import LtpSettings
from flight.relay.uartframe import FrameReader, encode_frame, frame_bytes
from hil_tests.channel import NS, Channel, ChannelSettings, Link

MOON = ChannelSettings(rate_bytes_s=125_000, one_way_ns=1_350_000_000)
BURSTS = replace(MOON, burst_enter=0.004, burst_leave=0.2)
ALWAYS = ((0, 1 << 62),)


@dataclass
class Feed:
    """A node without a store at both ends: always a block to send, accepted as it arrives."""

    size: int
    left: LtpEngine
    right: LtpEngine
    priorities: tuple[int, ...] = (1,)
    taken: int = 0
    sent: dict[int, int] = field(default_factory=dict)
    """Priority of each block under way, by key."""
    arrivals: list[tuple[int, int, int]] = field(default_factory=list)
    """(ns, priority, session number) as the blocks come in."""
    claimed: int = 0

    def __post_init__(self) -> None:
        self.payload = random.Random(self.size).randbytes(self.size - 1)

    def turn(self, now: Instant) -> None:
        """Send what there is room for, the most urgent first; accept what has come."""
        for priority in self.priorities:
            block = bytes([priority]) + self.payload
            while self.left.send_block(block, key=self.taken, priority=priority, now=now):
                self.taken += 1
        for event in self.right.take_events():
            if isinstance(event, BlockReceived):
                if event.block[1:] != self.payload:
                    raise AssertionError("a block arrived damaged")
                self.arrivals.append((now.mono_ns, event.block[0], event.session.number))
                self.right.accept(event.session, now)
        self.claimed += sum(isinstance(e, BlockDelivered) for e in self.left.take_events())


def goodput(size: int, channel: ChannelSettings, seed: int = 1) -> dict[str, float]:
    """Return goodput over the limit and wire bytes over payload, in steady state."""
    blocks = max(60, 12_000_000 // size)
    link, feed = _pair(size, channel, seed)
    warm_up = len_of_pipe(size, channel)
    start_bytes = 0
    open_all(feed, channel, Instant(0, 0))
    feed.turn(Instant(0, 0))
    while len(feed.arrivals) < blocks + warm_up and link.step(feed.turn, 7200 * NS):
        if len(feed.arrivals) <= warm_up:
            start_bytes = link.to_right.bytes
    times = [ns for ns, _, _ in feed.arrivals[warm_up:]]
    payload = (len(times) - 1) * size
    seconds = (times[-1] - times[0]) / NS
    lost = link.to_right.lost / link.to_right.datagrams
    limit = channel.rate_bytes_s * (1 - lost) * size / wire_bytes(size)
    if len({session for _, _, session in feed.arrivals}) != len(feed.arrivals):
        raise AssertionError("a block was delivered twice")
    return {
        "goodput_over_limit": payload / seconds / limit,
        "wire_over_payload": (link.to_right.bytes - start_bytes) / payload,
        "loss": lost,
    }


def windows(size: int = 64_000, *, window_s: int = 600, gap_s: int = 8 * 3600) -> dict[str, float]:
    """Return the share of the windows' capacity that became payload, and priority inversions."""
    spans = tuple((i * (window_s + gap_s), i * (window_s + gap_s) + window_s) for i in range(2))
    spans_ns = tuple((start * NS, end * NS) for start, end in spans)
    channel = replace(MOON, windows=spans_ns)
    link, feed = _pair(size, channel, 1)
    feed.priorities = (3,)
    inversions = 0
    for start, end in spans_ns:
        link.now_ns = start
        open_all(feed, channel, Instant(start, 0), ends_ns=end)
        before = len(feed.arrivals)
        urgent = [feed.taken + i for i in range(4)]
        for _ in urgent:
            block = b"\x00" + feed.payload
            if feed.left.send_block(block, key=feed.taken, priority=0, now=Instant(start, 0)):
                feed.taken += 1
        link.run(feed.turn, end + 10 * NS)
        order = [priority for _, priority, _ in feed.arrivals[before:]]
        waiting = order.count(0)
        inversions += sum(1 for priority in order[:waiting] if priority)
    arrived = len(feed.arrivals) * size
    return {
        "windows_efficiency": arrived / (channel.rate_bytes_s * window_s * len(spans)),
        "priority_inversions": inversions,
        "bytes_in_vain": link.to_right.bytes_in_vain,
    }


def serial_efficiency(baud: int, size: int = 64_000) -> float:
    """Return payload over line bytes on an 8N1 line, through uart frames of 1,024 bytes."""
    channel = ChannelSettings(rate_bytes_s=baud // 10, one_way_ns=0)
    options = {"segment_bytes": 1024, "frame_bytes": frame_bytes(1024) - 1024}
    link, feed = _pair(size, channel, 1, options)
    link.left, link.right = Framed(feed.left), Framed(feed.right)
    open_all(feed, channel, Instant(0, 0))
    link.run(feed.turn, 200 * NS)
    times = [ns for ns, _, _ in feed.arrivals]
    seconds = (times[-1] - times[0]) / NS
    return (len(times) - 1) * size / seconds / channel.rate_bytes_s


class Framed:
    """An engine behind a serial line."""

    def __init__(self, engine: LtpEngine) -> None:
        self.engine = engine
        self.reader = FrameReader()
        self.next_deadline_ns = engine.next_deadline_ns
        self.expire = engine.expire

    def receive(self, datagram: bytes, now: Instant) -> None:
        """Take in a piece of the stream."""
        for payload in self.reader.feed(datagram):
            self.engine.receive(payload, now)

    def take_datagrams(self) -> tuple[bytes, ...]:
        """Return the frames that leave now."""
        return tuple(map(encode_frame, self.engine.take_datagrams()))


def wire_bytes(size: int) -> int:
    """Return what a block of this size takes on the wire, sent once."""
    engine = LtpEngine(LtpSettings(1, 2, burst_segments=1 << 20), seed=1)
    engine.set_contact(True, rate_bytes_s=1 << 60, one_way_ns=0, now=Instant(0, 0))
    engine.send_block(bytes(size), key=0, priority=0, now=Instant(0, 0))
    engine.expire(Instant(0, 0))
    return sum(map(len, engine.take_datagrams()))


def len_of_pipe(size: int, channel: ChannelSettings) -> int:
    """Return how many blocks two seconds beyond a few round trips take: the way to steadiness."""
    return 1 + (channel.one_way_ns * 12 + 2 * NS) * channel.rate_bytes_s // NS // size


def open_all(
    feed: Feed, channel: ChannelSettings, now: Instant, ends_ns: int | None = None
) -> None:
    """Open the contact on both sides."""
    for engine in (feed.left, feed.right):
        engine.set_contact(
            True,
            rate_bytes_s=channel.rate_bytes_s,
            one_way_ns=channel.one_way_ns,
            ends_mono_ns=ends_ns,
            now=now,
        )


def _pair(
    size: int, channel: ChannelSettings, seed: int, options: dict[str, int] | None = None
) -> tuple[Link, Feed]:
    left = LtpEngine(LtpSettings(1, 2, **(options or {})), seed=seed)
    right = LtpEngine(LtpSettings(2, 1, **(options or {})), seed=~seed)
    feed = Feed(size, left, right)
    return Link(left, right, Channel(channel, seed), Channel(channel, ~seed)), feed
