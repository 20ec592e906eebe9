"""Kills sender, relay and receiver processes with SIGKILL at random points and counts losses.

    python -m tools.campaign.kills [--kills 1000] [--seed 0] [--json]

Three processes run at a time, each with the loop, the store on disk and the UDP ports of `flight
run` (hil_tests.child_node). One of them, drawn by the seed, is killed after a time drawn by the
seed and started again from its files, also in the middle of its own recovery. Then all run in
peace until the last acknowledged bundle is home. None may be missing, none may be handed out
after its release was durable. What is handed out again because the kill came before that is
counted: a consumer tells those by their bundle ids.
"""

import argparse
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # a campaign is seeded chance

from hil_tests.child_node import PEERS, RECEIVER, RELAY, SENDER, run_child
from hil_tests.workload import fast_directory

NAMES = {SENDER: "sender", RELAY: "relay", RECEIVER: "receiver"}
LONGEST_LIFE_S = 0.9
"""A process is killed before this time has passed since the last kill."""
PEACE_S = 180.0
"""By then everything must be home."""


@dataclass
class Process:
    """One living node."""

    pid: int
    pipe: int
    unread: bytearray = field(default_factory=bytearray)


@dataclass
class Tally:
    """What the processes said."""

    acknowledged: set[int] = field(default_factory=set)
    delivered: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    doubled: set[int] = field(default_factory=set)
    again: int = 0
    wrong: int = 0
    troubles: list[str] = field(default_factory=list)
    starts: int = 0

    def hear(self, line: str) -> None:
        """Take in one line; hil_tests.child_node says what each means."""
        what, _, words = line.partition(" ")
        if what == "S":
            self.starts += 1
        elif what == "B":
            self.troubles.append(words)
        elif what == "A":
            self.acknowledged.add(int(words))
        elif what == "F":
            self.released.add(int(words))
        elif what == "W":
            self.wrong += 1
        else:
            number = int(words)
            if number in self.released:
                self.doubled.add(number)
            self.again += number in self.delivered
            self.delivered.add(number)


class Campaign:
    """Three processes in one folder, and what they said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        pairs = [(node, peer) for node, peers in PEERS.items() for peer in peers]
        self._ports = dict(zip(pairs, _free_ports(len(pairs)), strict=True))
        self._processes: dict[int, Process] = {}
        self._next = 0
        self.tally = Tally()
        self.kills = dict.fromkeys(NAMES.values(), 0)

    def start(self, role: int, *, sends: bool = True) -> None:
        """Start a node's process from its files."""
        first = None
        if role == SENDER and sends:
            # What was sent and not acknowledged may be durable after all: no number comes twice.
            self._next += 1_000_000
            first = self._next
        ear, mouth = os.pipe()
        pid = os.fork()
        if not pid:
            _be(role, self._folder, self._ports, mouth, first)
        os.close(mouth)
        self._processes[role] = Process(pid, ear)

    def kill(self, role: int) -> None:
        """Kill a node's process, and hear what it said to the last."""
        process = self._processes.pop(role)
        os.kill(process.pid, signal.SIGKILL)
        _, status = os.waitpid(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            self.tally.troubles.append(f"{NAMES[role]} had ended by itself")
        while data := os.read(process.pipe, 1 << 16):
            self._take(process, data)
        os.close(process.pipe)

    def listen(self, seconds: float) -> None:
        """Hear the processes for a time."""
        until = time.perf_counter() + seconds
        by_pipe = {process.pipe: process for process in self._processes.values()}
        while (left := until - time.perf_counter()) > 0:
            ready, _, _ = select.select(list(by_pipe), [], [], left)
            for pipe in ready:
                data = os.read(pipe, 1 << 16)
                if not data:
                    del by_pipe[pipe]  # it died: kill() says so
                self._take(self._processes[_role(self._processes, pipe)], data)

    def run(self, kills: int, random: Random) -> None:
        """Kill, again and again, then let all come home."""
        for role in NAMES:
            self.start(role)
        self.listen(1.0)
        for number in range(kills):
            self.listen(random.uniform(0, LONGEST_LIFE_S))
            victim = random.choice(list(NAMES))
            self.kill(victim)
            self.kills[NAMES[victim]] += 1
            self.start(victim)
            if number % 50 == 49:
                self._progress(number + 1, kills)
        self.kill(SENDER)
        self.start(SENDER, sends=False)
        until = time.perf_counter() + PEACE_S
        while not self.tally.acknowledged <= self.tally.delivered and time.perf_counter() < until:
            self.listen(0.5)
        for role in NAMES:
            self.kill(role)

    def _take(self, process: Process, data: bytes) -> None:
        process.unread += data
        *lines, rest = bytes(process.unread).split(b"\n")
        process.unread = bytearray(rest)
        for line in lines:
            self.tally.hear(line.decode())

    def _progress(self, done: int, kills: int) -> None:
        tally = self.tally
        print(
            f"{done} of {kills} kills; {len(tally.acknowledged)} acknowledged,"
            f" {len(tally.delivered)} delivered, {len(tally.doubled)} twice",
            file=sys.stderr,
            flush=True,
        )


def campaign(kills: int, seed: int) -> dict[str, object]:
    """Return the totals, and what went wrong."""
    folder = Path(tempfile.mkdtemp(dir=fast_directory()))
    try:
        run = Campaign(folder)
        run.run(kills, Random(seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tally = run.tally
    return {
        "kills": sum(run.kills.values()),
        "killed": run.kills,
        "starts": tally.starts,
        "acknowledged": len(tally.acknowledged),
        "delivered": len(tally.delivered),
        "lost": len(tally.acknowledged - tally.delivered),
        "twice": len(tally.doubled),
        "damaged": tally.wrong,
        "again_before_release": tally.again,
        "troubles": tally.troubles[:20],
    }


def _be(
    role: int, folder: Path, ports: dict[tuple[int, int], int], pipe: int, first: int | None
) -> None:
    """Be a node in a forked process, and never return: imports are done, all else is its own."""
    try:
        run_child(role, folder, ports, pipe=pipe, first=first)
    except BaseException:  # noqa: BLE001 - whatever it is, the campaign must hear it
        os.write(pipe, f"B {NAMES[role]}: {traceback.format_exc()!r}\n".encode())
    finally:
        os._exit(70)


def _role(processes: dict[int, Process], pipe: int) -> int:
    return next(role for role, process in processes.items() if process.pipe == pipe)


def _free_ports(count: int) -> list[int]:
    taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    numbers = [int(one.getsockname()[1]) for one in taken]
    for one in taken:
        one.close()
    return numbers


def main() -> None:
    """Run the campaign and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    result = campaign(arguments.kills, arguments.seed)
    result["seconds"] = round(time.perf_counter() - start)
    print(json.dumps(result) if arguments.json else result)
    bad = result["lost"] or result["twice"] or result["damaged"] or result["troubles"]
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
