"""A folder of frame files as a sensor: one file an interval, in the order of their names."""

from pathlib import Path

from flight.board.sensors.files import SUFFIXES, read_file
from flight.board.sensors.reading import FrameError
from flight.board.sensors.sensor import Delivery, deliver
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant
from flight.product.events import Event

MAX_FILES = 100_000
"""Names remembered of one folder; files beyond are not read."""


class DirectorySensor:
    """Reads a folder, file by file. A bad file is one event and uses up its number.

    A file's place in name order is its frame's number, so that a board that restarts goes on
    with the file after the last one it finished.
    """

    def __init__(self, settings: SensorSettings, now: Instant, *, first: int = 0) -> None:
        if settings.folder is None:
            raise ValueError(f"sensor {settings.name} has no folder")
        self.name = settings.name
        self.finished = False
        self._settings = settings
        self._folder = settings.folder
        self._interval_ns = round(settings.interval_s * 1e9)
        self._due_ns = now.mono_ns
        self.number = first
        self._waiting: list[Path] = []
        self._seen: set[str] = set()
        self._folder_failed = False
        self._skip = first

    def fileno(self) -> int | None:
        """Return None: files have no descriptor worth waiting for."""
        return None

    def next_deadline_ns(self) -> int | None:
        """Return when the next file is due; None after the last."""
        return None if self.finished else self._due_ns

    def poll(self, now: Instant) -> tuple[Delivery, ...]:
        """Return the next file's frame when it is due, or the event that it cannot be read."""
        if self.finished or now.mono_ns < self._due_ns:
            return ()
        # A board that was busy for several intervals reads one file, not all it missed.
        self._due_ns = max(self._due_ns + self._interval_ns, now.mono_ns)
        if not self._waiting:
            trouble = self._look()
            if trouble:
                return trouble
        if not self._waiting:
            if self._settings.watch:
                self._due_ns = now.mono_ns + max(self._interval_ns, 100_000_000)
                return ()
            self.finished = True
            return (Event.SENSOR_DONE(sensor=self.name, frames=self.number),)
        return self._read(self._waiting.pop(0), now)

    def close(self) -> None:
        """Forget the folder."""
        self.finished = True

    def _read(self, path: Path, now: Instant) -> tuple[Delivery, ...]:
        number, self.number = self.number, self.number + 1
        try:
            reading = read_file(path, self._settings)
            return deliver(self._settings, reading, number=number, now=now, name=path.name)
        except FrameError as error:
            return (Event.FRAME_REFUSED(sensor=self.name, what=str(error)),)

    def _look(self) -> tuple[Delivery, ...]:
        """Note the folder's new files; return an event when it cannot be listed."""
        suffixes = SUFFIXES[self._settings.kind]
        try:
            found = sorted(
                (
                    path
                    for path in self._folder.iterdir()
                    if path.suffix.lower() in suffixes
                    and path.name not in self._seen
                    and path.is_file()  # opening a pipe would block the loop
                ),
                key=lambda path: path.name,
            )
        except OSError as error:
            if self._folder_failed and self._settings.watch:
                return ()
            self._folder_failed = True
            self.finished = not self._settings.watch
            return (
                Event.SENSOR_FAILED(sensor=self.name, what=f"{self._folder}: {error.strerror}"),
            )
        self._folder_failed = False
        new = found[: MAX_FILES - len(self._seen)]
        self._seen.update(path.name for path in new)
        self._waiting = new[self._skip :]
        self._skip = max(0, self._skip - len(new))
        return ()
