"""The longest turn of the control loop while large frames are read, looked at, packed and stored.

A lander without a relay takes cubes of 128 x 128 x 240 and PNG images of 800 x 800 from folders
until every product is in its store. ``longest_turn_ms`` and ``p99_turn_ms`` are the least of
several rounds, for another program on the machine only ever adds to them; the lander asks for
real-time priority, as one that has an actuator to steer would. ``processor`` tells what of a turn
the control thread worked; the rest is waiting. ``while`` names the frame that had come last, and
which member of the loop took most of that turn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tools.bench.lander import write_lander
from tools.sim.terrain import make_scene

ROOT = Path(__file__).parents[2]
CUBE_BANDS, CUBE_SIDE, IMAGE_SIDE = 240, 128, 800
CUBES, IMAGES = 2, 4
GIVE_UP_S = 300
REST = """real_time_priority = 10
[decisions]
keep_every_frames = 1
[[sensors]]
name = "cube"
kind = "cube"
folder = "cube"
axis = {axis}
unit_counts = 20000
interval_s = 0.2
[[sensors]]
name = "camera"
kind = "camera"
folder = "camera"
interval_s = 0.2
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name this bench's options."""
    parser.add_argument("--rounds", type=int, default=3, help="the least of so many runs")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the longest turns."""
    with tempfile.TemporaryDirectory(prefix="loop-") as name:
        frames = Path(name) / "frames"
        write_frames(frames)
        folders = [Path(name) / str(number) for number in range(arguments.rounds)]
        rounds = [_measure(lay_out(folder, frames)) for folder in folders]
    least = min(rounds, key=lambda one: one["longest_turn_ms"])
    lowest = {key: min(one[key] for one in rounds) for key in least if key.endswith("_ms")}
    return {
        "frames": {"cube": [CUBE_BANDS, CUBE_SIDE, CUBE_SIDE], "camera": [IMAGE_SIDE, IMAGE_SIDE]},
        **least,
        **lowest,
        "rounds": arguments.rounds,
    }


def write_frames(folder: Path, *, cube_side: int = CUBE_SIDE) -> None:
    """Write cubes and images, one folder a sensor."""
    (folder / "cube").mkdir(parents=True)
    (folder / "camera").mkdir()
    for number in range(CUBES):
        dice = np.random.default_rng(number)
        spectrum = 4000 + 3000 * np.sin(np.linspace(0, 9, CUBE_BANDS))
        light = 0.5 + dice.random((8, 8)).repeat(cube_side // 8, 0).repeat(cube_side // 8, 1)
        cube = spectrum[:, None, None] * light + dice.normal(0, 20, (CUBE_BANDS, *light.shape))
        np.save(folder / "cube" / f"{number}.npy", np.rint(cube).astype(np.uint16))
    for number in range(IMAGES):
        scene = make_scene(np.random.default_rng((7, number))).frame
        times = -(-IMAGE_SIDE // len(scene))
        image = np.tile(scene, (times, times))[:IMAGE_SIDE, :IMAGE_SIDE]
        Image.fromarray(image).save(folder / "camera" / f"{number}.png")


def lay_out(folder: Path, frames: Path) -> Path:
    """Make a lander's folder round the frames; return its configuration."""
    folder.mkdir()
    for name in ("cube", "camera"):
        (folder / name).symlink_to(frames / name)
    axis = np.linspace(450_000, 2_450_000, CUBE_BANDS).astype(int).tolist()
    rest = REST.format(axis=axis)
    write_lander(folder, store="quota_bytes = 268435456\n", rest=rest, rate_bytes_s=10_000)
    return folder / "lander.toml"


def _measure(config: Path) -> dict[str, Any]:
    """Run one lander in a process of its own; return its figures."""
    command = [sys.executable, "-m", "tools.bench.loop_turns", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=GIVE_UP_S, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    figures: dict[str, Any] = json.loads(done.stdout)
    if figures["steps"] != CUBES + IMAGES:
        raise RuntimeError(f"{figures['steps']} decisions of {CUBES + IMAGES}")
    return figures
