"""Land many times in simulation: a coarse look, a hover, a fine look with and without ranges.

    python -m models.terrain.descents [--count 2000] [--world second] [--json]

The camera chooses a site on ground 256 m wide (1 m a pixel); above it the lander hovers and looks
again at 64 m (0.25 m a pixel), by camera alone and with the range image's guard. A choice is
judged by the truth at the fine scale. Prints the unsafe choices, how often a site was named, and
how often "no safe site" was the right answer.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.range_guard import POLICY, forbid
from flight.autonomy.terrain import CELLS, TerrainPolicy, prepare
from flight.board.card import read_card
from models.terrain import scorers
from models.terrain.data import ALL_SUN, NOWHERE, danger, frame_of
from models.terrain.scoring import share
from models.terrain.sites import choose, distances
from tools.sim.terrain import SECOND, Generator, Scene, look_at
from tools.sim.terrain_descent import settle, zoom
from tools.sim.terrain_ground import make_ground

DESCENT_SEED = 16
COARSE_PIXEL_M = 1.0
WORLDS = {"first": ALL_SUN, "second": SECOND, "nowhere": NOWHERE}
"""In the last there is hardly ever a safe site."""
FOLDER = Path(__file__).parent


class Landing(NamedTuple):
    """What came of one descent."""

    coarse_named: bool
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
    """Return (count, 6) bool: the fields of Landing for each descent."""
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
        "with_range_image": of(columns["guarded_named"], columns["guarded_unsafe"]),
    }


def summary(landings: NDArray[np.bool_]) -> dict[str, int]:
    """Return the counts that matter."""
    columns = dict(zip(Landing._fields, landings.T, strict=True))
    possible = columns["possible"]
    return {
        "descents": len(landings),
        "coarse_site_named": int(columns["coarse_named"].sum()),
        "safe_site_exists": int(possible.sum()),
        "camera_named": int(columns["named"].sum()),
        "camera_unsafe": int(columns["unsafe"].sum()),
        "range_named": int(columns["guarded_named"].sum()),
        "range_unsafe": int(columns["guarded_unsafe"].sum()),
        "none_exists": int((~possible).sum()),
        "camera_right_that_none": int((~possible & ~columns["named"]).sum()),
        "range_right_that_none": int((~possible & ~columns["guarded_named"]).sum()),
    }


def _chunks(count: int, size: int = 25) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _land_some(folder: Path, world: Generator, numbers: range) -> list[Landing]:
    scorer = scorers.model(folder)
    policy = read_card(folder).policy_as(TerrainPolicy)
    return [land(scorer, policy, world, number) for number in numbers]


def land(scorer: scorers.Scorer, policy: TerrainPolicy, world: Generator, number: int) -> Landing:
    """Return what comes of descent ``number``: the same every time."""
    rng = np.random.default_rng((DESCENT_SEED, number))
    style = settle(rng, world.style)
    coarse_ground = make_ground(rng, style, pixel_m=COARSE_PIXEL_M)
    coarse = _look(scorer, look_at(rng, coarse_ground, world.look))
    coarse_site = _choose(coarse, policy)
    row, column = coarse_site.place if coarse_site.named else (CELLS // 2, CELLS // 2)
    scene = look_at(rng, zoom(rng, coarse_ground, 4 * row + 2, 4 * column + 2, style), world.look)
    fine = _look(scorer, scene)
    camera = _choose(fine, policy)
    guarded = _choose(fine, policy, forbid(scene.range_mm, round(scene.pixel_m * 1e6), POLICY))
    return Landing(
        coarse_site.named,
        camera.named,
        camera.unsafe,
        guarded.named,
        guarded.unsafe,
        camera.possible,
    )


class Look(NamedTuple):
    """What the model says of one scene, and the truth about it."""

    answer: NDArray[np.int8]
    """(1, 64, 64, 2)"""
    away: NDArray[np.int64]
    """Its ``distances``."""


class Choice(NamedTuple):
    """One look's choice and what the truth says of it."""

    named: bool
    unsafe: bool
    possible: bool
    place: tuple[int, int]


def _look(scorer: scorers.Scorer, scene: Scene) -> Look:
    tensor = prepare(frame_of(scene))
    blind = np.full((1, CELLS, CELLS, 2), 127, np.int8)
    answer = blind if tensor is None else scorer.answer(tensor)
    return Look(answer, distances(danger(scene)[None] > 1))


def _choose(
    look: Look, policy: TerrainPolicy, forbidden: NDArray[np.bool_] | None = None
) -> Choice:
    masks = None if forbidden is None else forbidden[None]
    choices = choose(look.answer, look.away, policy, masks)
    place = (int(choices.place[0, 0]), int(choices.place[0, 1]))
    return Choice(bool(choices.named[0]), bool(choices.unsafe[0]), bool(choices.possible[0]), place)


if __name__ == "__main__":
    sys.exit(main())
