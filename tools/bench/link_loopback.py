"""LTP over real sockets on loopback, beside raw UDP in the same run."""

import multiprocessing
import random
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from flight.board.udpbatch import UdpBatch
from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockDelivered, BlockReceived
from flight.relay.ltp.settings import LtpSettings
from hil_tests.channel import NS, Channel, ChannelSettings
from tools.bench import link_simulated

SECONDS = 3.0
SEGMENT_BYTES = 1400
WINDOW_BYTES = 1 << 19
"""Under way at most: what the receiving socket holds. LTP has no flow control but this."""
BUFFER_BYTES = 1 << 22
Role = Callable[[socket.socket, int], tuple[float, int]]


def loopback(size: int) -> dict[str, float]:
    """Return throughput, CPU a megabyte of both ends, and the ratio to raw UDP."""
    raw_s, raw_cpu = _run(_raw_sender, _raw_receiver, size)
    bytes_s, cpu = _run(_ltp_sender, _ltp_receiver, size)
    return {
        "mbit_s": bytes_s * 8 / 1e6,
        "cpu_ms_per_mb": sum(cpu),
        "cpu_ms_per_mb_sender": cpu[0],
        "cpu_ms_per_mb_receiver": cpu[1],
        "bundles_s": bytes_s / size,
        "raw_udp_mbit_s": raw_s * 8 / 1e6,
        "raw_udp_cpu_ms_per_mb": sum(raw_cpu),
        "over_raw_udp": bytes_s / raw_s,
    }


def _run(sender: Role, receiver: Role, size: int) -> tuple[float, tuple[float, float]]:
    """Return payload bytes a second, and CPU milliseconds a megabyte of each end."""
    left, right = _socket(), _socket()
    left.connect(right.getsockname())
    right.connect(left.getsockname())
    context = multiprocessing.get_context("fork")
    ends = []
    for role, end in ((receiver, right), (sender, left)):
        ours, theirs = context.Pipe()
        process = context.Process(target=_end, args=(role, end, size, theirs))
        process.start()
        ends.append((process, ours))
    left.close()
    right.close()
    found = []
    for process, pipe in ends:
        found.append(pipe.recv())
        process.join()
    (receiver_cpu, arrived), (sender_cpu, sent) = found
    return arrived / SECONDS, (sender_cpu * 1e9 / sent, receiver_cpu * 1e9 / arrived)


def _end(role: Role, end: socket.socket, size: int, pipe: Connection) -> None:
    before = time.process_time()
    counted = role(end, size)[1]
    pipe.send((time.process_time() - before, counted))


def _raw_sender(end: socket.socket, size: int) -> tuple[float, int]:
    del size
    datagram, sent = bytes(SEGMENT_BYTES), 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for _ in range(64):
            try:
                sent += end.send(datagram)
            except BlockingIOError:
                select.select([], [end], [], 0.01)
    return 0, sent


def _raw_receiver(end: socket.socket, size: int) -> tuple[float, int]:
    del size
    arrived, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        for datagram in _take(end, 0.05):
            arrived += len(datagram)
    return 0, arrived


def _ltp_sender(end: socket.socket, size: int) -> tuple[float, int]:
    engine, batch = _engine(1, 2), UdpBatch(end)
    block, key, delivered = random.Random(1).randbytes(size), 0, 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        now = Instant(time.monotonic_ns(), 0)
        while engine.send_block(block, key=key, priority=1, now=now):
            key += 1
        _serve(engine, end, batch, now)
        delivered += sum(isinstance(e, BlockDelivered) for e in engine.take_events())
    return 0, delivered * size


def _ltp_receiver(end: socket.socket, size: int) -> tuple[float, int]:
    engine, batch, accepted = _engine(2, 1), UdpBatch(end), 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        now = Instant(time.monotonic_ns(), 0)
        _serve(engine, end, batch, now)
        for event in engine.take_events():
            if isinstance(event, BlockReceived):
                accepted += len(event.block) == size
                engine.accept(event.session, now)
    return 0, accepted * size


def _engine(own: int, peer: int) -> LtpEngine:
    settings = LtpSettings(
        own, peer, segment_bytes=SEGMENT_BYTES, send_bytes_max=WINDOW_BYTES, margin_ms=50
    )
    engine = LtpEngine(settings, seed=time.monotonic_ns())
    now = Instant(time.monotonic_ns(), 0)
    engine.set_contact(True, rate_bytes_s=10**10, one_way_ns=0, now=now)
    return engine


def _serve(engine: LtpEngine, end: socket.socket, batch: UdpBatch, now: Instant) -> None:
    """One step of a loop: send, wait for whichever comes first, receive."""
    engine.expire(now)
    datagrams = engine.take_datagrams()
    if datagrams:
        with suppress(BlockingIOError, ConnectionRefusedError):
            batch.send(datagrams, end.getpeername())
    deadline_ns = engine.next_deadline_ns()
    wait_s = 0.05 if deadline_ns is None else min((deadline_ns - now.mono_ns) / NS, 0.05)
    with suppress(BlockingIOError, ConnectionRefusedError):
        if wait_s > 0:
            select.select([end], [], [], wait_s)
        for _ in range(64):
            for datagram in batch.receive():
                engine.receive(datagram, now)


def _take(end: socket.socket, wait_s: float) -> list[bytes]:
    found: list[bytes] = []
    try:
        while len(found) < 256:
            found.append(end.recv(65_536))
    except (BlockingIOError, ConnectionRefusedError):
        if not found and wait_s:
            select.select([end], [], [], wait_s)
    return found


def _socket() -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    end.bind(("127.0.0.1", 0))
    end.setblocking(False)
    return end


def real_goodput(size: int, loss: float, seconds: float) -> float:
    """Return goodput over the limit through real sockets and a relay that delays and loses."""
    channel = ChannelSettings(loss=loss)
    left, right = (LtpEngine(LtpSettings(*ids), seed=9) for ids in ((1, 2), (2, 1)))
    feed = link_simulated.Feed(size, left, right)
    ends = {"left": _socket(), "right": _socket()}
    middle = {"left": _socket(), "right": _socket()}
    for name, end in ends.items():
        end.connect(middle[name].getsockname())
        middle[name].connect(end.getsockname())
    channels = {"left": Channel(channel, 1), "right": Channel(channel, 2)}
    start = Instant(time.monotonic_ns(), 0)
    link_simulated.open_all(feed, channel, start)
    while (now := Instant(time.monotonic_ns(), 0)).mono_ns < start.mono_ns + seconds * NS:
        feed.turn(now)
        for engine, end in ((left, ends["left"]), (right, ends["right"])):
            engine.expire(now)
            for datagram in engine.take_datagrams():
                end.send(datagram)
            for datagram in _take(end, 0):
                engine.receive(datagram, now)
        for name, other in (("left", "right"), ("right", "left")):
            for datagram in _take(middle[name], 0):
                channels[name].send(datagram, now.mono_ns)
            for datagram in channels[name].take(now.mono_ns):
                middle[other].send(datagram)
        select.select(list(ends.values()) + list(middle.values()), [], [], 0.001)
    warm_up = link_simulated.len_of_pipe(size, channel)
    times = [ns for ns, _, _ in feed.arrivals[warm_up:]]
    found = (len(times) - 1) * size / (times[-1] - times[0]) * NS
    return found / (channel.rate_bytes_s * (1 - loss) * size / link_simulated.wire_bytes(size))
