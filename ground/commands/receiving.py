"""`ground receive`: run the station."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from flight.instant import Instant
from flight.ports.gateway import Gateway, socket_path
from flight.ports.localsocket import LocalServer
from flight.ports.port import PortError
from flight.ports.processor import one_processor
from flight.ports.settings import open_port, ports_by_link
from flight.relay.bpsec import read_policy
from flight.relay.node import Node
from flight.relay.store import BusyError, open_store
from flight.settings import SettingsError
from flight.settingskeys import ShowKeys
from ground.archive import Archive, open_archive
from ground.clock import GroundClock
from ground.commands.common import OK, Subparsers, add_command
from ground.config import StationConfig, read_station
from ground.console import clean
from ground.station import Counts, Station
from ground.times import data_size, duration, utc

STATUS_INTERVAL_NS = 500_000_000


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "receive",
        run,
        about="run the ground station: archive what arrives, send what was requested",
        example="ground receive station.toml --until-idle 30",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="the station's settings")
    parser.add_argument(
        "--keys",
        action=ShowKeys,
        nargs=0,
        const="ground.config:StationConfig",
        help="print every key of that file with its default and its meaning, and exit",
    )
    parser.add_argument(
        "--until-idle",
        type=float,
        metavar="SECONDS",
        help="stop once something has come and then nothing for this long",
    )
    parser.add_argument(
        "--for",
        dest="for_s",
        type=float,
        metavar="SECONDS",
        help="stop after this long, whatever happens",
    )


def run(options: argparse.Namespace) -> int:
    """Run the station until it is told to stop."""
    clock = GroundClock()
    now = clock.now()
    config, plan = read_station(options.config, reference_ms=now.dtn_ms)
    with contextlib.ExitStack() as stack:
        if config.store.one_processor:
            stack.enter_context(one_processor())
        settings = ports_by_link(config.ports, config.node)
        try:
            ports = [stack.enter_context(contextlib.closing(open_port(p))) for p in settings]
        except PortError as error:
            raise SettingsError(f"{options.config}: {error}") from error
        try:
            store = stack.enter_context(contextlib.closing(open_store(config.store)))
        except (BusyError, OSError) as error:
            raise SettingsError(f"{options.config}: store: {error}") from error
        archive = stack.enter_context(open_archive(config.archive, make=True))
        security = read_policy(config.security)
        node = Node(config.node, store, plan, now, seed=0, security=security)
        server = stack.enter_context(contextlib.closing(_local_server(config)))
        station = Station(
            node,
            store,
            ports,
            archive,
            Gateway(server, node, taken=frozenset(config.node.services)),
            clock=clock,
            command_lifetime_s=config.command_lifetime_s,
        )
        stop = stack.enter_context(_signals(station))
        ears = ", ".join(port.place for port in settings)
        print(f"node {config.node.node_number} hears {ears}; archive {config.archive}", flush=True)
        _turn(station, archive, now, stop=stop, options=options)
    return OK


def _local_server(config: StationConfig) -> LocalServer:
    try:
        return LocalServer(socket_path(config.store.directory))
    except OSError as error:
        raise SettingsError(f"store.directory: local socket: {error}; shorten the path") from error


def _turn(
    station: Station,
    archive: Archive,
    started: Instant,
    *,
    stop: Callable[[], bool],
    options: argparse.Namespace,
) -> None:
    """Turn until a signal, the idle time or the whole time has come."""
    status = _Status(archive)
    now = started
    while not stop() and not _is_over(station, started, now, options):
        now = station.turn()
        status.show(station, now)
    status.end(station, now)


def _is_over(station: Station, started: Instant, now: Instant, options: argparse.Namespace) -> bool:
    for_s: float | None = options.for_s
    idle_s: float | None = options.until_idle
    if for_s is not None and now.mono_ns - started.mono_ns >= for_s * 1e9:
        return True
    if idle_s is None or not station.counts.deliveries or not station.is_quiet:
        return False
    return now.mono_ns - station.counts.heard_ns >= idle_s * 1e9


@contextlib.contextmanager
def _signals(station: Station) -> Iterator[Callable[[], bool]]:
    """Make SIGINT and SIGTERM end the turn that waits, and tell whether one has come."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    ear, mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    station.wake_by(ear)
    old_wakeup = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        os.close(ear)
        os.close(mouth)


class _Status:
    """News as lines, and on a terminal one line that is always up to date."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._live = sys.stdout.isatty()
        self._shown_ns = -STATUS_INTERVAL_NS

    def show(self, station: Station, now: Instant) -> None:
        """Print the news, and the live line when it is time."""
        for line in station.take_news():
            self._line(f"{utc(now.dtn_ms)}  {clean(line)}")
        if self._live and now.mono_ns - self._shown_ns >= STATUS_INTERVAL_NS:
            self._shown_ns = now.mono_ns
            counts = station.counts
            contact = "in contact" if station.open_links else "no contact"
            silent = duration((now.mono_ns - counts.heard_ns) // 1_000_000)
            print(
                f"\r\x1b[K{contact}  {_said(counts)}  last heard {silent} ago", end="", flush=True
            )

    def end(self, station: Station, now: Instant) -> None:
        """Print what was done in all."""
        self.show(station, now)
        rows = self._archive.products()
        whole = sum(row.complete for row in rows)
        self._line(f"stopped: {_said(station.counts)}; {whole} of {len(rows)} products complete")

    def _line(self, line: str) -> None:
        print(("\r\x1b[K" if self._live else "") + line, flush=True)


def _said(counts: Counts) -> str:
    return (
        f"{counts.deliveries} payloads archived, {data_size(counts.bytes_received)} in"
        f" {counts.datagrams} datagrams, {counts.datagrams_refused} refused"
    )
