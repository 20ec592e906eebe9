"""Bundles over LTP and real sockets on loopback, beside raw UDP in the same run.

No node and no store here: a bundle is made and encoded, goes as one block, and is read strictly
and accepted. Raw UDP is the plainest loop that Python has: send a segment, receive a segment.
"""

import select
import statistics
import time

from flight.board.clock import BoardClock
from flight.instant import Instant
from flight.ports.udp import UdpPort
from flight.relay.bundle import encode_bundle, make_bundle, read_bundle
from flight.relay.endpoint import ipn
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockReceived
from flight.relay.ltp.settings import LtpSettings
from tools.bench.link_ends import (
    BURST_SEGMENTS,
    SEGMENT_BYTES,
    WINDOW_BYTES,
    Figures,
    Role,
    run_pair,
)

ROUNDS = 3
NS = 10**9


def measure(pairs: dict[str, tuple[Role, Role]], size: int) -> dict[str, dict[str, float]]:
    """Return each pair's figures beside raw UDP; all take turns, and the medians count."""
    raw: list[Figures] = []
    found: dict[str, list[Figures]] = {name: [] for name in pairs}
    for _ in range(ROUNDS):
        raw.append(run_pair(send_raw, receive_raw, size))
        for name, roles in pairs.items():
            found[name].append(run_pair(*roles, size))
    return {
        name: _median(runs, size) | {"over_raw_udp": _median_ratio(runs, raw)}
        for name, runs in found.items()
    }


def _median(runs: list[Figures], size: int) -> dict[str, float]:
    bytes_s = statistics.median(run.bytes_s for run in runs)
    return {
        "mbit_s": bytes_s * 8 / 1e6,
        "cpu_ms_per_mb": statistics.median(r.sender_ms_per_mb + r.receiver_ms_per_mb for r in runs),
        "bundles_s": bytes_s / size,
    }


def _median_ratio(runs: list[Figures], raw: list[Figures]) -> float:
    return statistics.median(a.bytes_s / b.bytes_s for a, b in zip(runs, raw, strict=True))


def send_raw(port: UdpPort, size: int, until: float) -> int:
    """Send datagrams, one a call."""
    del size
    end, remote = port._socket, port._remote
    datagram, sent = bytes(SEGMENT_BYTES), 0
    while time.monotonic() < until:
        for _ in range(64):
            try:
                sent += end.sendto(datagram, remote)
            except BlockingIOError:
                select.select([], [end], [], 0.01)
    return sent


def receive_raw(port: UdpPort, size: int, until: float) -> int:
    """Receive datagrams, one a call."""
    del size
    end, arrived = port._socket, 0
    while time.monotonic() < until:
        try:
            for _ in range(64):
                arrived += len(end.recv(65_536))
        except BlockingIOError:
            select.select([end], [], [], 0.05)
    return arrived


def send_blocks(port: UdpPort, size: int, until: float) -> int:
    """Send bundles in blocks as fast as the engine takes them."""
    engine, clock, payload, key = _engine(1, 2), BoardClock(), bytes(size), 0
    while time.monotonic() < until:
        now = clock.now()
        while engine.has_room(1):
            key += 1
            bundle = make_bundle(
                payload,
                source=ipn(1, 1),
                destination=ipn(2, 65),
                created_ms=now.dtn_ms,
                sequence=key,
                lifetime_ms=86_400_000,
            )
            engine.send_block(encode_bundle(bundle), key=key, priority=1, now=now)
        _turn(engine, port, now)
        engine.take_events()
    return key * size


def receive_blocks(port: UdpPort, size: int, until: float) -> int:
    """Read and accept what comes."""
    engine, clock, arrived = _engine(2, 1), BoardClock(), 0
    while time.monotonic() < until:
        now = clock.now()
        for event in engine.take_events():
            if isinstance(event, BlockReceived):
                arrived += len(read_bundle(event.block).payload) == size
                engine.accept(event.session, now)
        _turn(engine, port, now)
    return arrived * size


def _engine(own: int, peer: int) -> LtpEngine:
    settings = LtpSettings(
        own,
        peer,
        segment_bytes=SEGMENT_BYTES,
        send_bytes_max=WINDOW_BYTES,
        burst_segments=BURST_SEGMENTS,
        margin_ms=50,
    )
    engine = LtpEngine(settings, seed=time.monotonic_ns())
    engine.set_contact(True, rate_bytes_s=10**10, one_way_ns=0, now=BoardClock().now())
    return engine


def _turn(engine: LtpEngine, port: UdpPort, now: Instant) -> None:
    """One turn of a loop: act and send, wait for whichever comes first, receive."""
    engine.expire(now)
    datagrams = engine.take_datagrams()
    if datagrams:
        port.send(datagrams, now)
    deadline_ns = engine.next_deadline_ns()
    wait_s = 0.05 if deadline_ns is None else min((deadline_ns - now.mono_ns) / NS, 0.05)
    if wait_s > 0:
        select.select([port.fileno() or -1], [], [], wait_s)
    for datagram in port.receive(now):
        engine.receive(datagram, now)


BLOCKS: tuple[Role, Role] = (send_blocks, receive_blocks)
