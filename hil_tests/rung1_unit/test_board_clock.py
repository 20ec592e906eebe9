"""The board's clocks, its health and its service manager."""

import os
import socket
from pathlib import Path

from flight.board.clock import DTN_EPOCH_UNIX_MS, BoardClock, dtn_ms
from flight.board.health import read_health, resident_kib
from flight.board.notify import notify


def test_dtn_time_counts_milliseconds_from_the_year_2000() -> None:
    assert dtn_ms(DTN_EPOCH_UNIX_MS + 800_000_000_000) == 800_000_000_000


def test_a_clock_before_2024_was_never_set() -> None:
    assert dtn_ms(0) == 0
    assert dtn_ms(1_704_067_199_999) == 0
    assert dtn_ms(1_704_067_200_000) == 757_382_400_000


def test_the_clock_never_steps_back() -> None:
    clock = BoardClock()
    readings = [clock.now().mono_ns for _ in range(100)]
    assert readings == sorted(readings)


def test_health_reads_what_the_board_tells(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/statm").write_text("5000 1000 300 1 0 400 0\n")
    (tmp_path / "proc/loadavg").write_text("0.25 0.10 0.05 1/100 4242\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 99 kB\nMemAvailable:   512000 kB\n")
    (tmp_path / "proc/uptime").write_text("77.31 12.00\n")
    for zone, temperature in (("thermal_zone0", "41250\n"), ("thermal_zone1", "48900\n")):
        (tmp_path / "sys/class/thermal" / zone).mkdir(parents=True)
        (tmp_path / "sys/class/thermal" / zone / "temp").write_text(temperature)
    health = read_health(tmp_path, root=tmp_path)
    assert health.cpu_temperature_mc == 48900
    assert health.load_permille == 250
    assert health.resident_kib == 1000 * os.sysconf("SC_PAGE_SIZE") // 1024
    assert health.memory_free_kib == 512000
    assert health.uptime_s == 77
    assert health.disk_free_kib is not None


def test_what_a_board_cannot_tell_is_missing_and_not_zero(tmp_path: Path) -> None:
    health = read_health(tmp_path / "absent", root=tmp_path)
    assert set(health.named()) == {
        (name, -1)
        for name in (
            "cpu_temperature_mc",
            "load_permille",
            "resident_kib",
            "memory_free_kib",
            "disk_free_kib",
            "uptime_s",
        )
    }


def test_the_resident_memory_of_a_process_that_has_gone_is_missing() -> None:
    assert resident_kib(os.getpid()) is not None
    assert resident_kib(2**22 + 1) is None


def test_the_service_manager_hears_each_state(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        notify(address, "READY=1")
        assert manager.recv(100) == b"READY=1"


def test_a_missing_service_manager_stops_nothing(tmp_path: Path) -> None:
    notify(None, "READY=1")
    notify(str(tmp_path / "absent"), "WATCHDOG=1")
