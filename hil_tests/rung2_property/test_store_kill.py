"""kill -9 of a real process with a real store on a real disk."""

import subprocess
import sys
from pathlib import Path
from random import Random  # noqa: TID251 - seeded chance

from flight.relay.store import open_store
from flight.relay.store.values import Fetch, Fetched, Report
from hil_tests.child_store import content_of
from hil_tests.workload import small_settings

KILLS = 6


def test_what_was_durable_outlives_kill_9(tmp_path: Path) -> None:
    random = Random(1)
    durable: set[int] = set()
    for kill in range(KILLS):
        durable |= run_and_kill(tmp_path, first=kill * 1_000_000, lines=random.randrange(1, 60))
    store = open_store(small_settings(tmp_path, quota_bytes=64 << 20), inline=True)
    entries = store.load()
    for entry in entries:
        store.submit(Fetch(entry.sequence))
    results = store.take_done()
    store.close()
    assert not [result for result in results if isinstance(result, Report)]
    found = {entry.sequence: int(entry.identity) for entry in entries}
    read = {found[r.sequence]: r.data for r in results if isinstance(r, Fetched)}
    assert durable <= set(read)
    assert all(data == content_of(number) for number, data in read.items())


def run_and_kill(directory: Path, *, first: int, lines: int) -> set[int]:
    """Let a child store bundles, kill it after some lines, and return what it called durable."""
    command = [sys.executable, "-m", "hil_tests.child_store", str(directory), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said += child.stdout.readlines()
    return {int(line) for line in said if line.endswith("\n")}
