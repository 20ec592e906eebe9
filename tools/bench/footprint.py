"""What the board's software weighs, and how soon it decides, with real processes.

A lander without a relay runs from its configuration until it has decided on a frame of each task,
so that every model has worked. Then /proc tells what each process holds. Memory in
KiB: ``resident`` counts shared pages in each process that has them, ``proportional`` divides them.
"""

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flight.autonomy.tasks import TASKS
from flight.board.health import resident_kib
from tools.bench.lander import write_lander
from tools.sim.__main__ import axis_of, frame

ROOT = Path(__file__).parents[2]
GIVE_UP_S = 120
LOOK_S = 0.005
STORE = "quota_bytes = 16777216\nreceived_quota_bytes = 1048576\n"
SENSOR = """[[sensors]]
name = "{kind}"
kind = "{kind}"
folder = "{kind}"
axis = {axis}
"""
KINDS = tuple(task.kind.name.lower() for task in TASKS.values())
"""A sensor for each task, so that every model is loaded and has worked."""
IMPORTS = {
    "python alone": "pass",
    "numpy": "import numpy",
    "control process": "import flight.run",
    "worker": "import flight.board.worker as worker; worker.runtime_name()",
    "sensors": "import flight.board.sensors.host",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name this bench's options."""
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many start-ups")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return memory, start-up and import figures."""
    starts = [_measure_start() for _ in range(arguments.rounds)]
    best = min(starts, key=lambda start: start["first_decision_s"])
    return {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        **best,
        "imports": {name: _import_cost(code, arguments.rounds) for name, code in IMPORTS.items()},
    }


def _measure_start() -> dict[str, Any]:
    """Run a lander until every model has answered; return when, and who holds what."""
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        folder = Path(name)
        _lay_out(folder)
        with _running(folder) as (process, started):
            first = _wait(folder, process, lambda: _decisions(folder) >= 1) - started
            _wait(folder, process, lambda: _decisions(folder) >= len(KINDS))
            _wait(folder, process, lambda: len(_with_runtime(process.pid)) == 2)
            control, workers = process.pid, _children(process.pid)
            inference = _with_runtime(control)
            hosts = [pid for pid in workers if _is_host(pid)]
            encoding = [pid for pid in workers if pid not in (*inference, *hosts)]
            memory = {
                "control": _weigh(control),
                "inference (serving, spare)": [_weigh(pid) for pid in inference],
                "encoding": [_weigh(pid) for pid in encoding],
                "sensors": [_weigh(pid) for pid in hosts],
            }
            total = sum(_weigh(pid)["proportional_kib"] for pid in (control, *workers))
    return {"first_decision_s": first, "memory": memory, "all_proportional_kib": total}


def _lay_out(folder: Path) -> None:
    sensors = []
    for kind in KINDS:
        (folder / kind).mkdir()
        np.save(folder / kind / "0.npy", frame(kind, 1, 0))
        sensors.append(SENSOR.format(kind=kind, axis=list(axis_of(kind))))
    write_lander(folder, store=STORE, rest="".join(sensors), rate_bytes_s=1_000)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flight", "run", str(folder / "lander.toml")],
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
    try:
        yield process, started
    finally:
        process.terminate()
        process.wait(GIVE_UP_S)


def _wait(folder: Path, process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> float:
    """Wait until a condition holds; return when it did."""
    end = os.pidfd_open(process.pid)
    try:
        give_up = time.monotonic() + GIVE_UP_S
        while not condition():
            if select.select([end], [], [], LOOK_S)[0] or time.monotonic() > give_up:
                words = (folder / "log").read_text(errors="replace")[-1000:]
                raise RuntimeError(f"the lander came to nothing: {words or _events(folder)}")
        return time.monotonic()
    finally:
        os.close(end)


def _decisions(folder: Path) -> int:
    """Return how many entries the journal file holds: kind 2, length, CRC, body."""
    try:
        data = (folder / "board" / "journal").read_bytes()
    except OSError:
        return 0
    place, entries = 0, 0
    while place + 9 <= len(data):
        entries += data[place] == 2
        place += 9 + int.from_bytes(data[place + 1 : place + 5], "big")
    return entries


def _events(folder: Path) -> str:
    try:
        status = json.loads((folder / "store" / "status.json").read_bytes())
    except (OSError, ValueError):
        return "no status"
    return "; ".join(str(event["words"]) for event in status["events"])


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())


def _is_host(pid: int) -> bool:
    """Return whether the sensors live in this process."""
    return b"flight.board.sensors.host" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _with_runtime(control: int) -> list[int]:
    """Return the workers that have the runtime's library mapped and have loaded their models."""
    return [pid for pid in _children(control) if _is_loaded(pid)]


def _is_loaded(pid: int) -> bool:
    maps = Path(f"/proc/{pid}/maps").read_text()
    has_runtime = "tflite_runtime" in maps or "ai_edge_litert" in maps
    # A worker that waits for a job sleeps in read(); one that starts up runs.
    return (
        has_runtime and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    )


def _weigh(pid: int) -> dict[str, int]:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    proportional = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return {"resident_kib": resident_kib(pid) or 0, "proportional_kib": proportional}


def _import_cost(code: str, rounds: int) -> dict[str, float]:
    """Return the least time and the least processor time of a Python process that runs ``code``."""

    def once() -> tuple[float, float]:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{code!r} failed")
        return time.perf_counter() - started, used.ru_utime + used.ru_stime

    walls, processors = zip(*(once() for _ in range(rounds)), strict=True)
    return {"wall_s": min(walls), "processor_s": min(processors)}
