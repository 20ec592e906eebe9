"""The control process's side of the sensors' host: frames come from it, sealed and stamped.

A host that dies, hangs or speaks nonsense is killed and started again with a growing pause; each
sensor goes on with the frame that was not delivered. A file that has ended its host three times
is left out, as one that cannot be read.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from flight.board.child import Child
from flight.board.messages import Channel, Heard, Say
from flight.board.sealedvalues import SealedFrame, frame_of_fields
from flight.board.sensors.reading import DIMENSIONS
from flight.board.sensors.settings import SensorSettings, settings_bytes
from flight.board.workerprocess import start_child
from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.events import Event, Happening, read_happening
from flight.product.journal import Stamp
from flight.product.records import Fields

FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 60
PATIENCE_S = 1.0
"""How long it may take to end when the board stops."""
MOST_ATTEMPTS = 3
"""Hosts that one file may end before it is left out."""

SealedDelivery: TypeAlias = SealedFrame | Happening
"""A frame, or the event that says why there is none (or what is amiss with the next one)."""


class Feed(Protocol):
    """What the loop asks of a sensor."""

    @property
    def name(self) -> str:
        """The sensor's name in products and events."""
        ...

    @property
    def finished(self) -> bool:
        """Whether no frame will ever come again."""
        ...

    def fileno(self) -> int | None:
        """Return what becomes readable when there is something to poll, if there is such."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to poll, or None when only the descriptor counts."""
        ...

    def poll(self, now: Instant) -> tuple[SealedDelivery, ...]:
        """Return what came since the last call, in order; often nothing. Ask for the next."""
        ...


class HostedSensor:
    """One sensor of the host, as a Feed."""

    def __init__(
        self, host: "SensorHost", index: int, settings: SensorSettings, first: int
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self.number = first
        """Its next frame's."""
        self.asked = False
        self.done = False
        self.attempts = 0
        """Hosts that ended over this number."""
        self.inbox: deque[SealedDelivery] = deque()
        self._host = host
        self._index = index

    @property
    def finished(self) -> bool:
        """Whether no frame will ever come again."""
        return self.done and not self.inbox

    def fileno(self) -> int | None:
        """Return the host's descriptor while it lives."""
        return None if self.finished else self._host.fileno()

    def next_deadline_ns(self) -> int | None:
        """Return when the host is to be started, or 0 when something waits to be done."""
        if self.finished:
            return None
        if self.inbox:
            return 0
        start_ns = self._host.start_ns
        if start_ns is not None:
            return start_ns
        return None if self.asked else 0

    def poll(self, now: Instant) -> tuple[SealedDelivery, ...]:
        """Return what has come, and have the host deliver once more."""
        self._host.hear(now)
        found: list[SealedDelivery] = []
        # What was taken after this turn began belongs to the next: time never runs backwards.
        while self.inbox and _taken_ns(self.inbox[0]) <= now.mono_ns:
            found.append(self.inbox.popleft())
        if not (self.asked or self.done or self.inbox):
            self.asked = self._host.ask(self._index)
        return tuple(found)


class SensorHost:
    """The child in which the sensors live."""

    def __init__(
        self,
        sensors: Sequence[tuple[SensorSettings, int]],
        now: Instant,
        *,
        memory_limit_bytes: int,
    ) -> None:
        """Start it; each sensor comes with the number of its first frame."""
        self.feeds = tuple(
            HostedSensor(self, index, settings, first)
            for index, (settings, first) in enumerate(sensors)
        )
        self.start_ns: int | None = now.mono_ns if self.feeds else None
        """When it is to be started; None: it runs."""
        self._memory_limit_bytes = memory_limit_bytes
        self._most_bytes = max((_most_bytes(s) for s, _ in sensors), default=0)
        self._running: tuple[Channel, Child] | None = None
        self._retired: list[Child] = []
        self._looking: int | None = None
        self._pause_s = FIRST_PAUSE_S
        self.hear(now)

    def fileno(self) -> int | None:
        """Return the descriptor that is readable when the host spoke or died."""
        return self._running[0].fileno() if self._running else None

    def pid(self) -> int | None:
        """Return the process that runs, if one does."""
        return self._running[1].pid if self._running else None

    def ask(self, index: int) -> bool:
        """Have a sensor deliver once more; False while there is no host to ask."""
        return self._running is not None and self._running[0].send(Say.NEXT, index)

    def hear(self, now: Instant) -> None:
        """Take in what the host said; start it when that is due."""
        self._retired = [child for child in self._retired if not _is_gone(child)]
        if self.start_ns is not None and self.start_ns <= now.mono_ns:
            self._start(now)
        if self._running is None:
            return
        channel, child = self._running
        try:
            for heard in channel.receive_some():
                self._heard(heard)
        except EOFError:
            words = child.last_words()
            self._lose(f"{child.ending()}: {words}" if words else child.ending(), now)
        except WireError as error:
            self._lose(f"speaks nonsense: {error}", now)

    def close(self) -> None:
        """Kill it, and the sensors' programs with it."""
        if self._running:
            channel, child = self._running
            channel.close()  # it ends now, and its programs with all that they started
            child.close(patience_s=PATIENCE_S)
        for child in self._retired:
            child.close()
        self._running, self._retired, self.start_ns = None, [], None

    def _start(self, now: Instant) -> None:
        try:
            channel, child = start_child("flight.board.sensors.host", self._most_bytes)
        except OSError as error:
            self._pause(f"cannot start: {error.strerror}", now)
            return
        self._running, self.start_ns, self._looking = (channel, child), None, None
        for feed in self.feeds:
            settings = settings_bytes(feed.settings)
            channel.send(Say.WATCH, self._memory_limit_bytes, settings, feed.number)

    def _heard(self, heard: Heard) -> None:
        fields = heard.fields
        index = fields.integer("sensor", 0, len(self.feeds) - 1)
        feed = self.feeds[index]
        if heard.say is Say.LOOKING:
            self._looking = index
        elif heard.say is Say.DELIVERED and feed.asked:
            self._delivered(feed, heard)
        else:
            raise WireError(f"{heard.say.name} was not asked for")

    def _delivered(self, feed: HostedSensor, heard: Heard) -> None:
        fields = heard.fields
        following, done = fields.integer("next frame", feed.number), fields.boolean("finished")
        rows = fields.array("events", most=8)
        came: list[SealedDelivery] = [_event(rows) for _ in range(rows.left())]
        told = fields.array("frame")
        if told.left():
            frame = _frame(told, fields, heard, feed.settings)
            if not feed.number <= frame.frame.number < following:
                raise WireError(f"frame {frame.frame.number} is out of order")
            came.append(frame)
            self._pause_s = FIRST_PAUSE_S
        feed.inbox += came
        feed.asked, feed.done, feed.number, feed.attempts = False, done, following, 0

    def _lose(self, why: str, now: Instant) -> None:
        """Give the host up: what it was looking at may be what ended it."""
        assert self._running is not None
        channel, child = self._running
        channel.close()
        child.kill()
        self._running = None
        self._retired.append(child)
        for feed in self.feeds:
            feed.asked = False
        self._pause(why, now)
        if self._looking is None:
            return
        feed = self.feeds[self._looking]
        feed.attempts += 1
        if feed.attempts == MOST_ATTEMPTS and feed.settings.folder is not None:
            what = f"frame {feed.number} ended its reader {MOST_ATTEMPTS} times and is left out"
            feed.inbox.append(Event.FRAME_REFUSED(sensor=feed.name, what=what))
            feed.number, feed.attempts = feed.number + 1, 0

    def _pause(self, why: str, now: Instant) -> None:
        feed = self.feeds[self._looking or 0]
        what = f"the reader {why}; starting it again in {self._pause_s} s"
        feed.inbox.append(Event.SENSOR_FAILED(sensor=feed.name, what=what))
        self.start_ns = now.mono_ns + self._pause_s * 1_000_000_000
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _is_gone(child: Child) -> bool:
    if child.exit_code() is None:
        return False
    child.close()
    return True


def _taken_ns(delivery: SealedDelivery) -> int:
    return delivery.frame.taken.mono_ns if isinstance(delivery, SealedFrame) else 0


def _most_bytes(settings: SensorSettings) -> int:
    """Return how large a frame's samples may be: one byte of a file may become four."""
    return 4 * settings.max_frame_bytes


def _event(rows: Fields) -> Happening:
    row = rows.array("event", most=2)
    return read_happening(row.integer("event number"), row.array("values", most=8))


def _frame(told: Fields, fields: Fields, heard: Heard, settings: SensorSettings) -> SealedFrame:
    """Return a frame of a sensor, or refuse what none of its frames can be."""
    memory = heard.memory()
    frame = frame_of_fields(told, memory.view())
    shape = frame.samples.shape
    if (frame.sensor, frame.kind) != (settings.name, settings.kind):
        raise WireError(f"a frame of {frame.sensor}, not of {settings.name}")
    if len(shape) != DIMENSIONS[settings.kind] or memory.size_bytes > _most_bytes(settings):
        raise WireError(f"a frame of {memory.size_bytes} bytes and {len(shape)} dimensions")
    digest, crc = fields.binary("digest", size=32), fields.integer("crc", 0, 2**32 - 1)
    return SealedFrame(frame, memory, Stamp(shape, digest), crc)
