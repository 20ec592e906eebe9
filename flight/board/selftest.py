"""Can this machine fly? Each answer with what was found and what to do about it.

This is a command of its own, not the control process: it may wait, and it leaves nothing behind.
"""

import contextlib
import importlib.metadata
import os
import select
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgpack
import numpy as np

from flight.board.card import CardError, read_card
from flight.board.clock import BoardClock
from flight.board.health import read_health
from flight.board.jobs import ModelFile, WorkerSettings
from flight.board.runtime import RuntimeModelError, runtime_name
from flight.board.sensors.files import SUFFIXES
from flight.board.sensors.settings import SensorSettings
from flight.board.supervisor import Supervisor
from flight.instant import Instant
from flight.ports.port import PortError
from flight.ports.settings import PortSettings, open_port
from flight.product.events import Event
from flight.relay.crc import crc32c
from flight.relay.settings import StoreSettings
from flight.relay.store import open_store
from flight.relay.store.values import Fetch, Fetched, Put

LEAST_PYTHON, BELOW_PYTHON = (3, 10), (3, 14)
LEAST_MEMORY_KIB = 200 << 10
CRC32C_CHECK = 0xE3069283
"""CRC-32C of "123456789" (RFC 3720, appendix B.4 names the polynomial)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the self-test."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    remedy: str = ""
    """What to do; beside an ok it is advice."""


def selftest(
    *,
    state: Path,
    need_bytes: int = 0,
    models: Sequence[Path] = (),
    sensors: Sequence[SensorSettings] = (),
    ports: Sequence[PortSettings] = (),
    worker: WorkerSettings | None = None,
) -> Iterator[Check]:
    """Yield the answers, each as soon as it is known; models take a moment.

    ``state`` is where store and journal will lie, ``need_bytes`` what they may grow to.
    """
    yield _python()
    yield _runtime()
    yield _msgpack()
    yield _crc()
    yield from _models(models, worker or WorkerSettings())
    # A state folder that is still to be made lies on the disk of the nearest one that exists.
    folder = next(place for place in (state, *state.absolute().parents) if place.is_dir())
    yield _store(folder)
    yield _disk(folder, need_bytes)
    yield _memory(folder)
    yield _clock()
    for sensor in sensors:
        yield _sensor(sensor)
    for port in ports:
        yield _port(port)
    yield _real_time()


def _python() -> Check:
    found = sys.version_info[:2]
    name = f"{sys.implementation.name} {sys.version.split()[0]}"
    return Check(
        "python",
        LEAST_PYTHON <= found < BELOW_PYTHON,
        name,
        "" if LEAST_PYTHON <= found < BELOW_PYTHON else "use Python 3.10 to 3.13",
    )


def _runtime() -> Check:
    try:
        name = runtime_name()
    except RuntimeModelError as error:
        return Check("runtime", ok=False, detail="none", remedy=str(error))
    pair = f"{name}, numpy {np.__version__}"
    if name.startswith("tflite-runtime") and int(np.__version__.split(".")[0]) >= 2:
        # It imports, and fails when the first model is loaded.
        return Check("runtime", ok=False, detail=pair, remedy='pip install "numpy<2"')
    return Check("runtime", ok=True, detail=pair)


def _msgpack() -> Check:
    version = importlib.metadata.version("msgpack")
    record = [1, -(2**63), b"\x00", "text", [True]]
    ok = msgpack.unpackb(msgpack.packb(record)) == record
    return Check("msgpack", ok, version, "" if ok else "pip install --force-reinstall msgpack")


def _crc() -> Check:
    value = crc32c(b"123456789")
    ok = value == CRC32C_CHECK
    remedy = "" if ok else "pip install --force-reinstall google-crc32c"
    return Check("crc-32c", ok, f"check value 0x{value:08X}", remedy)


def _models(folders: Sequence[Path], settings: WorkerSettings) -> Iterator[Check]:
    """Load each model in a worker, as flight does: a damaged one may take its process down."""
    if not folders:
        yield Check("models", ok=True, detail="none named, so none was tried")
        return
    files: list[ModelFile] = []
    for folder in folders:
        try:
            card = read_card(folder)
            files.append(ModelFile(card.name, folder, card.digest))
        except CardError as error:
            yield Check(
                f"model {folder.name}", ok=False, detail=str(error), remedy="install it again"
            )
    if not files:
        return
    said = _load(tuple(files), replace(settings, hot_spare=False))
    for file in files:
        why = said.get(file.name)
        detail = f"SHA-256 {file.digest.hex()[:16]}…, known answers agree" if why == "" else why
        remedy = "" if why == "" else "install the model and its card again"
        yield Check(f"model {file.name}", why == "", detail or "no word from its worker", remedy)


def _load(files: tuple[ModelFile, ...], settings: WorkerSettings) -> dict[str, str]:
    """Return what a worker says of each model: "" or why not."""
    clock = BoardClock()
    now = clock.now()
    give_up_ns = now.mono_ns + round(settings.start_timeout_s * 1e9)
    said: dict[str, str] = {}
    with contextlib.closing(Supervisor(settings, files, now)) as supervisor:
        while now.mono_ns < give_up_ns:
            supervisor.expire(now)
            supervisor.take_answers(now)
            for happening in supervisor.take_events():
                what = dict(zip(happening.event.fields, happening.values, strict=True))
                if happening.event not in (Event.MODEL_LOADED, Event.MODEL_REFUSED):
                    return {file.name: happening.words() for file in files}
                said[str(what["model"])] = str(what.get("what", ""))
            if len(said) == len(files):
                break
            select.select(supervisor.filenos(), [], [], _pause_s(supervisor, now, give_up_ns))
            now = clock.now()
    return said


def _pause_s(supervisor: Supervisor, now: Instant, give_up_ns: int) -> float:
    deadline_ns = supervisor.next_deadline_ns() or give_up_ns
    return max(0, min(deadline_ns, give_up_ns) - now.mono_ns) / 1e9


def _store(folder: Path) -> Check:
    remedy = "give a folder that can be written, on a local disk"
    try:
        with tempfile.TemporaryDirectory(prefix=".selftest-", dir=folder) as place:
            settings = StoreSettings(Path(place), segment_bytes=1 << 16, reserve_bytes=1 << 16)
            commit_us = _keep(settings)
    except OSError as error:
        return Check("store", ok=False, detail=f"{folder}: {error}", remedy=remedy)
    if commit_us is None:
        return Check("store", ok=False, detail=f"{folder}: does not keep bundles", remedy=remedy)
    return Check("store", ok=True, detail=f"{folder}: a bundle is durable in {commit_us} us")


def _keep(settings: StoreSettings) -> int | None:
    """Return how long a commit took of a bundle that was there after opening again."""
    clock = BoardClock()
    kept = Put(b"selftest", b"selftest", b"", 0, 0, 1)
    with contextlib.closing(open_store(settings, inline=True)) as store:
        store.take_done()
        before = clock.now().mono_ns
        store.submit(kept)
        store.take_done()
        took_us = (clock.now().mono_ns - before) // 1000
    with contextlib.closing(open_store(settings, inline=True)) as store:
        for entry in store.load():
            store.submit(Fetch(entry.sequence))
        results = store.take_done()
    return took_us if [r.data for r in results if isinstance(r, Fetched)] == [kept.data] else None


def _disk(folder: Path, need_bytes: int) -> Check:
    free_kib = read_health(folder).disk_free_kib or 0
    ok = free_kib * 1024 >= need_bytes
    detail = f"{free_kib >> 10} MiB free, {need_bytes >> 20} MiB may be used"
    return Check("disk", ok, detail, "" if ok else "free some, or lower the quotas")


def _memory(folder: Path) -> Check:
    health = read_health(folder)
    free_kib, heat = health.memory_free_kib, health.cpu_temperature_mc
    warm = "" if heat is None else f", processor at {heat // 1000} degrees"
    if free_kib is None:
        return Check("memory", ok=True, detail=f"not told by this system{warm}")
    ok = free_kib >= LEAST_MEMORY_KIB
    remedy = "" if ok else f"{LEAST_MEMORY_KIB >> 10} MiB are needed; stop other programs"
    return Check("memory", ok, f"{free_kib >> 10} MiB free{warm}", remedy)


def _clock() -> Check:
    now = BoardClock().now()
    if now.dtn_ms == 0:
        remedy = "set the clock if you can; until then bundles carry their age instead"
        return Check("clock", ok=True, detail="not set", remedy=remedy)
    return Check("clock", ok=True, detail=f"{now.dtn_ms} ms since 2000-01-01 UTC")


def _sensor(settings: SensorSettings) -> Check:
    name = f"sensor {settings.name}"
    if settings.folder is None:
        program = shutil.which(settings.command[0])
        if program is None:
            problem = f"{settings.command[0]}: no such program"
            return Check(
                name, ok=False, detail=problem, remedy="install it, or give its whole path"
            )
        return Check(name, ok=True, detail=f"starts {program}")
    suffixes = SUFFIXES[settings.kind]
    try:
        files = sum(path.suffix.lower() in suffixes for path in settings.folder.iterdir())
    except OSError as error:
        problem = f"{settings.folder}: {error.strerror}"
        return Check(name, ok=False, detail=problem, remedy="make the folder, or name another")
    advice = "" if files or settings.watch else f"put {' or '.join(suffixes)} files there"
    return Check(name, ok=True, detail=f"{settings.folder}: {files} files", remedy=advice)


def _port(settings: PortSettings) -> Check:
    name = settings.device or f"udp {settings.bind}"
    try:
        open_port(settings).close()
    except PortError as error:
        problem, _, remedy = str(error).partition("; ")
        return Check(f"port {name}", ok=False, detail=problem, remedy=remedy)
    return Check(f"port {name}", ok=True, detail=f"to node {settings.peer_node}, opens")


def _real_time() -> Check:
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, policy, parameter)
    except OSError:
        remedy = "for less jitter under load: LimitRTPRIO in the service file, or cap_sys_nice"
        return Check("real time", ok=True, detail="SCHED_FIFO is not allowed", remedy=remedy)
    return Check("real time", ok=True, detail="SCHED_FIFO is allowed")
