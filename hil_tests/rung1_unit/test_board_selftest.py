"""The self-test: what it finds on this machine, and what it says when something is wanting."""

import errno
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import copytree

import pytest

from flight.board import selftest as module
from flight.board.runtime import RuntimeModelError
from flight.board.selftest import Check, selftest
from flight.board.sensors.settings import SensorSettings
from flight.ports.settings import PortSettings
from flight.product.values import SensorKind

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_model"


def named(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_machine_can_fly(tmp_path: Path) -> None:
    checks = named(selftest(state=tmp_path, models=[TINY]))
    assert [check for check in checks.values() if not check.ok] == []
    assert checks["crc-32c"].detail == "check value 0xE3069283"
    assert re.search(r": a bundle is durable in \d+ us$", checks["store"].detail)
    assert checks["model tiny"].detail.endswith("known answers agree")
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_is_still_to_be_made_is_not_made_here(tmp_path: Path) -> None:
    checks = named(selftest(state=tmp_path / "not" / "yet"))
    assert checks["store"].ok
    assert list(tmp_path.iterdir()) == []


def test_each_model_that_cannot_fly_is_named(tmp_path: Path) -> None:
    damaged = Path(copytree(TINY, tmp_path / "damaged"))
    data = bytearray((damaged / "model.tflite").read_bytes())
    data[900] ^= 1
    (damaged / "model.tflite").write_bytes(data)
    absent = tmp_path / "absent"
    checks = named(selftest(state=tmp_path, models=[damaged, absent]))
    assert not checks["model absent"].ok
    assert "No such file" in checks["model absent"].detail
    assert not checks["model tiny"].ok
    assert "SHA-256" in checks["model tiny"].detail
    assert checks["model tiny"].remedy


def test_ports_that_do_not_open_are_named(tmp_path: Path) -> None:
    ports = [PortSettings(7, device="/dev/ttyNONE9"), PortSettings(8, "127.0.0.1:0", "127.0.0.1:9")]
    checks = named(selftest(state=tmp_path, ports=ports))
    assert checks["port /dev/ttyNONE9"] == Check(
        "port /dev/ttyNONE9",
        ok=False,
        detail="serial /dev/ttyNONE9: No such file or directory",
        remedy="plug it in, or name another device",
    )
    assert checks["port udp 127.0.0.1:0"].ok


def test_sensors_that_will_give_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sensors = [
        SensorSettings("a", SensorKind.CAMERA, folder=tmp_path / "absent"),
        SensorSettings("b", SensorKind.CAMERA, folder=tmp_path / "empty"),
        SensorSettings("c", SensorKind.CAMERA, command=("no-such-program",)),
        SensorSettings("d", SensorKind.CAMERA, command=(sys.executable,)),
    ]
    checks = named(selftest(state=tmp_path, sensors=sensors))
    assert [checks[f"sensor {name}"].ok for name in "abcd"] == [False, True, False, True]
    assert checks["sensor a"].detail == f"{tmp_path}/absent: No such file or directory"
    assert checks["sensor b"].remedy == "put .pgm or .png or .npy files there"
    assert checks["sensor c"].detail == "no-such-program: no such program"


def test_a_disk_too_small_says_so(tmp_path: Path) -> None:
    assert not named(selftest(state=tmp_path, need_bytes=1 << 60))["disk"].ok


def test_a_missing_runtime_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> str:
        raise RuntimeModelError("no TFLite runtime; pip install one")

    monkeypatch.setattr(module, "runtime_name", absent)
    check = named(selftest(state=tmp_path))["runtime"]
    assert (check.ok, check.remedy) == (False, "no TFLite runtime; pip install one")


def test_the_old_runtime_beside_numpy_2_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "runtime_name", lambda: "tflite-runtime 2.14.0")
    monkeypatch.setattr(module.np, "__version__", "2.1.0")
    check = named(selftest(state=tmp_path))["runtime"]
    assert (check.ok, check.remedy) == (False, 'pip install "numpy<2"')


def test_a_store_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "disk I/O error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    check = named(selftest(state=tmp_path))["store"]
    assert (check.ok, check.remedy) == (
        False,
        "give a folder that can be written, on a local disk",
    )
