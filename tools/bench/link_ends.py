"""Two processes with a socket each, and what one run of them came to."""

import gc
import multiprocessing
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from flight.ports.udp import UdpPort
from flight.run import YOUNG_OBJECTS

SECONDS = 3.0
SEGMENT_BYTES = 1400
WINDOW_BYTES = 1 << 20
"""Under way at most: what the receiving socket surely holds. LTP has no flow control but this."""

BURST_SEGMENTS = 256
"""Handed out in one turn: a line as fast as this one would wait for the loop otherwise."""


class Role(Protocol):
    """What one end does."""

    def __call__(self, port: UdpPort, size: int, until: float) -> int:
        """Send or receive bundles of a size until a monotonic time; return the payload bytes."""
        ...


@dataclass(frozen=True)
class Figures:
    """One run."""

    bytes_s: float
    """Payload that arrived."""
    sender_ms_per_mb: float
    receiver_ms_per_mb: float


def run_pair(sender: Role, receiver: Role, size: int) -> Figures:
    """Run both roles, each in a process of its own, and return what arrived at what cost."""
    first, second = free_addresses()
    context = multiprocessing.get_context("fork")
    until = time.monotonic() + SECONDS + 0.5
    processes, pipes = [], []
    for role, bind, remote in ((receiver, second, first), (sender, first, second)):
        ours, theirs = context.Pipe()
        arguments = (role, bind, remote, size, until, theirs)
        process = context.Process(target=_end, args=arguments)
        process.start()
        processes.append(process)
        pipes.append(ours)
    (receiver_s, arrived), (sender_s, _) = (pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    megabytes = max(arrived, 1) / 1e6
    return Figures(arrived / SECONDS, sender_s * 1e3 / megabytes, receiver_s * 1e3 / megabytes)


def _end(role: Role, bind: str, remote: str, size: int, until: float, pipe: Connection) -> None:
    port = UdpPort(bind, remote)
    gc.collect()  # as the process that flies does
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    time.sleep(max(0.0, until - SECONDS - time.monotonic()))  # both begin at once
    before = time.process_time()
    counted = role(port, size, until)
    pipe.send((time.process_time() - before, counted))
    port.close()


def free_addresses() -> tuple[str, str]:
    """Return two addresses on loopback that nobody listens on."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        for end in (one, two):
            end.bind(("127.0.0.1", 0))
        first, second = one.getsockname()[1], two.getsockname()[1]
    return f"127.0.0.1:{first}", f"127.0.0.1:{second}"
