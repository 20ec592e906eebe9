"""Lander, relay and ground as three real processes on one machine, for the demo and the tests."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flight.relay.contactfile import write_toml_plan
from flight.relay.contacts import Contact, ContactPlan, Range

LANDER, RELAY, GROUND = 10, 20, 30
POLL_S = 0.2
_SERVICES = "services = [64, 65, 66, 67, 70]\n"
"""Those of the priorities, and one for a process of the test's own."""


@dataclass(frozen=True)
class Window:
    """One contact of a pair of nodes, in seconds from the plan's start."""

    start_s: int
    end_s: int


@dataclass(frozen=True)
class Sky:
    """What lies between the nodes: windows, rates, light times, loss."""

    lander_relay: Sequence[Window]
    relay_ground: Sequence[Window]
    lander_bytes_s: int = 125_000
    relay_bytes_s: int = 250_000
    return_bytes_s: int = 12_500
    near_ms: int = 60
    """Light time lander to relay."""
    far_ms: int = 400
    """Light time relay to ground."""
    loss_permille: int = 10
    seed: int = 6


@dataclass(frozen=True)
class Source:
    """One sensor of the lander, as lines of its [[sensors]] table."""

    name: str
    kind: str
    lines: Sequence[str] = field(default_factory=tuple)


class TrioError(RuntimeError):
    """A process ended, or did not come to where it should; the message says which."""


class Trio:
    """Writes the three configurations, starts, kills and watches the processes."""

    def __init__(
        self,
        folder: Path,
        sky: Sky,
        sources: Sequence[Source],
        *,
        epoch_ms: int,
        lander_lines: str = "",
        serial: tuple[str, str] | None = None,
    ) -> None:
        """Write everything into ``folder``; ``epoch_ms`` is the plan's start in DTN time.

        ``serial`` names the two ends of a serial line that lander and relay use instead of UDP.
        """
        self.folder = folder
        self.archive = folder / "archive"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.toml").write_text(_plan(sky, epoch_ms))
        udp = _free_addresses(4)
        near = [
            f'bind = "{udp[0]}"\nremote = "{udp[1]}"',
            f'bind = "{udp[1]}"\nremote = "{udp[0]}"',
        ]
        if serial is not None:
            near = [f'device = "{device}"\nbaud = 921600' for device in serial]
        channel = "channel = {{ one_way_ms = {}, loss_permille = {}, seed = {} }}"
        ltp = "[node.links.ltp]\nsegment_bytes = 1024\n" if serial is not None else ""
        (folder / "lander.toml").write_text(
            _node(LANDER, [(RELAY, near[0], "", ltp)])
            + f'[store]\ndirectory = "lander/store"\n{_payload()}{lander_lines}'
            + "".join(_sensor(source) for source in sources)
        )
        near_channel = channel.format(sky.near_ms, sky.loss_permille, sky.seed)
        far_channel = channel.format(sky.far_ms, sky.loss_permille, sky.seed + 1)
        far = f'bind = "{udp[2]}"\nremote = "{udp[3]}"'
        (folder / "relay.toml").write_text(
            _node(RELAY, [(LANDER, near[1], near_channel, ltp), (GROUND, far, far_channel, "")])
            + '[store]\ndirectory = "relay/store"\n'
        )
        back = f'bind = "{udp[3]}"\nremote = "{udp[2]}"'
        (folder / "ground.toml").write_text(
            'archive = "archive"\n'
            + _node(GROUND, [(RELAY, back, "", "")])
            + '[store]\ndirectory = "ground/store"\n'
        )

    def start(self, name: str) -> None:
        """Start lander, relay or ground; what they say goes to NAME.log."""
        # What an earlier life said of itself must not be taken for this one's.
        (self.folder / name / "store" / "status.json").unlink(missing_ok=True)
        command = ["-m", "ground", "receive"] if name == "ground" else ["-m", "flight", "run"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *command, str(self.folder / f"{name}.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[1],
            )

    def kill(self, name: str) -> None:
        """Kill a process as power loss would: without a word."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> dict[str, int]:
        """Ask all to stop; return their exit codes."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(20) for name, process in self._running.items()}
        self._running.clear()
        return codes

    def kill_all(self) -> None:
        """Leave nothing running, whatever happened."""
        for name in list(self._running):
            self.kill(name)

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until a condition holds, looking again every POLL_S or when a process ends.

        Raises:
            TrioError: a process ended by itself, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            words = self.died()
            if words:
                raise TrioError(words)
            if time.monotonic() > deadline:
                raise TrioError(f"not there after {timeout_s:.0f} s; see the logs in {self.folder}")
            ends = [os.pidfd_open(process.pid) for process in self._running.values()]
            select.select(ends, [], [], POLL_S)
            for end in ends:
                os.close(end)

    def died(self) -> str:
        """Return the name and last words of a process that ended by itself, or nothing."""
        for name, process in self._running.items():
            if process.poll() is not None:
                words = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                return f"{name} ended with {process.returncode}:\n{words}"
        return ""

    def status(self, name: str) -> dict[str, Any]:
        """Return lander's or relay's status file; empty while there is none."""
        try:
            return dict(json.loads((self.folder / name / "store" / "status.json").read_bytes()))
        except (OSError, ValueError):
            return {}

    def is_drained(self) -> bool:
        """Whether the lander has finished and nothing waits on lander or relay."""
        lander, relay = self.status("lander"), self.status("relay")
        if not lander or not relay or not lander["craft"]["idle"]:
            return False
        nodes = (lander["node"], relay["node"])
        return all(sum(node["queued"]) + node["sending"] == 0 for node in nodes)


def _node(number: int, links: Sequence[tuple[int, str, str, str]]) -> str:
    """Return a node with (peer, wire, channel, LTP lines) a link."""
    text = f'contact_plan = "plan.toml"\n[node]\nnode_number = {number}\n{_SERVICES}'
    for peer, _, _, ltp in links:
        text += f"[[node.links]]\npeer_node = {peer}\n{ltp}"
    for peer, wire, channel, _ in links:
        text += f"[[ports]]\npeer_node = {peer}\n{wire}\n{channel}\n"
    return text


def _payload() -> str:
    return (
        f'[payload]\nstate = "lander/board"\ndestination_node = {GROUND}\n'
        "health_interval_s = 15\nevents_interval_s = 1\n"
    )


def _sensor(source: Source) -> str:
    lines = "\n".join(source.lines)
    return f'[[sensors]]\nname = "{source.name}"\nkind = "{source.kind}"\n{lines}\n'


def _plan(sky: Sky, epoch_ms: int) -> str:
    contacts, ranges = [], []
    pairs = (
        (LANDER, RELAY, sky.lander_relay, sky.lander_bytes_s, sky.near_ms),
        (RELAY, GROUND, sky.relay_ground, sky.relay_bytes_s, sky.far_ms),
    )
    for near, far, windows, rate, light_ms in pairs:
        for window in windows:
            start, end = epoch_ms + window.start_s * 1000, epoch_ms + window.end_s * 1000
            contacts.append(Contact(near, far, start, end, rate))
            contacts.append(Contact(far, near, start, end, sky.return_bytes_s))
            ranges.append(Range(near, far, start, end, light_ms))
    return write_toml_plan(ContactPlan(tuple(contacts), tuple(ranges)))


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses
