"""A camera with a range finder beside it, through the real processes."""

from pathlib import Path

import numpy as np

from flight.product.part import ProductKind
from flight.product.values import Kind
from ground.archive import open_archive
from ground.library import Library
from hil_tests.lander import all_home, look_home, mission, steps_made
from tools.sim.__main__ import axis_of
from tools.sim.__main__ import frame as simulated_frame
from tools.trio import Source

FRAMES = 4
HEARD = 3
"""The last of the camera's frames has no range image beside it."""


def write_frames(folder: Path) -> list[Source]:
    for name, kind, count in (("nav", "camera", FRAMES), ("lidar", "range", HEARD)):
        (folder / "frames" / name).mkdir(parents=True)
        for number in range(count):
            path = folder / "frames" / name / f"{number:03d}.npy"
            np.save(path, simulated_frame(kind, 5, number))
    axis = f"axis = {list(axis_of('camera'))}"
    return [
        Source("nav", "camera", ('folder = "frames/nav"', "interval_s = 0.7", axis)),
        Source(
            "lidar",
            "range",
            (
                'folder = "frames/lidar"',
                "interval_s = 0.7",
                axis,
                "unit_counts = 500",
                'beside = "nav"',
                "pair_s = 0.3",
            ),
        ),
    ]


def test_a_killed_lander_guards_every_site_by_its_own_range_image_and_replay_agrees(
    tmp_path: Path,
) -> None:
    with mission(tmp_path, sources=write_frames(tmp_path)) as trio:
        trio.start("lander")
        trio.wait_until(lambda: steps_made(trio) >= 2, timeout_s=120)
        trio.kill("lander")
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, FRAMES), timeout_s=120)
        home = look_home(trio)
        with open_archive(trio.archive) as archive:
            library = Library(archive)
            images = {
                row.header.frame_number: library.read(row.header.id).array
                for row in library.rows()
                if row.header.kind is ProductKind.RANGE
            }
    assert (home.replay_agrees, home.replay_others, home.incomplete) == (FRAMES, 0, 0)
    for number in range(FRAMES):
        entry = home.decisions["nav", number]
        guarded = any(f.kind is Kind.FORBIDDEN_AREA for f in entry.decision.findings)
        assert guarded == (number < HEARD)
        assert len(entry.step.outputs) == 1 + guarded
    assert set(images) == {0}
    assert np.array_equal(images[0].samples, simulated_frame("range", 5, 0))
    assert any("nav frame 3 goes without lidar" in words for words in home.events)
