"""One mission, three bindings: over UDP, over a pseudo-terminal, or a real board on a tty.

The tests of rung 3 and rung 4 are the same; what differs is what the relay's port leads to.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flight.board.clock import BoardClock
from flight.product.journal import JournalEntry
from flight.product.part import ProductKind
from ground.archive import open_archive
from ground.library import Library
from ground.replay import Outcome, replay
from hil_tests.serialline import SerialLine
from tools.datasets import REFLECTANCE_COUNTS, write_envi
from tools.sim import cubes
from tools.sim.__main__ import axis_of
from tools.sim.__main__ import frame as simulated_frame
from tools.trio import LANDER, Sky, Source, Trio, Window

CAMERA_FRAMES = 4
QUICK_SKY = Sky(
    lander_relay=(Window(1, 5), Window(8, 100)),
    relay_ground=(Window(2, 6), Window(9, 100)),
    lander_bytes_s=250_000,
    relay_bytes_s=250_000,
    near_ms=20,
    far_ms=40,
    loss_permille=20,
)


@dataclass(frozen=True)
class Home:
    """What has come home."""

    decisions: dict[tuple[str, int], JournalEntry]
    """By sensor and frame number."""
    kinds: Counter[ProductKind]
    incomplete: int
    repeated: int
    events: tuple[str, ...]
    replay_agrees: int
    replay_others: int


def write_frames(folder: Path) -> list[Source]:
    """Write simulated frames as files, one folder a sensor; return the sensors."""
    for name in ("navcam", "m3", "xrf"):
        (folder / "frames" / name).mkdir(parents=True)
    for number in range(CAMERA_FRAMES):
        path = folder / "frames" / "navcam" / f"{number:03d}.npy"
        np.save(path, simulated_frame("camera", 5, number))
    cube = np.rint(simulated_frame("cube", 5, 0)[:, :16, :16] * REFLECTANCE_COUNTS)
    wavelengths = [pm / 1000 for pm in cubes.AXIS_PM]
    write_envi(folder / "frames" / "m3", "scan", cube.astype(np.uint16), wavelengths)
    np.save(folder / "frames" / "xrf" / "soil.npy", simulated_frame("xray", 5, 0))
    return [
        Source("navcam", "camera", ('folder = "frames/navcam"', "interval_s = 0.7")),
        Source("m3", "cube", ('folder = "frames/m3"',)),
        Source("xrf", "xray", ('folder = "frames/xrf"', f"axis = {list(axis_of('xray'))}")),
    ]


@contextlib.contextmanager
def mission(
    folder: Path, *, binding: str = "udp", sources: Sequence[Source] | None = None
) -> Iterator[Trio]:
    """Yield a mission with relay and ground running; the lander is the test's to start."""
    with contextlib.ExitStack() as stack:
        serial = None
        if binding == "pty":
            line = stack.enter_context(contextlib.closing(SerialLine()))
            serial = line.devices
        elif binding != "udp":
            serial = ("unused: the lander is the board", binding)
        epoch_ms = BoardClock().now().dtn_ms // 1000 * 1000
        chosen = write_frames(folder) if sources is None else sources
        trio = Trio(folder, QUICK_SKY, chosen, epoch_ms=epoch_ms, serial=serial)
        stack.callback(trio.kill_all)
        trio.start("relay")
        trio.start("ground")
        trio.wait_until((trio.archive / "raw").is_dir, timeout_s=60)
        yield trio


def steps_made(trio: Trio) -> int:
    """Return how many decisions the lander has in its journal."""
    return int(trio.status("lander").get("craft", {}).get("next_step", 0))


def products_home(trio: Trio) -> int:
    """Return how many products have arrived whole."""
    with open_archive(trio.archive) as archive:
        return sum(row.complete for row in archive.products())


def look_home(trio: Trio) -> Home:
    """Return what has come home, repeated on the ground."""
    with open_archive(trio.archive) as archive:
        library = Library(archive)
        rows = library.rows()
        entries = library.logbook.entries.get(LANDER, {})
        result = replay(library)
        agrees = result.count(Outcome.AGREES)
        others = sum(result.count(o) for o in Outcome) - agrees
        events = []
        for row in rows:
            if row.header.kind in (ProductKind.EVENTS, ProductKind.URGENT_EVENTS):
                record = library.record(row.header.id)
                assert isinstance(record, tuple)
                events += [report.happening.words() for report in record]
        repeated = archive.catalogue.tally().repeated
    return Home(
        decisions={(e.step.sensor, e.step.frame_number): e for e in entries.values()},
        kinds=Counter(row.header.kind for row in rows),
        incomplete=sum(not row.complete for row in rows),
        repeated=repeated,
        events=tuple(events),
        replay_agrees=agrees,
        replay_others=others,
    )


def all_home(trio: Trio, steps: int) -> bool:
    """Return whether the lander made so many decisions and everything of them is home."""
    craft = trio.status("lander").get("craft", {})
    if craft.get("next_step", 0) < steps or craft.get("steps_undone", 1):
        return False
    if not trio.is_drained():
        return False
    with open_archive(trio.archive) as archive:
        return all(row.complete for row in archive.products())
