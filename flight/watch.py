"""What somebody beside the node can see: a status file, renewed every second."""

import contextlib
import json
import signal
import sys
import traceback
from collections import deque
from dataclasses import asdict
from pathlib import Path

from flight.board.notify import notify
from flight.craft import Craft
from flight.instant import Instant
from flight.link import Link
from flight.product.events import Happening
from flight.relay.node import Node

STATUS_INTERVAL_NS = 1_000_000_000
RECENT_EVENTS = 50
LAST_WORDS = "last-words"
LAST_WORDS_MOST = 8_000


class Recent:
    """The last events in words, for the status file."""

    def __init__(self) -> None:
        self._events: deque[dict[str, object]] = deque(maxlen=RECENT_EVENTS)

    def note(self, happening: Happening, now: Instant) -> None:
        """Remember one."""
        self._events.append(
            {
                "dtn_ms": now.dtn_ms,
                "event": happening.event.name,
                "severity": happening.event.severity.name,
                "words": happening.words(),
            }
        )

    def listed(self) -> list[dict[str, object]]:
        """Return them, the oldest first."""
        return list(self._events)


class Watch:
    """Writes the status file and feeds the service manager's watchdog."""

    def __init__(
        self, path: Path, link: Link, craft: Craft | None, recent: Recent, manager: str | None
    ) -> None:
        self._path = path
        self._link = link
        self._craft = craft
        self._recent = recent
        self._manager = manager
        self._due_ns = 0

    def after_turn(self, now: Instant) -> None:
        """Renew the status when a second has passed; a loop that hangs feeds nobody."""
        if now.mono_ns >= self._due_ns:
            self._due_ns = now.mono_ns + STATUS_INTERVAL_NS
            notify(self._manager, "WATCHDOG=1")
            self.write(now)

    def write(self, now: Instant) -> None:
        """Replace the status file. It is for people: a disk that refuses it stops nothing."""
        status = {
            "dtn_ms": now.dtn_ms,
            "node": asdict(self._link.node.status(now)),
            "datagrams_refused": self._link.datagrams_refused,
            "events": self._recent.listed(),
        }
        if self._craft is not None:
            status["craft"] = self._craft.figures()
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fresh.write_text(json.dumps(status, default=str))
            fresh.replace(self._path)
        except OSError:
            return


class Stop:
    """Says when the loop is to end: at a signal, or when all is done and that was asked for."""

    def __init__(self, craft: Craft | None, node: Node, *, when_done: bool) -> None:
        self._craft = craft
        self._node = node
        self._when_done = when_done
        self._signalled = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signal)

    def _signal(self, number: int, frame: object) -> None:
        del number, frame
        self._signalled = True

    def __call__(self, now: Instant) -> bool:
        """Return whether to end."""
        if self._signalled or not self._when_done:
            return self._signalled
        status = self._node.status(now)
        waiting = sum(status.queued) + status.sending + status.held_deliveries
        return (self._craft is None or self._craft.idle) and not waiting


def write_last_words(folder: Path, error: Exception) -> None:
    """Keep what ended the process, for the next life's event and for whoever mends it."""
    words = traceback.format_exception(error)
    sys.stderr.write("".join(words))
    with contextlib.suppress(OSError):
        (folder / LAST_WORDS).write_text("".join(words)[-LAST_WORDS_MOST:])


def take_last_words(folder: Path) -> str:
    """Return, and forget, what ended the last life: the error and where it was; empty: nothing."""
    path = folder / LAST_WORDS
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
        path.unlink()
    except OSError:
        return ""
    places = [line.strip() for line in lines if line.startswith("  File ")]
    return f"{lines[-1]} ({places[-1]})" if lines and places else "unknown"
