"""Which reader reads which file."""

from pathlib import Path

from flight.board.sensors.envi import read_envi
from flight.board.sensors.msa import read_msa
from flight.board.sensors.npy import read_npy
from flight.board.sensors.pgm import read_pgm
from flight.board.sensors.png import read_png
from flight.board.sensors.reading import FrameError, Reading, reading_of
from flight.board.sensors.settings import SensorSettings
from flight.product.values import SensorKind

SUFFIXES = {
    SensorKind.CAMERA: (".pgm", ".png", ".npy"),
    SensorKind.CUBE: (".hdr", ".npy"),
    SensorKind.XRAY: (".msa", ".npy"),
    SensorKind.RANGE: (".pgm", ".png", ".npy"),
    SensorKind.SAMPLE: (".pgm", ".png", ".npy"),
}


def read_file(path: Path, settings: SensorSettings) -> Reading:
    """Return what one file of the sensor's folder holds.

    Raises:
        FrameError: the file cannot be read or is not a frame of the sensor's kind.
    """
    limit = settings.max_frame_bytes
    try:
        if path.suffix.lower() == ".hdr":
            return read_envi(path, limit, float_unit_counts=settings.float_unit_counts)
        data = _read(path, limit)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FrameError(path.name, reason, "check the file and its permissions") from error
    match path.suffix.lower():
        case ".msa":
            return read_msa(path.name, data, settings.detector)
        case ".pgm":
            return Reading(read_pgm(path.name, data))
        case ".png":
            return Reading(read_png(path.name, data, limit))
        case _:
            array = read_npy(path.name, data, limit)
    return reading_of(path.name, settings.kind, array, float_unit_counts=settings.float_unit_counts)


def _read(path: Path, limit: int) -> bytes:
    # A text image (P2) takes up to six characters a sample; headers are small.
    most = 6 * limit + 4096
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise FrameError(path.name, f"more than {most} bytes", f"the limit is {limit} a frame")
    return data
