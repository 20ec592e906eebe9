"""The node of a station, for commands: the running one, or one that runs as long as the command."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flight.ports.gateway import socket_path
from flight.ports.localsocket import Caller, Message, calling
from flight.settings import SettingsError
from ground.clock import GroundClock
from ground.config import read_station

START_S = 20.0
"""How long a station of our own may take until it answers."""
ANSWER_S = 10.0


class StationNode:
    """Asks the node of a station, and takes what it says later, unasked."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._clock = GroundClock()
        self._later: list[tuple[int, Message]] = []

    def ask(self, request: Message, answer: str) -> Message:
        """Send a request and return the first message that holds ``answer``.

        Raises:
            SettingsError: the node refuses, or says nothing.
        """
        try:
            self._caller.say(request)
            while (found := self._caller.hear(ANSWER_S)) is not None:
                if "error" in found:
                    raise SettingsError(f"the station: {found['error']}")
                if answer in found:
                    return found
                self._later.append((self._clock.now().mono_ns, found))
        except OSError as error:
            raise _gone(error) from error
        raise SettingsError("the station does not answer; is it stopped?")

    def hear(self, timeout_s: float) -> tuple[int, Message] | None:
        """Return the next message that no request waited for, and when it came (``mono_ns``).

        None when none has come in time.

        Raises:
            SettingsError: the station has ended.
        """
        if self._later:
            return self._later.pop(0)
        try:
            found = self._caller.hear(timeout_s)
        except OSError as error:
            raise _gone(error) from error
        return None if found is None else (self._clock.now().mono_ns, found)

    def release(self, bundle: Message) -> None:
        """Let a received bundle go.

        Raises:
            SettingsError: the station has ended.
        """
        try:
            self._caller.say({"do": "release", "number": bundle.get("number")})
        except OSError as error:
            raise _gone(error) from error


@contextlib.contextmanager
def station_node(config: Path) -> Iterator[StationNode]:
    """Reach the node of a station; where none runs, `ground receive` runs until the block is left.

    Raises:
        SettingsError: the configuration is wrong, or a station cannot be started.
    """
    settings, _ = read_station(config, reference_ms=GroundClock().now().dtn_ms)
    path = socket_path(settings.store.directory)
    with contextlib.ExitStack() as stack:
        try:
            caller = stack.enter_context(calling(path))
        except OSError:
            print("no station is running: one runs for this command", file=sys.stderr)
            stack.enter_context(_own_station(config))
            try:
                caller = stack.enter_context(calling(path))
            except OSError as error:
                raise _gone(error) from error
        yield StationNode(caller)


@contextlib.contextmanager
def _own_station(config: Path) -> Iterator[None]:
    """Run a station; what arrives meanwhile is archived as always."""
    command = [sys.executable, "-m", "ground", "receive", str(config)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as station:
        try:
            # Its first line says that it hears; before that its socket may not be there.
            if station.stdout is None or not station.stdout.readline():
                _, words = station.communicate(timeout=START_S)
                raise SettingsError(words.strip().removeprefix("ground receive: "))
            yield
        finally:
            station.terminate()
            station.communicate(timeout=START_S)


def _gone(error: OSError) -> SettingsError:
    return SettingsError(f"the station has ended: {error.strerror or error}")
