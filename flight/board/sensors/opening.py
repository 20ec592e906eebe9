"""Which kind of sensor the settings mean."""

from collections.abc import Callable

from flight.board.sensors.directory import DirectorySensor
from flight.board.sensors.process import ProcessSensor
from flight.board.sensors.sensor import Sensor
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant


def open_sensor(
    settings: SensorSettings,
    now: Instant,
    *,
    first: int = 0,
    before: Callable[[], None] | None = None,
) -> Sensor:
    """Return the sensor that the settings describe; its next frame is number ``first``.

    ``before`` runs in each program it starts, first of all; for a process of one thread only.
    """
    if settings.folder is not None:
        return DirectorySensor(settings, now, first=first)
    return ProcessSensor(settings, now, first=first, before=before)
