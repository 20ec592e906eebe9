"""Measure the terrain model on scenes it never saw.

    python -m models.terrain.evaluate [--json]
        its own held-out sets: a second generator, unseen sun elevations, and rugged ground
        without a single safe site, where naming any is wrong
    python -m models.terrain.evaluate --dem FILE.npz [--json]
        a height model: height_m (rows, columns) float, posting_m (metres a sample); at least
        256 x 256, NaN where unknown; crops of it are lit and seen by a simulated camera
    python -m models.terrain.evaluate --images DIR [--json]
        images (PNG or PGM, 8 or 16 bit, at least 128 x 128), each with NAME.txt beside NAME.png:
        a line of column names, then a crater a line, "ID X Y W H ..." in pixels from the top
        left, commas or tabs between

For the int8 model on the flight runtime, its float twin and the classical detectors, with 95 %
bootstrap intervals over scenes:

    hazard_auc              chance that a hazardous cell scores above a safe one
    safe_area_at_99_recall  share of safe cells kept when 99 % of the hazardous ones are flagged
    false_safe_sites        share of scenes in which a hazardous site was named
    site_success            share of scenes with a safe site somewhere in which one was named
    missed_hazards          share of hazardous cells that the calibrated map calls clear
    crater_recall           share of craters touched when a fifth of the area is flagged
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.terrain import TerrainPolicy
from flight.board.card import read_card
from models.int8 import card
from models.terrain import data, scorers, sets
from models.terrain.scoring import Interval, auc, pooled, safe_area, share, tally
from models.terrain.sites import choose, distances

FOLDER = Path(__file__).parent
SCENES = 300
Metrics = dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Judged:
    """A scorer and the policy that its own calibration gave it."""

    scorer: scorers.Scorer
    policy: TerrainPolicy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the evaluation that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dem", type=Path, metavar="FILE.npz", help="a height model")
    parser.add_argument("--images", type=Path, metavar="DIR", help="images with crater boxes")
    parser.add_argument("--scenes", type=int, default=SCENES, help="scenes a set (default 300)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--model", type=Path, default=FOLDER, help="folder of model and card")
    options = parser.parse_args(arguments)
    try:
        report = run(options)
    except sets.FormError as error:
        print(f"models.terrain.evaluate: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return 0


def run(options: argparse.Namespace) -> dict[str, object]:
    """Return the report as it is printed in JSON."""
    judged = candidates(options.model)
    if options.images:
        return report_on_images(judged, sets.read_images(options.images))
    if options.dem:
        scenes = sets.read_dem(options.dem, options.scenes)
        return report_on(judged, scenes)
    parts = {
        "second_generator": data.second(options.scenes),
        "unseen_sun": data.unseen_sun(options.scenes),
    }
    whole = data.together(list(parts.values()))
    parts["no_safe_site"] = data.no_safe_site(options.scenes)
    return {
        **report_on(judged, whole),
        "sets": {name: report_on(judged, part) for name, part in parts.items()},
    }


def candidates(folder: Path) -> list[Judged]:
    """Return the model, its twin and the classical detectors, each with its thresholds."""
    known = read_card(folder)
    thresholds = card.read(folder)["compared"]
    own = Judged(scorers.model(folder), known.policy_as(TerrainPolicy))
    twin = scorers.twin(folder, input_scale=known.input.scale, output_scale=known.outputs[0].scale)
    classical = (Judged(s, TerrainPolicy(**thresholds[s.name])) for s in scorers.classical())
    # The twin answers in the same steps: what sets it apart must not be a threshold.
    return [own, Judged(twin, own.policy), *classical]


def report_on(judged: list[Judged], scenes: data.Scenes) -> dict[str, object]:
    """Return the report on scenes with truth."""
    away = distances(scenes.hazard)
    return _report(len(scenes.inputs), [(j, on_scenes(j, scenes, away)) for j in judged])


def report_on_images(judged: list[Judged], tiles: "sets.Tiles") -> dict[str, object]:
    """Return the report on images with crater boxes."""
    return _report(len(tiles.inputs), [(j, on_images(j, tiles)) for j in judged])


def on_scenes(judged: Judged, scenes: data.Scenes, away: NDArray[np.int64]) -> Metrics:
    """Return the metrics of one scorer on scenes with truth and its ``distances``."""
    scores = judged.scorer.answer(scenes.inputs)
    counts = tally(scores[..., 0], scenes.hazard)
    choices = choose(scores, away, judged.policy)
    good = choices.named & ~choices.unsafe
    missed = judged.policy.hazard_threshold + 128 + 1
    return {
        "hazard_auc": pooled(counts, auc),
        "safe_area_at_99_recall": pooled(counts, safe_area),
        "false_safe_sites": share(choices.unsafe),
        "site_success": share(good[choices.possible]),
        "missed_hazards": pooled(counts, lambda h, _: float(h[:missed].sum() / max(h.sum(), 1))),
    }


def on_images(judged: Judged, tiles: "sets.Tiles") -> Metrics:
    """Return the share of craters that one scorer flags when it may flag a fifth of the area."""
    scores = judged.scorer.answer(tiles.inputs)[..., 0]
    threshold = np.quantile(scores, 1 - sets.FLAGGED_SHARE)
    # Ties at the threshold would flag more than the share: flag only what lies above.
    flagged = scores > threshold
    touched = np.array([_touched(flagged[tile], box) for tile, box in tiles.boxes])
    return {"crater_recall": share(touched), "flagged_area": share(flagged.reshape(-1))}


def _touched(flagged: NDArray[np.bool_], box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return bool(flagged[top:bottom, left:right].any())


def _report(count: int, results: list[tuple[Judged, Metrics]]) -> dict[str, object]:
    named = {judged.scorer.name: _plain(metrics) for judged, metrics in results}
    return {
        "n": count,
        "int8": named.pop("int8"),
        "float": named.pop("float"),
        "baselines": named,
    }


def _plain(metrics: Metrics) -> dict[str, dict[str, float | None]]:
    ends = ("value", "low", "high")
    return {
        name: {
            end: None if np.isnan(x) else round(x, 5) for end, x in zip(ends, interval, strict=True)
        }
        for name, interval in metrics.items()
    }


def as_text(report: dict[str, object]) -> str:
    """Return the report as tables for people."""
    lines = []
    for name, part in ({"all": report} | dict(report.get("sets", {}))).items():
        lines.append(f"\n{name}: n = {part['n']}")
        rows = {"int8": part["int8"], "float": part["float"], **part["baselines"]}
        for scorer, metrics in rows.items():
            cells = [
                f"{metric} {_number(m['value'])} ({_number(m['low'])}-{_number(m['high'])})"
                for metric, m in metrics.items()
            ]
            lines.append(f"  {scorer:14s} {'  '.join(cells)}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
