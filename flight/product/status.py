"""Records about the board itself: boot, health, commands and their replies."""

from dataclasses import dataclass
from enum import IntEnum

from flight.instant import Instant
from flight.product.records import Schema, pack_record, read_record


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """A model as the board loaded it."""

    name: str
    task: str
    version: str
    digest: bytes
    """SHA-256 of the model file."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What the board was when it started. Replay takes its policies from here."""

    node: int
    boot: int
    now: Instant
    software: str
    config_digest: bytes
    """SHA-256 of the configuration file as read."""
    step: int
    """The first step of this boot."""
    models: tuple[ModelStamp, ...]
    policies: tuple[tuple[str, tuple[int, ...]], ...]
    """Of each task, the integers of its policy in field order; nested tables are flattened."""

    def encode(self) -> bytes:
        """Return the BOOT record."""
        fields: list[object] = [
            self.node,
            self.boot,
            *self.now,
            self.software,
            self.config_digest,
            self.step,
            [[m.name, m.task, m.version, m.digest] for m in self.models],
            [[name, list(values)] for name, values in self.policies],
        ]
        return pack_record(Schema.BOOT, 1, fields)

    @classmethod
    def decode(cls, data: bytes) -> "Boot":
        """Return the boot in a BOOT record, or raise WireError."""
        fields = read_record(data, Schema.BOOT, 1, 9)
        node, boot, now = fields.integer("node"), fields.integer("boot"), fields.instant("now")
        software = fields.text("software")
        config, step = fields.binary("configuration digest", size=32), fields.integer("step")
        rows = fields.array("models", most=64)
        models = []
        for _ in range(rows.left()):
            row = rows.array("model", most=4)
            name, task, version = row.text("name"), row.text("task"), row.text("version")
            models.append(ModelStamp(name, task, version, row.binary("digest", size=32)))
        rows = fields.array("policies", most=64)
        policies = []
        for _ in range(rows.left()):
            row = rows.array("policy", most=2)
            name = row.text("task")
            policies.append((name, row.integers("policy", -(2**63), most=8192)))
        return cls(node, boot, now, software, config, step, tuple(models), tuple(policies))


@dataclass(frozen=True, slots=True)
class Health:
    """Housekeeping of board and link. A value of -1 is not measured on this machine."""

    now: Instant
    names: tuple[str, ...]
    values: tuple[int, ...]
    """One a name; the unit ends the name."""

    def encode(self) -> bytes:
        """Return the HEALTH record."""
        return pack_record(Schema.HEALTH, 1, [*self.now, list(self.names), list(self.values)])

    @classmethod
    def decode(cls, data: bytes) -> "Health":
        """Return the housekeeping in a HEALTH record, or raise WireError."""
        fields = read_record(data, Schema.HEALTH, 1, 4)
        now, rows = fields.instant("now"), fields.array("names", most=256)
        names = tuple(rows.text("name", most=64) for _ in range(rows.left()))
        return cls(now, names, fields.integers("values", -(2**63), most=len(names)))


class CommandKind(IntEnum):
    """What the ground may ask. Numbers are on the wire: add, never renumber."""

    SEND_FRAME = 1
    """sensor, frame number: send the whole frame, lossless, at priority 3."""
    SEND_HEALTH = 2


@dataclass(frozen=True, slots=True)
class Command:
    """One request of the ground's."""

    number: int
    """Unique a ground; a board does a number once."""
    kind: CommandKind
    sensor: str = ""
    frame_number: int = 0

    def encode(self) -> bytes:
        """Return the COMMAND record."""
        fields: list[object] = [self.number, int(self.kind), self.sensor, self.frame_number]
        return pack_record(Schema.COMMAND, 1, fields)

    @classmethod
    def decode(cls, data: bytes) -> "Command":
        """Return the command in a COMMAND record, or raise WireError."""
        fields = read_record(data, Schema.COMMAND, 1, 4)
        return cls(
            fields.integer("number"),
            fields.enum(CommandKind, "command"),
            fields.text("sensor", most=64),
            fields.integer("frame number"),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a command."""

    number: int
    done: bool
    words: str

    def encode(self) -> bytes:
        """Return the REPLY record."""
        return pack_record(Schema.REPLY, 1, [self.number, self.done, self.words[:200]])

    @classmethod
    def decode(cls, data: bytes) -> "Reply":
        """Return the reply in a REPLY record, or raise WireError."""
        fields = read_record(data, Schema.REPLY, 1, 3)
        return cls(fields.integer("number"), fields.boolean("done"), fields.text("words"))
