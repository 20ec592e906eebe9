"""`ground ping` and `ground trace` against a real relay process, with a station and without."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ground.__main__ import main

STATION, RELAY = 30, 20


def free_ports(count: int) -> list[int]:
    taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    numbers = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return numbers


@pytest.fixture
def station(tmp_path: Path):
    """Run a relay beside a station's configuration; yield the latter."""
    here, there = free_ports(2)
    (tmp_path / "plan.txt").write_text(
        f"a contact +0 +3600 {STATION} {RELAY} 1000000\n"
        f"a contact +0 +3600 {RELAY} {STATION} 1000000\n"
    )
    for node, peer, bind, remote in (
        (STATION, RELAY, here, there),
        (RELAY, STATION, there, here),
    ):
        (tmp_path / f"{node}.toml").write_text(
            'contact_plan = "plan.txt"\n'
            + ('archive = "archive"\n' if node == STATION else "")
            + f"[node]\nnode_number = {node}\n[[node.links]]\npeer_node = {peer}\n"
            f'[[ports]]\npeer_node = {peer}\nbind = "127.0.0.1:{bind}"\n'
            f'remote = "127.0.0.1:{remote}"\n[store]\ndirectory = "{node}"\n'
        )
    command = [sys.executable, "-m", "flight", "run", str(tmp_path / f"{RELAY}.toml")]
    with subprocess.Popen(command) as relay, ended(relay):
        yield tmp_path / f"{STATION}.toml"


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a process when the block is left, however it is left."""
    try:
        yield
    finally:
        process.terminate()


def test_ping_and_trace_reach_a_relay(station: Path, capsys) -> None:
    place = ["--station", str(station), "--json"]
    # No station is running: one is run for the command.
    echo = f"ipn:{RELAY}.2047"
    pinged = main(["ping", echo, "-c", "3", "-i", "0.05", "-s", "900", "-t", "20", *place])
    out = json.loads(capsys.readouterr().out)
    assert pinged == 0
    assert out["answered"] == out["sent"] == 3
    assert all(0 < ms < 20_000 for ms in out["round_trips_ms"].values())

    running = [sys.executable, "-m", "ground", "receive", str(station)]
    with subprocess.Popen(running, stdout=subprocess.PIPE) as receiver, ended(receiver):
        assert receiver.stdout is not None
        receiver.stdout.readline()
        assert main(["trace", echo, "-t", "20", *place]) == 0
        probe = json.loads(capsys.readouterr().out)
        hops = [(hop["node"], hop["what"]) for hop in probe["hops"]]
        assert (f"ipn:{RELAY}.0", "received") in hops
        assert (f"ipn:{RELAY}.0", "delivered") in hops
        assert (f"ipn:{STATION}.0", "forwarded") in hops
        assert main(["trace", f"ipn:{RELAY}.99", "-t", "20", *place]) == 1
        refused = json.loads(capsys.readouterr().out)
        assert (f"ipn:{RELAY}.0", "deleted") in [(h["node"], h["what"]) for h in refused["hops"]]
    # The archive has kept what the nodes said.
    assert main(["trace", probe["bundle"], *place]) == 0
    known = json.loads(capsys.readouterr().out)
    assert sorted((hop["node"], hop["what"]) for hop in known["hops"]) == sorted(hops)


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["ping", "relay"], "ipn:NODE.SERVICE"),
        (["ping", "ipn:20.2047", "-s", "3"], "--size"),
        (["ping", "dtn:none"], "nobody"),
        (["trace", "ipn:20.2047", "-t", "0"], "--timeout"),
        (["trace", "ipn:20.2047"], "none.toml"),
    ],
)
def test_what_cannot_be_asked_is_named(words, say: str, capsys, tmp_path: Path) -> None:
    assert main([*words, "--station", str(tmp_path / "none.toml")]) == 2
    assert say in capsys.readouterr().err
