"""A relay and a ground station as real processes, over TCPCLv4 with TLS, killed in between."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from ground.archive import open_archive
from hil_tests.certificates import make_authority

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
COUNT = 60


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def config(node: int, peer: int, place: str, tls) -> str:
    return (
        'contact_plan = "plan.txt"\n'
        f"[node]\nnode_number = {node}\n[[node.links]]\npeer_node = {peer}\n"
        'layer = "tcpcl4"\n[node.links.tcp]\ntls = "required"\n'
        f"[[ports]]\npeer_node = {peer}\n{place}\n"
        f'[ports.tls]\ncertificate = "{tls.certificate}"\nkey = "{tls.key}"\n'
        f'authorities = "{tls.authorities}"\n'
        f'[store]\ndirectory = "{node}/store"\n'
    )


class Processes:
    """The two, by name; what they say goes to NAME.log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *command, str(self.folder / f"{name}.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    def end(self, name: str, number: signal.Signals) -> int:
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def until(self, condition) -> None:
        """Wait for a condition, looking again whenever a file may have changed."""
        end_s = time.monotonic() + PATIENCE_S  # noqa: TID251 - real processes, real time
        while not condition():
            assert time.monotonic() < end_s, "waited in vain"  # noqa: TID251
            for name, process in self.running.items():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    pytest.fail(f"{name} ended: " + (self.folder / f"{name}.log").read_text())


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    for name in list(processes.running):
        processes.end(name, signal.SIGKILL)


def hand_over(store: Path, count: int) -> None:
    """Give a running node bundles through its local socket; return when all are durable."""
    with socket.socket(socket.AF_UNIX) as node:
        node.connect(str(store / "socket"))
        lines = node.makefile("rw")
        for number in range(count):
            payload = b64encode(bytes([number]) * 2000).decode()
            request = {"do": "send", "to": "ipn:30.66", "payload": payload}
            print(json.dumps(request), file=lines, flush=True)
            assert "stored" in lines.readline()


def archived(folder: Path) -> int:
    if not (folder / "archive").is_dir():
        return 0
    with open_archive(folder / "archive") as archive:
        return len(archive.catalogue.refusals())


def test_nothing_is_lost_or_doubled_over_tls_when_the_station_is_killed(
    processes: Processes, tmp_path: Path
):
    authority = make_authority(tmp_path)
    place = free_address()
    (tmp_path / "plan.txt").write_text(
        "a contact +0 +3600 20 30 40000\na contact +0 +3600 30 20 40000\na range +0 +3600 20 30 0\n"
    )
    relay = config(20, 30, f'call = "{place}"', authority.vouch("relay"))
    (tmp_path / "relay.toml").write_text(relay)
    station = config(30, 20, f'listen = "{place}"', authority.vouch("station"))
    (tmp_path / "station.toml").write_text('archive = "archive"\n' + station)
    processes.start("station", "ground", "receive")
    processes.start("relay", "flight", "run")
    store = tmp_path / "20" / "store"
    processes.until((store / "socket").exists)
    hand_over(store, COUNT)
    processes.until(lambda: archived(tmp_path) >= 10)
    processes.end("station", signal.SIGKILL)
    assert archived(tmp_path) < COUNT
    processes.start("station", "ground", "receive")
    processes.until(lambda: archived(tmp_path) >= COUNT)
    assert processes.end("relay", signal.SIGTERM) == 0
    assert processes.end("station", signal.SIGTERM) == 0
    # Payloads that are no products are archived as such, each once.
    assert archived(tmp_path) == COUNT
