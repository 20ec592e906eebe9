"""Two whole nodes on loopback, with their stores on the medium: bundles that survive a power cut.

Each bundle is made, committed, sent, received, committed, acknowledged, delivered and let go on
both sides: what a board and its relay do with it.
"""

import functools
import select
import tempfile
import time
from pathlib import Path

from flight.ports.processor import one_processor
from flight.ports.udp import UdpPort
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import SendRefused, Stored
from flight.relay.settings import StoreSettings
from flight.relay.store import open_store
from tools.bench.link_ends import BURST_SEGMENTS, SEGMENT_BYTES, WINDOW_BYTES, Role
from tools.bench.link_node import DAY_MS, End

SENDER, RECEIVER = 1, 2
BACKLOG_BYTES = 2 << 20
"""Bundles in the sending store: enough that the link never waits for them."""
ASKED = 128
"""Bundles whose commit the sender waits for at one time."""
RATE_BYTES_S = 10**10
LONGEST_WAIT_NS = 10**7


def durable(directory: Path | None, *, aggregate_bytes: int = 0) -> tuple[Role, Role]:
    """Return the two roles, their stores in temporary folders of a directory.

    With ``aggregate_bytes`` small bundles share LTP blocks, as ION's do.
    """
    ltp = LtpSettings(
        segment_bytes=SEGMENT_BYTES,
        send_bytes_max=WINDOW_BYTES,
        burst_segments=BURST_SEGMENTS,
        aggregate_bytes=aggregate_bytes,
        margin_ms=50,
    )
    return (
        functools.partial(send_bundles, directory=directory, ltp=ltp),
        functools.partial(receive_bundles, directory=directory, ltp=ltp),
    )


def send_bundles(
    port: UdpPort, size: int, until: float, *, directory: Path | None, ltp: LtpSettings
) -> int:
    """Keep bundles in the store, and let the node send them."""
    payload, sent, asked = bytes(size), 0, 0
    with one_processor(SENDER), tempfile.TemporaryDirectory(dir=directory) as name:
        end = _end(port, SENDER, RECEIVER, Path(name), ltp)
        while time.monotonic() < until:
            _wait(end)
            now = end.turn()
            for event in end.node.take_events():
                asked -= isinstance(event, Stored | SendRefused)
            while asked < ASKED and end.store.status().used_bytes < BACKLOG_BYTES:
                end.node.send(
                    payload, destination=ipn(RECEIVER, 65), priority=1, lifetime_ms=DAY_MS, now=now
                )
                asked += 1
                sent += 1
        end.store.close()
    return sent * size


def receive_bundles(
    port: UdpPort, size: int, until: float, *, directory: Path | None, ltp: LtpSettings
) -> int:
    """Count what is delivered, and let it go."""
    arrived = 0
    with one_processor(RECEIVER), tempfile.TemporaryDirectory(dir=directory) as name:
        end = _end(port, RECEIVER, SENDER, Path(name), ltp)
        while time.monotonic() < until:
            _wait(end)
            now = end.turn()
            end.node.take_events()
            for delivery in end.node.take_deliveries():
                arrived += len(delivery.payload) == size
                end.node.release(delivery, now)
        end.store.close()
    return arrived * size


def _end(port: UdpPort, own: int, peer: int, directory: Path, ltp: LtpSettings) -> End:
    store = open_store(StoreSettings(directory))
    return End(port, store, own, peer, ltp, rate_bytes_s=RATE_BYTES_S)


def _wait(end: End) -> None:
    """Sleep until a datagram, a commit or a deadline is there."""
    left_ns = min(max(end.deadline_ns - time.monotonic_ns(), 0), LONGEST_WAIT_NS)
    select.select([end.port.fileno() or -1, end.store.fileno()], [], [], left_ns / 1e9)
