"""What a mission's settings say of one sensor."""

from dataclasses import dataclass, fields
from pathlib import Path

import msgpack

from flight.board.sensors.reading import DIMENSIONS, MAX_DIMENSION
from flight.product.values import SensorKind


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """One source of frames: a folder of files, or a command that writes frames."""

    name: str
    """Names the sensor in every product and event."""
    kind: SensorKind
    """What its frames are: "camera", "cube", "xray", "range" or "sample"."""
    folder: Path | None = None
    """Read this folder's frame files (.pgm .png .npy .hdr .msa) in the order of their names."""
    command: tuple[str, ...] = ()
    """Or start this program, which writes .npy arrays to its standard output, one after another.
    "{first}" in a word becomes the number of the frame it is to begin with."""
    interval_s: float = 1.0
    """Folder: a frame each this many seconds."""
    watch: bool = False
    """Folder: go on looking for new files. Their names must sort in the order they are made, and
    a file must be moved in when it is complete."""
    shape: tuple[int, ...] = ()
    """What each frame must measure, as (rows, columns), (bands, lines, samples) or (channels);
    a frame of another size is refused. Empty: any."""
    axis: tuple[int, ...] = ()
    """For frames that bring none: cube, band centres in picometres; xray, channel energy offset
    and gain in millielectronvolts; camera, ground sample distance in micrometres or nothing;
    range, ground sample distance in micrometres."""
    unit_counts: int = 0
    """Cubes of whole numbers that do not say it: counts that stand for reflectance 1.0. Range
    images: counts a metre."""
    float_unit_counts: int = 20_000
    """Cubes of floating-point reflectance become whole numbers of this many counts for 1.0. With
    the default a 12-bit detector that saturates at reflectance 0.2 or above loses no step, and
    the largest reflectance is 3.27."""
    live_ms: int = 0
    """X-ray spectra that do not say it: their live time in milliseconds."""
    detector: str = ""
    """X-ray files of two detectors: "A" or "B"; empty: their sum."""
    max_frame_bytes: int = 64 << 20
    """A frame of more bytes is refused before it is read."""
    beside: str = ""
    """Range images: the camera whose frames they go with. Each of its frames takes the range image
    that was taken nearest to it, waits for one, and goes without after ``pair_s``."""
    pair_s: float = 0.2
    """Range images: farthest apart in time that two frames belong together; below half of the
    camera's interval, or a neighbour's may be taken."""
    after: str = ""
    """Cameras: the camera that looked before from higher up, or this one again where its frames
    bring their own axis. This one's next frame is centred on the place that the other's last frame
    named, or found to risk least, and both looks then judge a site. Both need an axis."""
    timeout_s: float = 60.0
    """Command: kill and restart it when it wrote nothing for this long."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.name or len(self.name) > 32:
            raise ValueError("name must have 1 to 32 characters")
        if (self.folder is None) == (not self.command):
            raise ValueError(f"sensor {self.name}: give either folder or command")
        if not self.interval_s >= 0 or not self.timeout_s > 0:
            raise ValueError(f"sensor {self.name}: interval_s must be 0 or more, timeout_s above 0")
        if (self.kind is SensorKind.RANGE) != bool(self.beside) or not self.pair_s >= 0:
            raise ValueError(
                f"sensor {self.name}: a range sensor, and no other, needs beside, the name of a "
                "camera; pair_s must be 0 or more"
            )
        if self.after and self.kind is not SensorKind.CAMERA:
            raise ValueError(f"sensor {self.name}: after is for a camera")
        if self.shape and len(self.shape) != DIMENSIONS[self.kind]:
            raise ValueError(
                f"sensor {self.name}: shape needs {DIMENSIONS[self.kind]} numbers for this kind"
            )
        if not all(1 <= side <= MAX_DIMENSION for side in self.shape):
            raise ValueError(f"sensor {self.name}: shape must lie within 1 and {MAX_DIMENSION}")
        if not 0 <= self.unit_counts <= 0xFFFF or not 1 <= self.float_unit_counts <= 0xFFFF:
            raise ValueError(f"sensor {self.name}: unit counts must lie within 1 and 65535")
        if not 1 <= self.max_frame_bytes <= 1 << 30:
            raise ValueError(f"sensor {self.name}: max_frame_bytes must lie within 1 and 2**30")


def settings_bytes(settings: SensorSettings) -> bytes:
    """Return a sensor's settings for its host."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    folder = settings.folder
    values["folder"] = None if folder is None else str(folder)
    return bytes(msgpack.packb(values, unicode_errors="surrogateescape"))


def read_settings(data: bytes) -> SensorSettings:
    """Return the settings that ``settings_bytes`` wrote."""
    values = msgpack.unpackb(data, use_list=False, unicode_errors="surrogateescape")
    folder = values["folder"]
    values["folder"] = None if folder is None else Path(folder)
    values["kind"] = SensorKind(values["kind"])
    return SensorSettings(**values)
