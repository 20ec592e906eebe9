"""The durable store beside the least that durability costs: append and fdatasync.

Raw and store take turns, commit by commit, on the same file system, so that both meet the same
neighbours; the ratio is of the medians. Both are in their steady state: the raw file grows, as an
appended file does; the store has made the log files that it needs. The process keeps to one
processor, as a node does.
"""

import argparse
import os
import select
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flight.ports.processor import one_processor
from flight.relay.settings import StoreSettings
from flight.relay.store import Store, open_store
from flight.relay.store.values import Delete, Deleted, Put, Reason, Result, Stored

CASES = {
    "1kB": (1_024, 1, 400),
    "1kB_batched": (1_024, 32, 150),
    "64kB": (65_536, 1, 200),
    "64kB_batched": (65_536, 32, 30),
}
"""(bytes of a bundle, bundles a commit, commits)."""


@dataclass
class Bench:
    """One store and one raw file, side by side."""

    store: Store
    raw: int
    poll: select.poll
    names: int = 0
    held: list[int] = field(default_factory=list)

    def append(self, data: bytes, count: int) -> float:
        """Return the seconds of ``count`` appends and one fdatasync."""
        start = time.perf_counter()
        for _ in range(count):
            os.write(self.raw, data)
        os.fdatasync(self.raw)
        return time.perf_counter() - start

    def put(self, data: bytes, count: int) -> float:
        """Return the seconds from the first submit until the last bundle is ours."""
        start = time.perf_counter()
        for _ in range(count):
            self.names += 1
            name = self.names.to_bytes(24, "big")
            self.store.submit(Put(data, name, b"destination", 1, 0, 86_400_000, False, self.names))
        results = self.wait(count)
        seconds = time.perf_counter() - start
        self.held += [result.entry.sequence for result in results if isinstance(result, Stored)]
        return seconds

    def clear(self) -> None:
        """Let go of everything, unmeasured, as if it had been sent."""
        self.store.submit(Delete(tuple(self.held), Reason.DONE))
        assert isinstance(self.wait(1)[0], Deleted)
        self.held.clear()

    def wait(self, count: int) -> list[Result]:
        """Return that many results once they are there."""
        results: list[Result] = []
        while len(results) < count:
            self.poll.poll()
            results.extend(self.store.take_done())
        return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where to measure, and how long."""
    parser.add_argument("--directory", type=Path, help="on the medium to be measured")
    parser.add_argument("--rounds", type=float, default=1.0, help="scale of the commit counts")
    parser.add_argument("--details", action="store_true", help="the medians behind the ratios")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return ratios and write amplification."""
    figures: dict[str, Any] = {"ratio": {}, "write_amplification": {}}
    medians: dict[str, Any] = {}
    with one_processor(), tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        for case, (size, count, commits) in CASES.items():
            rounds = max(5, round(commits * arguments.rounds))
            print(f"{case}: {rounds} commits", file=sys.stderr, flush=True)
            raw, store, written = measure(Path(name) / case, size, count, rounds)
            figures["ratio"][case] = raw / store
            figures["write_amplification"][case] = written
            medians[case] = {"raw": raw * 1e6, "store": store * 1e6}
    return figures | ({"median_us": medians} if arguments.details else {})


def measure(directory: Path, size: int, count: int, commits: int) -> tuple[float, float, float]:
    """Return median seconds raw and stored, and bytes written for each byte of payload."""
    directory.mkdir()
    store = open_store(StoreSettings(directory / "store", quota_bytes=512 << 20))
    raw = os.open(directory / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    poll = select.poll()
    poll.register(store.fileno(), select.POLLIN)
    bench = Bench(store, raw, poll)
    data = os.urandom(size)
    first_lap(bench, data, count)
    times: list[tuple[float, float]] = []
    written = 0
    for number in range(commits):
        plain = bench.append(data, count)
        before = _bytes_written()
        times.append((plain, bench.put(data, count)))
        if number % 16 == 15:
            bench.clear()
        written += _bytes_written() - before
    store.close()
    os.close(raw)
    plain_s = statistics.median(plain for plain, _ in times)
    stored_s = statistics.median(stored for _, stored in times)
    return plain_s, stored_s, written / (size * count * commits)


def first_lap(bench: Bench, data: bytes, count: int) -> None:
    """Write as much as a later round holds at once, so that every file has its size."""
    for _ in range(16):
        bench.put(data, count)
    bench.clear()


def _bytes_written() -> int:
    """Return what this process has handed to write calls so far, the writer thread included."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel does not count bytes written")
