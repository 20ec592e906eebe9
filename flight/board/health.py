"""The board's own condition, in whole numbers; what a board cannot tell is None."""

import os
from dataclasses import dataclass, fields
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class BoardHealth:
    """One look at the machine."""

    cpu_temperature_mc: int | None
    """Millidegrees Celsius, the hottest thermal zone."""
    load_permille: int | None
    """Processes that run or wait, averaged over one minute, in 1/1000."""
    resident_kib: int | None
    """Memory of this process."""
    memory_free_kib: int | None
    """Memory that programs could still get."""
    disk_free_kib: int | None
    """Room for us on the file system of the state folder."""
    uptime_s: int | None

    def named(self) -> tuple[tuple[str, int], ...]:
        """Return (name, value) pairs as the HEALTH record holds them; -1: not measured."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return tuple((name, -1 if value is None else value) for name, value in values)


def read_health(state_folder: Path, root: Path = Path("/")) -> BoardHealth:
    """Return the board's condition now; ``root`` is where /proc and /sys stand."""
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*/temp"))
    temperatures = [value for zone in zones if (value := _number(zone)) is not None]
    pages = _number(root / "proc/self/statm", word=1)
    load = _number(root / "proc/loadavg", scale=1000)
    return BoardHealth(
        cpu_temperature_mc=max(temperatures, default=None),
        load_permille=load,
        resident_kib=None if pages is None else pages * PAGE_BYTES // 1024,
        memory_free_kib=_memory_free_kib(root / "proc/meminfo"),
        disk_free_kib=_disk_free_kib(state_folder),
        uptime_s=_number(root / "proc/uptime"),
    )


def resident_kib(pid: int, root: Path = Path("/")) -> int | None:
    """Return the resident memory of any process."""
    pages = _number(root / f"proc/{pid}/statm", word=1)
    return None if pages is None else pages * PAGE_BYTES // 1024


def _number(path: Path, *, word: int = 0, scale: int = 1) -> int | None:
    try:
        return int(float(path.read_text().split()[word]) * scale)
    except (OSError, ValueError, IndexError):
        return None


def _memory_free_kib(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return None


def _disk_free_kib(folder: Path) -> int | None:
    try:
        system = os.statvfs(folder)
    except OSError:
        return None
    return system.f_bavail * system.f_frsize // 1024
