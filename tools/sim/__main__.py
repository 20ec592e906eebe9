"""Simulated sensors: frames as .npy arrays on standard output, for a sensor's ``command``.

    [[sensors]]
    name = "nav"
    kind = "camera"
    command = ["python", "-m", "tools.sim", "camera", "--seed", "7", "--first", "{first}"]

Frame n of a seed is always the same frame, so a run that was interrupted goes on as it would
have. A camera frame is a lander's view of cratered ground, a cube has minerals and one stranger,
an X-ray spectrum is soil with now and then a steel tool in the beam. A range image shows the ground
of the camera frame of its seed and number, for a range sensor ``beside`` the camera, with
``unit_counts = 500``. A sample frame is one attempt to take a sample: the canister's picture with
the telemetry below it.
"""

import argparse
import io
import os
import select
import sys
from collections.abc import Callable
from typing import BinaryIO

import numpy as np


def camera(rng: np.random.Generator) -> np.ndarray:
    """Return (256, 256) uint16 counts, 0.25 m a pixel."""
    from tools.sim.terrain import make_scene

    return make_scene(rng).frame


def range_(rng: np.random.Generator) -> np.ndarray:
    """Return (256, 256) uint16, 500 counts a metre: the range image of the camera's frame."""
    from tools.sim.terrain import make_scene

    return (make_scene(rng).range_mm // 2).astype(np.uint16)


def cube(rng: np.random.Generator) -> np.ndarray:
    """Return (83, 48, 48) float32 reflectance."""
    from tools.sim.cubes import make_cube

    return make_cube(rng)


def xray(rng: np.random.Generator) -> np.ndarray:
    """Return (4096,) uint32 counts; a tool is in the beam of one spectrum in five."""
    from tools.sim.fluorescence import make_spectrum

    return make_spectrum(rng, steel=0.2 if rng.random() < 0.2 else 0.0)


def sample(rng: np.random.Generator) -> np.ndarray:
    """Return (203, 192) uint16: a picture of the canister, and below it the telemetry."""
    from tools.sim.sample import make_case

    return make_case(rng).frame


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "camera": camera,
    "cube": cube,
    "xray": xray,
    "range": range_,
    "sample": sample,
}


def axis_of(kind: str) -> tuple[int, ...]:
    """Return what the sensor's ``axis`` must be, since .npy arrays do not carry it."""
    from tools.sim import cubes, fluorescence

    axes = {
        "camera": (250_000,),
        "range": (250_000,),
        "sample": (),
        "cube": cubes.AXIS_PM,
        "xray": (fluorescence.OFFSET_MEV, fluorescence.GAIN_MEV),
    }
    return axes[kind]


def frame(kind: str, seed: int, number: int) -> np.ndarray:
    """Return one frame; the same arguments give the same frame."""
    return KINDS[kind](np.random.default_rng((seed, number)))


def write_frames(out: BinaryIO, wanted: argparse.Namespace) -> None:
    """Write the frames, one an interval, until all are written or nobody reads any more."""
    for number in range(wanted.first, wanted.frames):
        array = io.BytesIO()
        np.save(array, frame(wanted.kind, wanted.seed, number))
        out.write(array.getvalue())
        out.flush()
        if number + 1 < wanted.frames:
            # A pause that ends at once when the reader goes: its end of the pipe shows an error.
            watch = select.poll()
            watch.register(out.fileno(), select.POLLERR)
            if watch.poll(round(1000 * wanted.interval_s)):
                return


def main() -> int:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(prog="python -m tools.sim", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=12, help="how many there are in all")
    parser.add_argument("--first", type=int, default=0, help="number of the first to write")
    parser.add_argument("--interval-s", type=float, default=1.0)
    parser.add_argument("--axis", action="store_true", help="print the sensor's axis and end")
    wanted = parser.parse_args()
    if wanted.axis:
        print(f"axis = {list(axis_of(wanted.kind))}")
        return 0
    try:
        write_frames(sys.stdout.buffer, wanted)
    except BrokenPipeError:
        # Python would complain again when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
