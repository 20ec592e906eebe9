"""The control process never touches a pixel: what it opens, what it loads, whom it loses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from hil_tests.lander import CAMERA_FRAMES, all_home, look_home, mission, steps_made
from tools.bench.loop import CUBES, IMAGES, lay_out, write_frames

ROOT = Path(__file__).parents[2]
STEPS = CAMERA_FRAMES + 2

LISTENING = """
import sys
from pathlib import Path
touched = []
def listen(event, arguments):
    if event in ("open", "os.listdir", "os.scandir"):
        if {"cube", "camera"} & set(Path(str(arguments[0])).parts):
            touched.append(arguments[0])
sys.addaudithook(listen)
import flight.run
from tools.bench.loop_turns import TimedLoop
flight.run.Loop = TimedLoop
code = flight.run.run_node(Path(sys.argv[1]), exit_when_done=False)
readers = ("png", "pgm", "npy", "envi", "msa", "files", "directory", "process", "host")
loaded = [name for name in readers if "flight.board.sensors." + name in sys.modules]
print(code, len(touched), loaded)
"""


def test_the_control_process_opens_no_frame_file_and_loads_no_reader(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames", cube_side=16)
    config = lay_out(tmp_path / "lander", tmp_path / "frames")
    done = subprocess.run(
        [sys.executable, "-c", LISTENING, str(config)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    figures, verdict = done.stdout.splitlines()
    assert f'"steps": {CUBES + IMAGES}' in figures, done.stderr
    assert verdict == "0 0 []", done.stderr


def host_of(config: Path) -> int:
    """Return the process in which the sensors of a lander live."""
    (host,) = (
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if "flight.board.sensors.host" in words_of(process)
        and str(config) in words_of(Path("/proc") / parent_of(process))
    )
    return host


def words_of(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def parent_of(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[1]


def test_a_killed_sensor_host_costs_no_frame_and_no_decision_is_made_twice(tmp_path: Path) -> None:
    with mission(tmp_path) as trio:
        trio.start("lander")
        trio.wait_until(lambda: steps_made(trio) >= 2, timeout_s=120)
        os.kill(host_of(tmp_path / "lander.toml"), signal.SIGKILL)
        trio.wait_until(lambda: all_home(trio, STEPS), timeout_s=120)
        home = look_home(trio)
        trio.kill("lander")
    assert (home.replay_agrees, home.replay_others) == (STEPS, 0)
    frames = {number for sensor, number in home.decisions if sensor == "navcam"}
    assert frames == set(range(CAMERA_FRAMES))
    assert any("the reader killed by signal 9" in words for words in home.events)
