"""The main job on one machine: lander, relay and ground, windows and a gap, real frames.

    python -m tools.demo [--json FILE] [--out DIR]

Three processes on loopback. The lander looks, decides and sends; the relay stores and forwards,
over a link with light time and loss; the ground archives, asks for one whole frame, and repeats
every decision bit for bit. Time is compressed: minutes here stand for hours there.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flight.board.clock import BoardClock
from flight.product.part import ProductKind
from ground.archive import open_archive
from ground.rows import Row
from tools import datasets
from tools.demosummary import DemoError, print_table, summarise
from tools.sim.__main__ import axis_of
from tools.trio import LANDER, Sky, Source, Trio, TrioError, Window

SEED = 6
SKY = Sky(
    lander_relay=(Window(2, 14), Window(24, 150)),
    relay_ground=(Window(7, 19), Window(28, 150)),
    loss_permille=10,
    seed=SEED,
)
CANISTER = ("canister", "sample", 3)
"""Three attempts to take a sample, as a simulated sensor: name, kind, frames."""
LONGEST_S = 170
ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and print its table."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo",
        description="Run lander, relay and ground on this machine and check what comes home.",
        epilog="example: python -m tools.demo --json summary.json",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary here")
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="folder to work in")
    parser.add_argument(
        "--frames",
        choices=("auto", "simulated"),
        default="auto",
        help="auto: measured frames where they can be had (default); simulated: never measured",
    )
    options = parser.parse_args(arguments)
    if (
        options.out.exists()
        and not (options.out / "lander.toml").exists()
        and any(options.out.iterdir())
    ):
        parser.error(f"--out {options.out}: not empty, and not an earlier demo's; choose another")
    started = time.monotonic()
    try:
        summary = run(options.out, simulated=options.frames == "simulated")
    except (DemoError, TrioError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    summary["seconds"] = round(time.monotonic() - started, 1)
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")
    print_table(summary, options.out)
    good = summary["replay_identical"] and summary["lossless_identical"] and not summary["lost"]
    return 0 if good else 1


def run(out: Path, *, simulated: bool) -> dict[str, Any]:
    """Run the three processes to the end; return the summary."""
    for old in ("lander", "relay", "ground", "archive", "pictures", "frames"):
        shutil.rmtree(out / old, ignore_errors=True)
    for log in out.glob("*.log"):
        log.unlink()
    out.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    source, files = (
        ("simulated", {})
        if simulated
        else datasets.gather(out / "data", allow_fetch=True, told=progress.say)
    )
    progress.say(f"frames: {source}")
    sources = simulated_sources() if source == "simulated" else measured_sources(out, files)
    epoch_ms = BoardClock().now().dtn_ms // 1000 * 1000
    trio = Trio(out, SKY, sources, epoch_ms=epoch_ms)
    try:
        for name in ("relay", "ground", "lander"):
            trio.start(name)
        wait(trio, progress, epoch_ms)
        lander = trio.status("lander")  # before it says that it stops, which nobody waits for
        trio.stop()
        progress.say("repeating every decision on the ground, drawing the pictures")
        return summarise(trio, lander, source, SKY)
    finally:
        trio.kill_all()


def measured_sources(out: Path, files: dict[str, Path]) -> list[Source]:
    """Lay the measured frames out as a lander's folders; return the sensors that read them."""
    folders = {name: out / "frames" / name for name in ("navcam", "m3", "xrf")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for file in datasets.CAMERA:
        shutil.copyfile(files[file.name], folders["navcam"] / file.name)
    cube, wavelengths = datasets.read_gdal_cube(files[datasets.CUBE.name])
    counts = np.rint(cube.transpose(2, 0, 1) * datasets.REFLECTANCE_COUNTS).astype(np.uint16)
    datasets.write_envi(folders["m3"], "aristarchus", counts, wavelengths)
    shutil.copyfile(files[datasets.XRAY.name], folders["xrf"] / datasets.XRAY.name)
    read = [
        Source(name, kind, (f'folder = "frames/{name}"', "interval_s = 0.5"))
        for name, kind in (("navcam", "camera"), ("m3", "cube"), ("xrf", "xray"))
    ]
    # Nobody published a canister's pictures with their telemetry: these are simulated.
    return [*read, simulated(*CANISTER)]


def simulated_sources() -> list[Source]:
    """Return sensors whose frames a simulator writes."""
    kinds = (("navcam", "camera", 12), ("m3", "cube", 1), ("xrf", "xray", 1))
    return [*(simulated(*kind) for kind in kinds), simulated(*CANISTER)]


def simulated(name: str, kind: str, frames: int) -> Source:
    """Return a sensor whose frames a program writes, through the interface of any driver."""
    words = [sys.executable, "-m", "tools.sim", kind, "--seed", str(SEED)]
    words += ["--frames", str(frames), "--interval-s", "0.5", "--first", "{first}"]
    lines = (f"command = {json.dumps(words)}", f"axis = {list(axis_of(kind))}")
    unit = (f"unit_counts = {datasets.REFLECTANCE_COUNTS}",) if kind == "cube" else ()
    return Source(name, kind, (*lines, *unit))


def wait(trio: Trio, progress: "Progress", epoch_ms: int) -> None:
    """Wait until everything has come home, asking for a frame on the way."""
    asked: list[int] = []

    def all_home() -> bool:
        made = trio.status("lander").get("craft", {}).get("products_made", 0)
        with open_archive(trio.archive) as archive:
            rows = [row for row in archive.products() if row.complete and is_payload(row)]
        progress.show((BoardClock().now().dtn_ms - epoch_ms) / 1000, trio, made, len(rows))
        decided = {row.header.frame_number for row in rows if is_navcam(row, ProductKind.DECISION)}
        whole = {row.header.frame_number for row in rows if is_navcam(row, ProductKind.FRAME)}
        if not asked and decided - {0}:
            asked.append(min(decided - {0}))
            ask(trio, asked[0])
        return set(asked) <= whole and bool(asked) and trio.is_drained() and made == len(rows)

    trio.wait_until((trio.archive / "raw").is_dir, timeout_s=30)
    trio.wait_until(all_home, timeout_s=LONGEST_S)
    progress.done()


def is_payload(row: Row) -> bool:
    """Return whether a product is what the board's payload made, not telemetry of a link."""
    return row.header.kind is not ProductKind.LINK


def is_navcam(row: Row, kind: ProductKind) -> bool:
    """Return whether a product is of the camera and of this kind."""
    return row.header.sensor == "navcam" and row.header.kind is kind


def ask(trio: Trio, frame_number: int) -> None:
    """Ask the board, through the station, for one whole frame."""
    command = [sys.executable, "-m", "ground", "request", "--archive", str(trio.archive)]
    command += ["--board", str(LANDER), "--sensor", "navcam", "--frame", str(frame_number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"ground request failed: {done.stderr.strip()}")


class Progress:
    """One line that is renewed where a person looks, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._next = 0.0

    def say(self, text: str) -> None:
        """Say one line."""
        self._write(f"demo: {text}\n")

    def show(self, at_s: float, trio: Trio, made: int, arrived: int) -> None:
        """Show how far the run is."""
        near = "open  " if inside(SKY.lander_relay, at_s) else "closed"
        far = "open  " if inside(SKY.relay_ground, at_s) else "closed"
        steps = trio.status("lander").get("craft", {}).get("steps_made", 0)
        bar = "#" * (arrived * 24 // max(made, 1))
        text = (
            f"T+{at_s:4.0f} s  lander-relay {near} relay-ground {far}  {steps:2d} frames  "
            f"[{bar:24s}] {arrived}/{made} products home"
        )
        if self._live:
            self._write("\r\033[K" + text)
        elif at_s >= self._next:
            self._next = at_s + 5
            self._write(text + "\n")

    def done(self) -> None:
        """End the line."""
        if self._live:
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def inside(windows: Sequence[Window], at_s: float) -> bool:
    """Return whether a window is open."""
    return any(window.start_s <= at_s < window.end_s for window in windows)


if __name__ == "__main__":
    sys.exit(main())
