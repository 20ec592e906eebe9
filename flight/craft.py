"""The board's own side of the loop: payload, workers, journal, commands, events, housekeeping."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from flight.autonomy.downlink import record_plan
from flight.board.health import read_health
from flight.board.memo import DoneCommands
from flight.board.recorder import Recorder
from flight.board.supervisor import Supervisor
from flight.eventlog import EventLog
from flight.instant import Instant
from flight.outbox import About, Outbox
from flight.payload import Payload
from flight.product.errors import WireError
from flight.product.events import Event, Happening, encode_events
from flight.product.part import ProductKind
from flight.product.status import Command, CommandKind, Health, Reply
from flight.products import Products

BOARD = "board"
"""The sensor name of products that are about the board itself."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the board speaks of itself, in nanoseconds; 0: never unasked."""

    health_ns: int
    events_ns: int


class Craft:
    """Everything of the board that is not the link."""

    def __init__(
        self,
        *,
        payload: Payload,
        products: Products,
        outbox: Outbox,
        supervisor: Supervisor,
        recorder: Recorder,
        events: EventLog,
        commands: DoneCommands,
        state: Path,
        rhythm: Rhythm,
    ) -> None:
        self.payload = payload
        self.products = products
        self.outbox = outbox
        self._supervisor = supervisor
        self._recorder = recorder
        self._events = events
        self._commands = commands
        self._state = state
        self._rhythm = rhythm
        self._fetching: deque[Command] = deque()
        """What the ground asked for and the archive is looking for."""
        self._health_due_ns: int | None = None
        self._events_due_ns: int | None = None

    @property
    def idle(self) -> bool:
        """Whether the sensors have finished and all that came of them is in the store."""
        return self.payload.idle and not (len(self._events) or self._fetching)

    def filenos(self) -> tuple[int, ...]:
        """Return what is readable when a worker, the journal or a sensor has news."""
        sensors = (sensor.fileno() for sensor in self.payload.sensors)
        ready = tuple(f for f in sensors if f is not None) if self.payload.has_room else ()
        return (self._recorder.fileno(), *self._supervisor.filenos(), *ready)

    def next_deadline_ns(self) -> int | None:
        """Return when a sensor, a worker, the events or the housekeeping are due."""
        due = (
            self.payload.next_deadline_ns(),
            self._supervisor.next_deadline_ns(),
            self.outbox.next_deadline_ns(),
            self._health_due_ns,
            self._events_due_ns,
        )
        return min((d for d in due if d is not None), default=None)

    def figures(self) -> dict[str, object]:
        """Return what the status file says of the board."""
        return {
            "steps_made": self.payload.steps_made,
            "steps_undone": len(self._recorder.past.undone),
            "next_step": self._recorder.past.next_step,
            "products_made": self.outbox.products_made,
            "product_bytes_made": self.outbox.bytes_made,
            "idle": self.idle,
            "workers": self._supervisor.pids(),
        }

    def begin(self, boot: bytes, now: Instant) -> None:
        """Send the boot record, and take up what an earlier life left undone."""
        self._send_record(ProductKind.BOOT, boot, now)
        self.payload.take_up(now)
        if self._rhythm.health_ns:
            self._health_due_ns = now.mono_ns

    def note(self, happening: Happening, now: Instant) -> None:
        """Take note of an event, to be sent soon."""
        self._events.note(happening, now)
        if self._events_due_ns is None:
            self._events_due_ns = now.mono_ns + self._rhythm.events_ns
        if self._events.urgent:
            self._events_due_ns = now.mono_ns

    def turn(self, now: Instant) -> None:
        """Move frames, answers, journal and products on; speak of the board when it is time.

        Raises:
            OSError: the disk refused the journal: nothing can be decided any more.
        """
        self.payload.recorded(now)
        for found in self.products.send_fetched(now):
            command = self._fetching.popleft()
            words = f"{command.sensor} frame {command.frame_number} is not kept aboard"
            self._reply(command, "" if found else words, now)
        self._supervisor.expire(now)
        for answer in self._supervisor.take_answers(now):
            self.payload.take(answer, now)
            loss = self.outbox.take(answer, now)
            if loss is not None:
                self.note(loss, now)
        self.outbox.expire(now)
        self.payload.poll(now)
        for happening in (*self._supervisor.take_events(), *self.payload.take_events()):
            self.note(happening, now)
        if self._health_due_ns is not None and self._health_due_ns <= now.mono_ns:
            self._health_due_ns = now.mono_ns + self._rhythm.health_ns
            self._send_health(now)
        if self._events_due_ns is not None and self._events_due_ns <= now.mono_ns:
            self.flush_events(now)

    def flush_events(self, now: Instant) -> None:
        """Send the events that wait."""
        self._events_due_ns = None
        urgent = self._events.urgent
        reports = self._events.take()
        if reports:
            kind = ProductKind.URGENT_EVENTS if urgent else ProductKind.EVENTS
            self._send_record(kind, encode_events(reports), now)

    def command(self, data: bytes, now: Instant) -> None:
        """Do what the ground asks, once; the reply follows when it is done.

        Raises:
            OSError: the disk refused to remember that it was done.
        """
        try:
            command = Command.decode(data)
        except WireError as error:
            self.note(Event.COMMAND_REFUSED(number=0, what=str(error)), now)
            return
        if command.number in self._commands:
            return
        self._commands.add(command.number)
        if command.kind is CommandKind.SEND_FRAME:
            self._fetching.append(command)
            self.products.fetch(command.sensor, command.frame_number)
        else:
            self._send_health(now)
            self._reply(command, "", now)

    def _reply(self, command: Command, problem: str, now: Instant) -> None:
        """Tell what became of a command; ``problem`` is what is wrong, or nothing."""
        words = problem or f"{command.kind.name.lower()} {command.sensor} {command.frame_number}"
        done = Event.COMMAND_REFUSED if problem else Event.COMMAND_DONE
        self.note(done(number=command.number, what=words), now)
        reply = Reply(command.number, not problem, words)
        self._send_record(ProductKind.REPLY, reply.encode(), now)

    def _send_health(self, now: Instant) -> None:
        figures = (
            *read_health(self._state).named(),
            ("steps_made", self.payload.steps_made),
            ("products_made", self.outbox.products_made),
            ("product_bytes_made", self.outbox.bytes_made),
        )
        names, values = zip(*figures, strict=True)
        self._send_record(ProductKind.HEALTH, Health(now, names, values).encode(), now)

    def _send_record(self, kind: ProductKind, record: bytes, now: Instant) -> None:
        about = About(self.products.next_product(), BOARD, 0, now, b"")
        self.outbox.add(record_plan(kind, record), about, now)
