"""The configuration of a node in one TOML file: `flight run CONFIG.toml`.

A board has sensors and models; a relay is the same file without them.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from flight.autonomy.decide import DecisionPolicy
from flight.autonomy.tasks import TASKS
from flight.board.jobs import WorkerSettings
from flight.board.sensors.settings import SensorSettings
from flight.ports.settings import PortSettings, check_links, fit_links
from flight.product.values import SensorKind
from flight.relay.bpsec import SecuritySettings
from flight.relay.contactfile import read_plan
from flight.relay.contacts import ContactPlan
from flight.relay.node.labels import FIRST_PRIORITY_SERVICE
from flight.relay.settings import NodeSettings, StoreSettings
from flight.settings import SettingsError, parse_settings, read_text
from flight.telemetry import TelemetrySettings


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model a task uses, if not the one in the package."""

    task: str
    """Which of flight.autonomy.tasks."""
    folder: Path | None = None
    """Holds model.tflite and card.toml; without it, the model in the package."""
    use: bool = True
    """false: do without. An X-ray spectrum is then told by its lines alone, which holds for any
    instrument; frames of the other tasks get no answer."""


@dataclass(frozen=True, slots=True)
class PayloadSettings:
    """What the board keeps, and where its products go."""

    state: Path
    """Folder of the journal and the kept frames; survives reboots."""
    destination_node: int
    """The ground's node number: products go to ipn:NODE.64 to .67, by priority."""
    lifetime_s: int = 30 * 86_400
    """How long a product may be under way."""
    planning_horizon_s: int = 86_400
    """Whole frames are sent as exactly as the contacts of this time have room for."""
    archive_bytes: int = 1 << 30
    """Room for kept frames, which the ground may ask for; the oldest give way."""
    health_interval_s: float = 60.0
    """Housekeeping is sent this often; 0: only when asked."""
    events_interval_s: float = 10.0
    """Events wait at most this long; warnings leave at once."""
    real_time_priority: int = 0
    """SCHED_FIFO priority of the control process, 1 to 99, where the system allows it; 0: none."""


@dataclass(frozen=True, slots=True)
class Config:
    """All of one node's settings."""

    node: NodeSettings
    store: StoreSettings
    contact_plan: Path
    """ION's `a contact` lines, or TOML where the name ends in .toml."""
    ports: tuple[PortSettings, ...] = ()
    sensors: tuple[SensorSettings, ...] = ()
    models: tuple[ModelSettings, ...] = ()
    payload: PayloadSettings | None = None
    """Required where there are sensors."""
    telemetry: TelemetrySettings | None = None
    """What is told of the links, and to whom; without it a board tells its payload's destination,
    and a relay nobody."""
    security: tuple[SecuritySettings, ...] = ()
    """Which bundles are signed or sealed, and which must be (BPSec, RFC 9172). Where others can
    reach the link, require integrity for commands."""
    decisions: DecisionPolicy = field(default_factory=DecisionPolicy)
    worker: WorkerSettings = field(default_factory=WorkerSettings)

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.sensors and self.payload is None:
            raise ValueError("sensors need a [payload] table: state and destination_node")
        names = [sensor.name for sensor in self.sensors]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two sensors have the name {twice!r}")
        self._check_companions()
        strange = next((m.task for m in self.models if m.task not in TASKS), None)
        if strange is not None:
            raise ValueError(f"models: no task is named {strange!r}; there are {', '.join(TASKS)}")
        check_links(self.node, self.ports)

    def _check_companions(self) -> None:
        cameras = [s.name for s in self.sensors if s.kind is SensorKind.CAMERA]
        for sensor in self.sensors:
            if sensor.beside and sensor.beside not in cameras:
                raise ValueError(f"sensor {sensor.name}: beside {sensor.beside!r} is no camera")
            if sensor.after and sensor.after not in cameras:
                raise ValueError(f"sensor {sensor.name}: after {sensor.after!r} is no camera")
            if sensor.after == sensor.name:
                raise ValueError(f"sensor {sensor.name}: after names itself, not a coarser camera")
        chosen = [s.beside for s in self.sensors if s.beside]
        if len(chosen) != len(set(chosen)):
            raise ValueError("two sensors are beside the same camera")


@dataclass(frozen=True, slots=True)
class Mission:
    """A configuration as read, with what it names."""

    config: Config
    digest: bytes
    """SHA-256 of the configuration file."""
    plan: ContactPlan


def read_mission(path: Path, *, reference_ms: int) -> Mission:
    """Return a configuration and its contact plan; ``reference_ms`` is DTN time for "+N".

    Raises:
        SettingsError: a file cannot be read or does not fit.
    """
    text = read_text(path)
    config = parse_settings(Config, text, source=str(path), folder=path.resolve().parent)
    node = fit_links(config.node, config.ports)
    if config.payload is not None and not node.tombstones_to:
        # What a board gives up, the ground must hear of: it may ask for it again.
        told = f"ipn:{config.payload.destination_node}.{FIRST_PRIORITY_SERVICE}"
        node = replace(node, tombstones_to=told)
    config = replace(config, node=node)
    plan = read_plan(config.contact_plan, reference_ms=reference_ms)
    _check_reach(config, plan)
    return Mission(config, hashlib.sha256(text.encode()).digest(), plan)


def _check_reach(config: Config, plan: ContactPlan) -> None:
    """Refuse a plan in which the products' way ends before the ground: they would wait for ever.

    Raises:
        SettingsError: no contact leads to the destination.
    """
    destination = None if config.payload is None else config.payload.destination_node
    if destination is not None and all(c.to_node != destination for c in plan.contacts):
        raise SettingsError(
            f"{config.contact_plan}: no contact leads to node {destination}, the products' "
            "destination; add the contacts from the relay to it"
        )
