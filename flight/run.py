"""The composition root: from a configuration to a running node.

Only here and in flight.assembly are things built.
"""

import contextlib
import gc
import os
from pathlib import Path

from flight.assembly import build_craft
from flight.board.clock import BoardClock
from flight.board.notify import notify
from flight.config import Config, Mission, read_mission
from flight.craft import Craft
from flight.instant import Instant
from flight.link import Link
from flight.loop import Loop, Member
from flight.ports.gateway import Gateway, socket_path
from flight.ports.localsocket import LocalServer
from flight.ports.port import Port, PortError
from flight.ports.processor import one_processor
from flight.ports.settings import open_port, ports_by_link
from flight.product.events import Event, Happening
from flight.product.part import DIGEST_PREFIX_BYTES
from flight.relay.bpsec import read_policy
from flight.relay.node import Delivery, Node
from flight.relay.node.labels import FIRST_PRIORITY_SERVICE
from flight.relay.store import BusyError, Store, open_store
from flight.settings import SettingsError
from flight.telemetry import Telemetry, TelemetrySettings
from flight.watch import Recent, Stop, Watch, write_last_words

PRIORITY_SERVICES = range(FIRST_PRIORITY_SERVICE, FIRST_PRIORITY_SERVICE + 4)
EXIT_OURS = 70
"""What went wrong is ours to mend; a service manager starts us again."""
YOUNG_OBJECTS = 20_000
"""Between two looks of the collector: bundles on their way are many objects and make no cycles."""


def run_node(path: Path, *, exit_when_done: bool) -> int:
    """Run the node of a configuration until a signal; return the exit code.

    Raises:
        SettingsError: the configuration, a port or a folder cannot be used.
    """
    clock = BoardClock()
    now = clock.now()
    mission = read_mission(path, reference_ms=now.dtn_ms)
    config = mission.config
    priority = 0 if config.payload is None else config.payload.real_time_priority
    with contextlib.ExitStack() as stack:
        if config.store.one_processor and not priority:  # else a busy loop would starve the writer
            stack.enter_context(one_processor())
        try:
            ports = [
                stack.enter_context(contextlib.closing(open_port(p)))
                for p in ports_by_link(config.ports, config.node)
            ]
            store = stack.enter_context(contextlib.closing(open_store(config.store)))
        except (PortError, BusyError, OSError) as error:
            raise SettingsError(f"{path}: {error}") from error
        security = read_policy(config.security)
        node = Node(config.node, store, mission.plan, now, seed=0, security=security)
        craft = build_craft(mission, node, store, now, stack)
        recent = Recent()
        server = stack.enter_context(contextlib.closing(_local_server(config)))
        gateway = Gateway(server, node)
        link = _link(
            node, store, ports=ports, config=config, craft=craft, gateway=gateway, recent=recent
        )
        manager = os.environ.get("NOTIFY_SOCKET")
        watch = Watch(config.store.directory / "status.json", link, craft, recent, manager)
        _settle(config, craft, now)
        own: list[Member] = [] if craft is None else [craft]
        members = [*own, *_telemetry(mission, node, store), gateway, link]
        notify(manager, "READY=1")
        stop = Stop(craft, node, when_done=exit_when_done)
        try:
            now = Loop(clock, members).run(stop=stop, after_turn=watch.after_turn)
        except Exception as error:  # noqa: BLE001 - the step guard: whatever it is, say it and end
            write_last_words(config.store.directory, error)
            return EXIT_OURS
        if craft is not None:
            craft.note(Event.STOPPED(steps=craft.payload.steps_made), now)
            craft.flush_events(now)
        watch.write(now)
        link.close()
    return 0


def _telemetry(mission: Mission, node: Node, store: Store) -> list[Member]:
    """Return what tells of the links, where somebody is to be told."""
    settings, payload = mission.config.telemetry, mission.config.payload
    if settings is None and payload is not None:
        settings = TelemetrySettings(payload.destination_node)
    if settings is None:
        return []
    digest = mission.digest[:DIGEST_PREFIX_BYTES]
    return [Telemetry(settings, node, boot=store.boots, config_digest=digest)]


def _local_server(config: Config) -> LocalServer:
    try:
        return LocalServer(socket_path(config.store.directory))
    except OSError as error:
        raise SettingsError(f"store.directory: local socket: {error}; shorten the path") from error


def _settle(config: Config, craft: Craft | None, now: Instant) -> None:
    """Keep the collector off what lives as long as the process, and go ahead of other programs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    priority = 0 if config.payload is None else config.payload.real_time_priority
    if not priority or craft is None:
        return
    try:
        # Workers that are started later must not inherit it.
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError as error:
        craft.note(Event.REAL_TIME_REFUSED(what=error.strerror or str(error)), now)


def _link(
    node: Node,
    store: Store,
    *,
    ports: list[Port],
    config: Config,
    craft: Craft | None,
    gateway: Gateway,
    recent: Recent,
) -> Link:
    """Return the link, with the node's word going to the craft or to a process beside it."""

    def note(happening: Happening, now: Instant) -> None:
        recent.note(happening, now)
        if craft is not None:
            craft.note(happening, now)

    def deliver(delivery: Delivery, now: Instant) -> None:
        if craft is None or delivery.destination.service not in PRIORITY_SERVICES:
            gateway.deliver(delivery, now)
            return
        craft.command(delivery.payload, now)
        node.release(delivery, now)

    def stored(ticket: int, bundle: str) -> None:
        gateway.stored(ticket, bundle)
        if craft is not None:
            craft.outbox.stored(ticket)

    def refused(ticket: int, now: Instant) -> None:
        gateway.stored(ticket, "")
        if craft is not None:
            craft.outbox.refused(ticket, now)

    return Link(
        node,
        store,
        ports,
        [link.peer_node for link in config.node.links],
        stored=stored,
        refused=refused,
        deliver=deliver,
        reported=gateway.reported,
        note=note,
    )
