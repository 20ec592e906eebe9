"""A program that writes frames to its standard output, as a sensor.

The program may be in any language: it writes .npy arrays one after another. It is started
again when it fails, with a growing pause; when it ends with exit code 0 it has no more frames.
"""

from collections.abc import Callable

from flight.board.child import Child
from flight.board.sensors.npy import NpyStream
from flight.board.sensors.reading import FrameError, reading_of
from flight.board.sensors.sensor import Delivery, deliver
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant
from flight.product.events import Event

FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 60
READS_A_POLL = 256
"""Pipe reads, of up to 64 KiB each, before the loop gets its turn again."""


class ProcessSensor:
    """Runs the command and takes frames from it, one a poll at most."""

    def __init__(
        self,
        settings: SensorSettings,
        now: Instant,
        *,
        first: int = 0,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.name = settings.name
        self.finished = False
        self._settings = settings
        self._before = before
        self.number = first
        self._pause_s = FIRST_PAUSE_S
        self._child: Child | None = None
        self._stream = NpyStream(settings.name, settings.max_frame_bytes)
        self._start_ns = now.mono_ns
        self._late_ns = now.mono_ns

    def fileno(self) -> int | None:
        """Return the descriptor of the program's output while it runs."""
        return self._child.fileno() if self._child else None

    def next_deadline_ns(self) -> int | None:
        """Return when the program is to be started, or counts as hung."""
        if self.finished:
            return None
        return self._late_ns if self._child else self._start_ns

    def poll(self, now: Instant) -> tuple[Delivery, ...]:
        """Return the frame that is complete, or the event of a failure."""
        if self.finished:
            return ()
        if self._child is None:
            return self._start(now) if now.mono_ns >= self._start_ns else ()
        try:
            delivery = self._take(self._child, now)
        except FrameError as error:
            # Where one frame's end is unknown the next one's start is too: begin afresh.
            return self._restart(now, str(error))
        if not delivery and not self.finished and now.mono_ns >= self._late_ns:
            return self._restart(now, f"silent for {self._settings.timeout_s:g} s")
        return delivery

    def close(self) -> None:
        """Kill the program."""
        self.finished = True
        if self._child:
            self._child.close()
            self._child = None

    def _start(self, now: Instant) -> tuple[Delivery, ...]:
        first = str(self.number)
        command = [word.replace("{first}", first) for word in self._settings.command]
        self._stream = NpyStream(self.name, self._settings.max_frame_bytes)
        try:
            self._child = Child(command, before=self._before)
        except OSError as error:
            return self._restart(now, f"{command[0]}: {error.strerror}; check the command")
        self._late_ns = self._late_after(now)
        return ()

    def _take(self, child: Child, now: Instant) -> tuple[Delivery, ...]:
        for _ in range(READS_A_POLL):
            data = child.read(self._stream.wanted)
            if data is None:
                break
            if not data:
                return self._ended(child, now)
            # It speaks, so it lives: a loop too busy to listen must not blame the program.
            self._late_ns = self._late_after(now)
            if self._stream.feed(data):
                return self._frame(now)
        return ()

    def _frame(self, now: Instant) -> tuple[Delivery, ...]:
        number, self.number = self.number, self.number + 1
        self._pause_s = FIRST_PAUSE_S
        name = f"{self.name} {number}"
        settings = self._settings
        try:
            reading = reading_of(
                name,
                settings.kind,
                self._stream.take(),
                float_unit_counts=settings.float_unit_counts,
            )
            return deliver(settings, reading, number=number, now=now, name=name)
        except FrameError as error:
            return (Event.FRAME_REFUSED(sensor=self.name, what=str(error)),)

    def _ended(self, child: Child, now: Instant) -> tuple[Delivery, ...]:
        how, words = child.ending(), child.last_words()
        if child.exit_code() == 0 and self._stream.empty:
            self.close()
            return (Event.SENSOR_DONE(sensor=self.name, frames=self.number),)
        cut = "" if self._stream.empty else ", a frame was cut short"
        return self._restart(now, f"the program {how}{cut}" + (f": {words}" if words else ""))

    def _late_after(self, now: Instant) -> int:
        return now.mono_ns + round(self._settings.timeout_s * 1e9)

    def _restart(self, now: Instant, why: str) -> tuple[Delivery, ...]:
        if self._child:
            self._child.close()
            self._child = None
        self._start_ns = now.mono_ns + self._pause_s * 1_000_000_000
        event = Event.SENSOR_FAILED(
            sensor=self.name, what=f"{why}; starting it again in {self._pause_s} s"
        )
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return (event,)
