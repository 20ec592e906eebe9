"""The sensors' host: a child process that reads frames, so that the control loop never does.

Run as ``python -m flight.board.sensors.host DESCRIPTOR`` by flight.board.sensorhost. Only here are
frame files opened and parsed, and programs listened to. A sensor looks for its next frame when it
is asked to, so that folders and programs wait while the board is busy. One process serves all
sensors: each further one would cost as much memory as a model.
"""

import select
import signal
import socket
import sys

from flight.board.clock import BoardClock
from flight.board.messages import Channel, Heard, Say
from flight.board.parent import die_with_parent, follow_parent, free_memory, limit_memory
from flight.board.sealedvalues import frame_fields, seal_frame
from flight.board.sensors.opening import open_sensor
from flight.board.sensors.sensor import Delivery, Sensor
from flight.board.sensors.settings import read_settings
from flight.product.errors import WireError
from flight.product.events import Happening
from flight.product.values import Frame

LONGEST_LOOK_S = 60
"""Reading one frame may take so long; then the kernel ends this process, whatever it does."""


class _Host:
    """The sensors, and which of them are to deliver."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._clock = BoardClock()
        self._sensors: list[Sensor] = []
        self._asked: set[int] = set()
        self._looking = -1

    def turn(self) -> bool:
        """Wait for something to do and do it; False when the control process has gone."""
        if self._wait():
            try:
                heard = self._channel.receive()
            except EOFError:
                return False
            if heard is not None:
                self._act(heard)
        for index in sorted(self._asked):
            self._look(index, self._sensors[index])
        return True

    def close(self) -> None:
        """Stop the sensors' programs."""
        for sensor in self._sensors:
            sensor.close()

    def _wait(self) -> bool:
        """Wait until something is due; return whether the control process has spoken."""
        asked = [self._sensors[index] for index in self._asked]
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        for sensor in asked:
            fileno = sensor.fileno()
            if fileno is not None:
                poller.register(fileno, select.POLLIN)
        deadlines = [sensor.next_deadline_ns() for sensor in asked]
        due_ns = min((due for due in deadlines if due is not None), default=None)
        left_ns = None if due_ns is None else max(0, due_ns - self._clock.now().mono_ns)
        ready = poller.poll(None if left_ns is None else -(-left_ns // 1_000_000))
        return any(fileno == self._channel.fileno() for fileno, _ in ready)

    def _act(self, heard: Heard) -> None:
        fields = heard.fields
        if heard.say is Say.WATCH:
            limit_memory(fields.integer("memory limit"))
            settings, first = read_settings(fields.binary("settings")), fields.integer("first")
            now = self._clock.now()
            self._sensors.append(open_sensor(settings, now, first=first, before=_free))
        elif heard.say is Say.NEXT:
            self._asked.add(fields.integer("sensor", 0, len(self._sensors) - 1))
        else:
            raise WireError(f"{heard.say.name} is not for a sensor")

    def _look(self, index: int, sensor: Sensor) -> None:
        if index != self._looking:
            self._looking = index
            self._channel.send(Say.LOOKING, index)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_LOOK_S)
        delivered = sensor.poll(self._clock.now())
        signal.setitimer(signal.ITIMER_REAL, 0)
        if delivered or sensor.finished:
            self._asked.discard(index)
            self._deliver(index, sensor, delivered)

    def _deliver(self, index: int, sensor: Sensor, delivered: tuple[Delivery, ...]) -> None:
        events = [
            [one.event.number, list(one.values)] for one in delivered if isinstance(one, Happening)
        ]
        said = (index, sensor.number, sensor.finished, events)
        sealed = next((seal_frame(one) for one in delivered if isinstance(one, Frame)), None)
        if sealed is None:
            self._channel.send(Say.DELIVERED, *said, [], b"", 0)
        else:
            frame = (frame_fields(sealed.frame), sealed.stamp.digest, sealed.crc)
            self._channel.send(Say.DELIVERED, *said, *frame, memories=(sealed.memory,))


def _free() -> None:
    """Give a sensor's program its own limits back, and the host's fate."""
    free_memory()
    die_with_parent()


def main(descriptor: int) -> None:
    """Serve until the control process closes its end of the socket."""
    follow_parent()
    host = _Host(Channel(socket.socket(fileno=descriptor), most_bytes=0))
    try:
        while host.turn():
            pass
    finally:
        host.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
