"""The board's own side, put together from a configuration: journal, workers, sensors, payload."""

import contextlib
import importlib.metadata
from collections.abc import Callable, Sequence

from flight.autonomy.tasks import TASKS, policy_integers
from flight.board.archive import FrameArchive
from flight.board.jobs import ModelFile
from flight.board.memo import DoneCommands, count_boot
from flight.board.recorder import Recorder
from flight.board.sensorhost import Feed, SensorHost
from flight.board.sensors.settings import SensorSettings
from flight.board.supervisor import Supervisor
from flight.chosen import Usable, usable_models
from flight.companions import Companion, Companions
from flight.config import Mission, PayloadSettings
from flight.craft import Craft, Rhythm
from flight.eventlog import EventLog
from flight.instant import Instant
from flight.outbox import Name, Outbox, Send
from flight.payload import Instrument, Payload
from flight.product.events import Event
from flight.product.names import PRODUCT_SERVICE
from flight.product.part import DIGEST_PREFIX_BYTES
from flight.product.status import Boot, ModelStamp
from flight.product.values import ROOM_UNKNOWN
from flight.products import Products
from flight.relay.capacity import capacity_bytes
from flight.relay.endpoint import ipn
from flight.relay.node import Node
from flight.relay.node.labels import FIRST_PRIORITY_SERVICE
from flight.relay.store import Store
from flight.settings import SettingsError
from flight.watch import take_last_words

VERSION = importlib.metadata.version("farside")


def build_craft(
    mission: Mission, node: Node, store: Store, now: Instant, stack: contextlib.ExitStack
) -> Craft | None:
    """Return the board's own side, begun; None where the configuration has no payload.

    Raises:
        SettingsError: the payload's folder or a sensor cannot be used.
    """
    config, settings = mission.config, mission.config.payload
    if settings is None:
        return None
    try:
        recorder = stack.enter_context(contextlib.closing(Recorder(settings.state)))
        boot = count_boot(settings.state, least=recorder.past.last_boot)
        archive = FrameArchive(
            settings.state / "frames", quota_bytes=settings.archive_bytes, later=recorder.do
        )
    except OSError as error:
        raise SettingsError(
            f"payload.state {settings.state}: {error.strerror}; give a folder that can be written"
        ) from error
    models, happenings = usable_models(config)
    files = tuple(ModelFile(m.card.name, m.folder, m.card.digest) for m in models.values())
    supervisor = stack.enter_context(contextlib.closing(Supervisor(config.worker, files, now)))
    outbox = Outbox(
        supervisor,
        _sender(node, settings),
        config_digest=mission.digest[:DIGEST_PREFIX_BYTES],
        done=recorder.done,
    )
    products = Products(outbox, archive, node=config.node.node_number, boot=boot)
    following = recorder.past.next_frames
    host = stack.enter_context(
        contextlib.closing(
            SensorHost(
                [(s, following.get(s.beside or s.name, 0)) for s in config.sensors],
                now,
                memory_limit_bytes=config.worker.memory_limit_mib << 20,
            )
        )
    )
    feeds = tuple(zip(config.sensors, host.feeds, strict=True))
    instruments = [_instrument(s, feed, models) for s, feed in feeds if not s.beside]
    # A companion's frames are numbered like those of the sensor that it goes with.
    companions = [Companion(feed, s.beside, round(s.pair_s * 1e9)) for s, feed in feeds if s.beside]
    craft = Craft(
        payload=Payload(
            instruments,
            boot=boot,
            decisions=config.decisions,
            asker=supervisor,
            outbox=outbox,
            products=products,
            recorder=recorder,
            archive=archive,
            companions=Companions(companions),
            room_bytes=_room(mission, settings, store, outbox),
        ),
        products=products,
        outbox=outbox,
        supervisor=supervisor,
        recorder=recorder,
        events=EventLog(),
        commands=DoneCommands(settings.state),
        state=settings.state,
        rhythm=Rhythm(
            round(settings.health_interval_s * 1e9), round(settings.events_interval_s * 1e9)
        ),
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
    record = _boot_record(
        mission, models, instruments, now, boot=boot, step=recorder.past.next_step
    )
    craft.begin(record.encode(), now)
    return craft


def _boot_record(
    mission: Mission,
    models: dict[str, Usable],
    instruments: Sequence[Instrument],
    now: Instant,
    *,
    boot: int,
    step: int,
) -> Boot:
    """Return what replay needs to know of this life: models and policies."""
    policies = {i.task: i.policy for i in instruments if i.policy is not None}
    return Boot(
        node=mission.config.node.node_number,
        boot=boot,
        now=now,
        software=VERSION,
        config_digest=mission.digest,
        step=step,
        models=tuple(
            ModelStamp(model.card.name, task, model.card.version, model.card.digest)
            for task, model in models.items()
        ),
        policies=(
            ("decisions", policy_integers(mission.config.decisions)),
            *((task, policy_integers(policy)) for task, policy in policies.items()),
        ),
    )


def _instrument(settings: SensorSettings, feed: Feed, models: dict[str, Usable]) -> Instrument:
    """Return a sensor with the task of its kind."""
    task = next(task for task in TASKS.values() if task.kind is settings.kind)
    if task.name not in models:
        return Instrument(feed, task.name, "", b"", task.without_model)
    usable = models[task.name]
    card, policy = usable.card, usable.policy
    return Instrument(feed, task.name, card.name, card.digest, policy, settings.after)


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


def _room(
    mission: Mission, settings: PayloadSettings, store: Store, outbox: Outbox
) -> Callable[[Instant], int]:
    """Return what tells how many bytes the contacts have room for, beside all that waits."""

    def room(now: Instant) -> int:
        carried = capacity_bytes(
            mission.plan,
            node=mission.config.node.node_number,
            destination=settings.destination_node,
            until_ms=now.dtn_ms + settings.planning_horizon_s * 1000,
            now=now,
        )
        if carried is None:
            return ROOM_UNKNOWN
        return max(0, carried - store.status().used_bytes - outbox.waiting_bytes)

    return room
