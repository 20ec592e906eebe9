import json
import socket
import threading
from pathlib import Path

import pytest

from flight.ports import localsocket
from flight.ports.localsocket import LocalServer, call


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection


@pytest.fixture
def server(tmp_path: Path):
    made = LocalServer(tmp_path / "socket")
    yield made
    made.close()
    assert not (tmp_path / "socket").exists()


def test_only_the_same_user_may_open_it(server: LocalServer):
    assert server.path.stat().st_mode & 0o777 == 0o600


def test_requests_come_whole_however_they_are_cut(server: LocalServer):
    with connect(server.path) as client:
        client.sendall(b'{"do": "a"}\n{"do"')
        server.accept()
        (one,) = server.clients.values()
        assert one.read() == [{"do": "a"}]
        client.sendall(b': "b"}\n')
        assert one.read() == [{"do": "b"}]


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b"[" * 5000, b"\xff\xfe"])
def test_a_line_that_is_no_object_is_answered_with_an_error(server: LocalServer, line: bytes):
    with connect(server.path) as client:
        client.sendall(line + b"\n")
        server.accept()
        (one,) = server.clients.values()
        assert one.read() == []
        server.sweep()
        assert "error" in json.loads(client.recv(4096))


def test_a_line_without_end_and_a_client_that_never_reads_are_cut_off(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(localsocket, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(localsocket, "MAX_UNSENT_BYTES", 1000)
    with connect(server.path) as endless, connect(server.path) as deaf:
        endless.sendall(b"x" * 2000)
        server.accept()
        first, second = server.clients.values()
        assert first.read() == []
        second.answer({"words": "y" * 2000})
        assert sorted(server.sweep()) == [first.number, second.number]
        assert deaf.recv(1) in (b"", b"{")


def test_too_many_clients_are_turned_away(server: LocalServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(localsocket, "MAX_CLIENTS", 1)
    with connect(server.path), connect(server.path) as second:
        server.accept()
        assert len(server.clients) == 1
        assert second.recv(1) == b""


def test_a_command_gets_its_answer(server: LocalServer):
    found: list[object] = []
    asker = threading.Thread(target=lambda: found.append(call(server.path, {"do": "status"})))
    asker.start()
    requests: list[object] = []
    while not requests:
        server.accept()
        for client in server.clients.values():
            requests += client.read()
            if requests:
                client.answer({"status": 7})
        server.sweep()
    asker.join()
    assert found == [{"status": 7}]


def test_nobody_there_is_an_os_error(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        call(tmp_path / "none", {})
