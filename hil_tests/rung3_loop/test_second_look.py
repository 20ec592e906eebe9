"""A camera high up and one at the hover, through the real processes."""

from pathlib import Path

import numpy as np

from flight.autonomy.terrain import CELLS, PLANES
from hil_tests.lander import all_home, look_home, mission, steps_made
from tools.sim.__main__ import frame as simulated_frame
from tools.trio import Source

FRAMES = 3


def write_frames(folder: Path) -> list[Source]:
    """Return two cameras, the one that hovers looking after the one from high up."""
    for index, name in enumerate(("high", "hover")):
        (folder / "frames" / name).mkdir(parents=True)
        for number in range(FRAMES):
            path = folder / "frames" / name / f"{number:03d}.npy"
            np.save(path, simulated_frame("camera", 6 + index, number))
    return [
        Source(
            "high", "camera", ('folder = "frames/high"', "interval_s = 0.7", "axis = [1000000]")
        ),
        Source(
            "hover",
            "camera",
            ('folder = "frames/hover"', "interval_s = 0.9", "axis = [250000]", 'after = "high"'),
        ),
    ]


def test_a_killed_lander_judges_a_site_by_both_looks_and_replay_agrees(tmp_path: Path) -> None:
    with mission(tmp_path, sources=write_frames(tmp_path)) as trio:
        trio.start("lander")
        trio.wait_until(lambda: steps_made(trio) >= 4, timeout_s=120)
        trio.kill("lander")
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, 2 * FRAMES), timeout_s=120)
        home = look_home(trio)
    assert (home.replay_agrees, home.replay_others, home.incomplete) == (2 * FRAMES, 0, 0)
    # The boot in which a frame from high up waits for the hover's next one; -1: none waits.
    fresh, twice = -1, 0
    for step in sorted((e.step for e in home.decisions.values()), key=lambda step: step.number):
        shapes = [stamp.shape for stamp in step.outputs]
        both = step.sensor == "hover" and fresh == step.boot
        assert shapes == [(1, CELLS, CELLS, PLANES)] + [(1, 16, 16, 1)] * both
        fresh = step.boot if step.sensor == "high" else -1
        twice += both
    assert twice
