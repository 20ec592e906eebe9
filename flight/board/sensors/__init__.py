"""Where frames come from: files of a folder, or a program that writes them."""

from flight.board.sensors.directory import DirectorySensor
from flight.board.sensors.process import ProcessSensor
from flight.board.sensors.sensor import Delivery, Sensor
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant

__all__ = ["Delivery", "Sensor", "SensorSettings", "open_sensor"]


def open_sensor(settings: SensorSettings, now: Instant, *, first: int = 0) -> Sensor:
    """Return the sensor that the settings describe; its next frame is number ``first``."""
    if settings.folder is not None:
        return DirectorySensor(settings, now, first=first)
    return ProcessSensor(settings, now, first=first)
