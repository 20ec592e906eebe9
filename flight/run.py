"""The composition root: from a configuration to a running node. Only here are things built."""

import contextlib
import gc
import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from flight.autonomy.tasks import TASKS, Policy, policy_integers
from flight.board.archive import FrameArchive
from flight.board.card import Card, CardError, read_card
from flight.board.clock import BoardClock
from flight.board.jobs import ModelFile
from flight.board.localsocket import LocalServer
from flight.board.memo import DoneCommands, count_boot
from flight.board.notify import notify
from flight.board.recorder import Recorder
from flight.board.sensors import open_sensor
from flight.board.sensors.settings import SensorSettings
from flight.board.supervisor import Supervisor
from flight.config import Config, Mission, PayloadSettings, read_mission
from flight.craft import Craft, Rhythm
from flight.eventlog import EventLog
from flight.gateway import Gateway, socket_path
from flight.instant import Instant
from flight.link import Link
from flight.loop import Loop, Member
from flight.outbox import Name, Outbox, Send
from flight.payload import Instrument, Payload
from flight.ports.port import Port, PortError
from flight.ports.settings import open_port, ports_by_link
from flight.product.events import Event, Happening
from flight.product.part import DIGEST_PREFIX_BYTES
from flight.product.status import Boot, ModelStamp
from flight.relay.bpsec import read_policy
from flight.relay.endpoint import ipn
from flight.relay.node import Delivery, Node
from flight.relay.node.labels import FIRST_PRIORITY_SERVICE
from flight.relay.store import BusyError, Store, open_store
from flight.settings import SettingsError
from flight.watch import (
    Recent,
    Stop,
    Watch,
    link_figures,
    take_last_words,
    write_last_words,
)

PRIORITY_SERVICES = range(FIRST_PRIORITY_SERVICE, FIRST_PRIORITY_SERVICE + 4)
PRODUCT_SERVICE = 2
"""Products come from it and nothing else does, so that their bundles can be named."""
EXIT_OURS = 70
"""What went wrong is ours to mend; a service manager starts us again."""
VERSION = importlib.metadata.version("farside")


@dataclass(frozen=True, slots=True)
class Usable:
    """A model whose card could be read."""

    card: Card
    folder: Path
    policy: Policy


def run_node(path: Path, *, exit_when_done: bool) -> int:
    """Run the node of a configuration until a signal; return the exit code.

    Raises:
        SettingsError: the configuration, a port or a folder cannot be used.
    """
    clock = BoardClock()
    now = clock.now()
    mission = read_mission(path, reference_ms=now.dtn_ms)
    config = mission.config
    with contextlib.ExitStack() as stack:
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
        craft = (
            None if config.payload is None else _craft(mission, config.payload, node, now, stack)
        )
        recent = Recent()
        server = stack.enter_context(contextlib.closing(_local_server(config)))
        gateway = Gateway(server, node)
        link = _link(
            node, store, ports=ports, config=config, craft=craft, gateway=gateway, recent=recent
        )
        manager = os.environ.get("NOTIFY_SOCKET")
        watch = Watch(config.store.directory / "status.json", link, craft, recent, manager)
        _settle(config, craft, now)
        members: list[Member] = [gateway, link] if craft is None else [craft, gateway, link]
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


def _local_server(config: Config) -> LocalServer:
    try:
        return LocalServer(socket_path(config.store.directory))
    except OSError as error:
        raise SettingsError(f"store.directory: local socket: {error}; shorten the path") from error


def _settle(config: Config, craft: Craft | None, now: Instant) -> None:
    """Keep the collector off what lives as long as the process, and go ahead of other programs."""
    gc.collect()
    gc.freeze()
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
            gateway.deliver(delivery)
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
        note=note,
    )


def _craft(
    mission: Mission,
    payload_settings: PayloadSettings,
    node: Node,
    now: Instant,
    stack: contextlib.ExitStack,
) -> Craft:
    """Build the board's own side: journal, workers, sensors, payload."""
    config, state = mission.config, payload_settings.state
    try:
        recorder = stack.enter_context(contextlib.closing(Recorder(state)))
        boot = count_boot(state, least=recorder.past.last_boot)
        archive = FrameArchive(state / "frames", quota_bytes=payload_settings.archive_bytes)
    except OSError as error:
        raise SettingsError(
            f"payload.state {state}: {error.strerror}; give a folder that can be written"
        ) from error
    cards, happenings = _cards(config)
    files = tuple(ModelFile(u.card.name, u.folder, u.card.digest) for u in cards.values())
    supervisor = stack.enter_context(contextlib.closing(Supervisor(config.worker, files, now)))
    send = _sender(node, payload_settings)
    outbox = Outbox(
        supervisor,
        send,
        config_digest=mission.digest[:DIGEST_PREFIX_BYTES],
        done=recorder.done,
    )
    instruments = [
        _instrument(s, cards, now, stack, first=recorder.past.next_frames.get(s.name, 0))
        for s in config.sensors
    ]
    payload = Payload(
        instruments,
        node=config.node.node_number,
        boot=boot,
        decisions=config.decisions,
        asker=supervisor,
        outbox=outbox,
        recorder=recorder,
        archive=archive,
    )
    craft = Craft(
        payload=payload,
        outbox=outbox,
        supervisor=supervisor,
        recorder=recorder,
        events=EventLog(),
        commands=DoneCommands(state),
        state=state,
        rhythm=Rhythm(
            round(payload_settings.health_interval_s * 1e9),
            round(payload_settings.events_interval_s * 1e9),
        ),
        link_figures=lambda at: link_figures(node, at),
    )
    last_words = take_last_words(config.store.directory)
    if last_words:
        craft.note(Event.STEP_FAILED(what=last_words), now)
    craft.note(Event.BOOTED(boot=boot, version=VERSION), now)
    if recorder.past.problem:
        craft.note(Event.JOURNAL_RECOVERED(what=recorder.past.problem), now)
    if not now.dtn_ms:
        craft.note(Event.CLOCK_UNKNOWN(), now)
    for happening in happenings:
        craft.note(happening, now)
    stamps = tuple(
        ModelStamp(usable.card.name, task, usable.card.version, usable.card.digest)
        for task, usable in cards.items()
    )
    policies = {i.task: i.policy for i in instruments if i.policy is not None}
    record = Boot(
        node=config.node.node_number,
        boot=boot,
        now=now,
        software=VERSION,
        config_digest=mission.digest,
        step=recorder.past.next_step,
        models=stamps,
        policies=(
            ("decisions", policy_integers(config.decisions)),
            *((task, policy_integers(policy)) for task, policy in policies.items()),
        ),
    )
    craft.begin(record.encode(), now)
    return craft


def _cards(config: Config) -> tuple[dict[str, Usable], list[Happening]]:
    """Return the card and folder of each task that a sensor needs, and what could not be read."""
    cards, happenings = {}, []
    for task, folder in model_folders(config).items():
        try:
            card = read_card(folder)
            cards[task] = Usable(card, folder, card.policy_as(TASKS[task].policy))
        except CardError as error:
            happenings.append(Event.MODEL_REFUSED(model=task, what=str(error)))
    return cards, happenings


def model_folders(config: Config) -> dict[str, Path]:
    """Return where the model of each task lies that a sensor needs and that is to be used."""
    chosen = {model.task: model for model in config.models}
    kinds = {sensor.kind for sensor in config.sensors}
    return {
        task: (chosen[task].folder if task in chosen else None) or packaged_model(task)
        for task, row in TASKS.items()
        if row.kind in kinds and (task not in chosen or chosen[task].use)
    }


def packaged_model(task: str) -> Path:
    """Return the folder of the model that comes with the package."""
    spec = importlib.util.find_spec("models")
    places = () if spec is None else tuple(spec.submodule_search_locations or ())
    return Path(places[0] if places else "models") / task


def _instrument(
    settings: SensorSettings,
    cards: dict[str, Usable],
    now: Instant,
    stack: contextlib.ExitStack,
    *,
    first: int,
) -> Instrument:
    """Return a sensor with the task of its kind."""
    sensor = stack.enter_context(contextlib.closing(open_sensor(settings, now, first=first)))
    task = next(task for task in TASKS.values() if task.kind is settings.kind)
    if task.name not in cards:
        return Instrument(sensor, task.name, "", b"", task.without_model)
    usable = cards[task.name]
    return Instrument(sensor, task.name, usable.card.name, usable.card.digest, usable.policy)


def _sender(node: Node, settings: PayloadSettings) -> Send:
    destinations = [
        ipn(settings.destination_node, FIRST_PRIORITY_SERVICE + priority) for priority in range(4)
    ]

    def send(payload: bytes, priority: int, name: Name, now: Instant) -> int:
        return node.send(
            payload,
            destination=destinations[priority],
            priority=priority,
            lifetime_ms=settings.lifetime_s * 1000,
            now=now,
            source_service=PRODUCT_SERVICE,
            name=name,
        )

    return send
