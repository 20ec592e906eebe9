import os
import signal
import socket

import pytest

from ground.__main__ import main
from ground.archive import open_archive
from ground.station import Station

PLAN = "a contact +0 +3600 1 3 100000\na contact +0 +3600 3 1 100000\na range +0 +3600 1 3 0\n"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "plan.txt").write_text(PLAN)
    path = tmp_path / "station.toml"
    path.write_text(
        'contact_plan = "plan.txt"\narchive = "archive"\n'
        "[node]\nnode_number = 3\n[[node.links]]\npeer_node = 1\n"
        '[store]\ndirectory = "store"\n'
        f'[[ports]]\npeer_node = 1\nbind = "127.0.0.1:{free_port()}"\nremote = "127.0.0.1:9"\n'
    )
    return path


def test_receive_runs_for_a_while_and_leaves_an_archive(config, capsys):
    assert main(["receive", str(config), "--for", "0.05"]) == 0
    out = capsys.readouterr().out
    assert "node 3 hears 127.0.0.1:" in out
    assert "contact with node 1 opened" in out
    assert "0 of 0 products complete" in out
    with open_archive(config.parent / "archive") as archive:
        assert archive.products() == ()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_receive_stops_cleanly_on_a_signal_and_gives_the_handler_back(
    config, capsys, monkeypatch, number
):
    turn, before = Station.turn, signal.getsignal(number)

    def turn_and_be_told(station):
        os.kill(os.getpid(), number)
        return turn(station)

    monkeypatch.setattr(Station, "turn", turn_and_be_told)
    assert main(["receive", str(config)]) == 0
    assert "stopped: 0 payloads archived" in capsys.readouterr().out
    assert signal.getsignal(number) is before


def test_a_terminal_gets_one_live_line(config, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["receive", str(config), "--for", "0.05"]) == 0
    assert "\r\x1b[K" in capsys.readouterr().out


def test_a_port_in_use_is_named_with_the_remedy(config, capsys):
    line = next(line for line in config.read_text().splitlines() if line.startswith("bind"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", int(line.split(":")[1].strip('"'))))
        assert main(["receive", str(config)]) == 2
    error = capsys.readouterr().err
    assert "in use" in error
    assert "choose another address" in error


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "no.such.host.invalid:4556"])
def test_an_address_that_is_none_is_named(config, capsys, address):
    text = config.read_text().replace('"127.0.0.1:9"', f'"{address}"')
    config.write_text(text)
    assert main(["receive", str(config)]) == 2
    assert address in capsys.readouterr().err


def test_ports_and_links_must_lead_to_the_same_nodes(config, capsys):
    config.write_text(
        config.read_text().replace("[[ports]]\npeer_node = 1", "[[ports]]\npeer_node = 2")
    )
    assert main(["receive", str(config)]) == 2
    assert "[[ports]] lead to nodes [2]" in capsys.readouterr().err
