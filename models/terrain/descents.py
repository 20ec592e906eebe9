"""Land many times in simulation: a coarse look, a hover, a fine look with and without ranges.

    python -m models.terrain.descents [--count 2000] [--world second] [--json]

The camera finds the least risky place on ground 256 m wide (1 m a pixel). The lander flies there,
a few metres off, hovers, and looks again at 64 m (0.25 m a pixel) under the same sun: by camera
alone, where what the first look said of the ground beneath has its say (second_look.py), and with
the range image's guard. A choice is judged by the truth at the fine scale. Prints the unsafe
choices, how often a site was named, and how often "no safe site" was the right answer;
``alone`` is the fine look without the coarse one.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.range_guard import POLICY, forbid
from flight.autonomy.second_look import beneath, earlier_of
from flight.autonomy.terrain import CELLS, PLANES, TerrainPolicy, conclude, prepare
from flight.board.card import read_card
from models.terrain import scorers
from models.terrain.data import ALL_SUN, NOWHERE, STRESS, danger, frame_of
from models.terrain.scoring import expected_losses, share, site_threshold
from models.terrain.sites import SITE_FALSE_SAFE, UNGATED, Choices, choose, distances
from tools.sim.terrain import SECOND, Generator, Scene, look_at
from tools.sim.terrain_descent import settle, zoom
from tools.sim.terrain_ground import make_ground

DESCENT_SEED, CALIBRATION_SEED = 26, 22
NAVIGATION_M = 4.0
"""Standard deviation, along each axis, of where the lander hovers."""
ASIDE = 8
"""Coarse cells that the fine frame reaches to each side: it stays on the coarse one's ground."""
COARSE_PIXEL_M = 1.0
WORLDS = {"first": ALL_SUN, "second": SECOND, "nowhere": NOWHERE}
"""In the last there is hardly ever a safe site."""
FOLDER = Path(__file__).parent


class Landing(NamedTuple):
    """What came of one descent."""

    alone_named: bool
    alone_unsafe: bool
    named: bool
    unsafe: bool
    guarded_named: bool
    guarded_unsafe: bool
    possible: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the descents that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--world", choices=WORLDS, default="second")
    parser.add_argument("--model", type=Path, default=FOLDER, help="folder of model and card")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    report = summary(land_all(options.model, WORLDS[options.world], options.count))
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print("\n".join(f"{name:32s} {number}" for name, number in report.items()))
    return 0


def land_all(folder: Path, world: Generator, count: int) -> NDArray[np.bool_]:
    """Return (count, 7) bool: the fields of Landing for each descent."""
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(partial(_land_some, folder, world), _chunks(count)))
    return np.concatenate([np.array(part, bool) for part in rows])


def shares(landings: NDArray[np.bool_]) -> dict[str, dict[str, list[float]]]:
    """Return, by camera alone and with ranges, the shares that a card states, with intervals."""
    columns = dict(zip(Landing._fields, landings.T, strict=True))
    possible = columns["possible"]

    def of(named: NDArray[np.bool_], unsafe: NDArray[np.bool_]) -> dict[str, list[float]]:
        figures = {
            "unsafe_sites": share(unsafe),
            "site_success": share((named & ~unsafe)[possible]),
            "right_that_none": share(~named[~possible]),
        }
        return {
            name: [round(end, 4) for end in figure]
            for name, figure in figures.items()
            if not np.isnan(figure[0])
        }

    return {
        "camera": of(columns["named"], columns["unsafe"]),
        "fine_look_alone": of(columns["alone_named"], columns["alone_unsafe"]),
        "with_range_image": of(columns["guarded_named"], columns["guarded_unsafe"]),
    }


def summary(landings: NDArray[np.bool_]) -> dict[str, int]:
    """Return the counts that matter."""
    columns = dict(zip(Landing._fields, landings.T, strict=True))
    possible = columns["possible"]
    return {
        "descents": len(landings),
        "safe_site_exists": int(possible.sum()),
        "camera_named": int(columns["named"].sum()),
        "camera_unsafe": int(columns["unsafe"].sum()),
        "alone_named": int(columns["alone_named"].sum()),
        "alone_unsafe": int(columns["alone_unsafe"].sum()),
        "range_named": int(columns["guarded_named"].sum()),
        "range_unsafe": int(columns["guarded_unsafe"].sum()),
        "none_exists": int((~possible).sum()),
        "camera_right_that_none": int((~possible & ~columns["named"]).sum()),
        "range_right_that_none": int((~possible & ~columns["guarded_named"]).sum()),
    }


def _chunks(count: int, size: int = 25) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def calibrate(folder: Path, count: int) -> int:
    """Return the confirmed threshold that keeps its bound in descents of the rougher world."""
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(partial(_score_some, folder), _chunks(count)))
    score, unsafe = np.array([row for part in parts for row in part]).T
    most = expected_losses(count, SITE_FALSE_SAFE)
    return site_threshold(score, unsafe > 0, most_losses=most)


def _score_some(folder: Path, numbers: range) -> list[tuple[int, bool]]:
    """Return the score of each descent's best site, and whether it is unsafe."""
    scorer = scorers.model(folder)
    policy = replace(read_card(folder).policy_as(TerrainPolicy), confirmed_threshold=UNGATED)
    rows = []
    for number in numbers:
        fine = descend(scorer, policy, STRESS, (CALIBRATION_SEED, number))
        site = _choose(fine, policy, before=fine.before)
        rows.append((int(site.score[0]), bool(site.unsafe[0])))
    return rows


def _land_some(folder: Path, world: Generator, numbers: range) -> list[Landing]:
    scorer = scorers.model(folder)
    policy = read_card(folder).policy_as(TerrainPolicy)
    return [land(scorer, policy, world, number) for number in numbers]


def land(scorer: scorers.Scorer, policy: TerrainPolicy, world: Generator, number: int) -> Landing:
    """Return what comes of descent ``number``: the same every time."""
    fine = descend(scorer, policy, world, (DESCENT_SEED, number))
    scene = fine.scene
    alone = _choose(fine, policy)
    camera = _choose(fine, policy, before=fine.before)
    mask = forbid(scene.range_mm, round(scene.pixel_m * 1e6), POLICY)
    guarded = _choose(fine, policy, mask, before=fine.before)
    flags = [choice.named[0] for choice in (alone, camera, guarded)]
    losses = [choice.unsafe[0] for choice in (alone, camera, guarded)]
    pairs = [bool(flag) for pair in zip(flags, losses, strict=True) for flag in pair]
    return Landing(*pairs, bool(camera.possible[0]))


class FineLook(NamedTuple):
    """What a hovering lander knows, and the truth."""

    scene: Scene
    answer: NDArray[np.int8]
    """(1, 64, 64, 3)"""
    away: NDArray[np.int64]
    """Its ``distances``."""
    before: NDArray[np.int64] | None
    """(1, n, n) what the coarse look said of the same ground; None: it had no answer."""


def descend(
    scorer: scorers.Scorer, policy: TerrainPolicy, world: Generator, seed: tuple[int, int]
) -> FineLook:
    """Return the fine look of one descent."""
    rng = np.random.default_rng(seed)
    style = settle(rng, world.style)
    ground = make_ground(rng, style, pixel_m=COARSE_PIXEL_M)
    coarse = look_at(rng, ground, world.look)
    answer = _answer(scorer, coarse)
    outputs = (np.full((1, CELLS, CELLS, PLANES), 127, np.int8) if answer is None else answer,)
    findings = conclude(coarse.frame.shape, outputs, policy, axis=frame_of(coarse).axis)
    row, column = (
        min(max(at, 4 * ASIDE), len(coarse.frame) - 4 * ASIDE - 1)
        for at in (findings[0].row, findings[0].column)
    )
    look = earlier_of(frame_of(coarse), outputs, (replace(findings[0], row=row, column=column),))
    off = np.rint(rng.normal(0, NAVIGATION_M / COARSE_PIXEL_M, 2)).astype(int)
    sun = coarse.elevation_deg, coarse.azimuth_deg
    near = zoom(rng, ground, row + int(off[0]), column + int(off[1]), style)
    scene = look_at(rng, near, world.look, sun_deg=sun)
    fine = _answer(scorer, scene)
    before = None if answer is None or look is None else beneath(look, frame_of(scene))
    return FineLook(
        scene,
        np.full((1, CELLS, CELLS, PLANES), 127, np.int8) if fine is None else fine,
        distances(danger(scene)[None] > 1),
        None if before is None else before[..., 0].astype(np.int64),
    )


def _answer(scorer: scorers.Scorer, scene: Scene) -> NDArray[np.int8] | None:
    """Return the model's word on a scene; None: its frame is unusable."""
    tensor = prepare(frame_of(scene))
    return None if tensor is None else scorer.answer(tensor)


def _choose(
    fine: FineLook,
    policy: TerrainPolicy,
    forbidden: NDArray[np.bool_] | None = None,
    *,
    before: NDArray[np.int64] | None = None,
) -> Choices:
    masks = None if forbidden is None else forbidden[None]
    return choose(fine.answer, fine.away, policy, masks, before)


if __name__ == "__main__":
    sys.exit(main())
