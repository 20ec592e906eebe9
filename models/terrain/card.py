"""The terrain model's card: thresholds from the calibration split, then every measured figure.

    python -m models.terrain.card --frames 3596

calibrates and measures the model that is there once more, without training it.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.int8 import card
from models.int8.reader import read
from models.terrain import data, evaluate, scorers, sites

CALIBRATION_SCENES = 1000
TEST_SCENES = 300
THRESHOLDS = ("hazard_threshold", "shadow_threshold", "site_threshold")

Worlds = list[tuple[data.Scenes, NDArray[np.int64]]]

ABOUT = {
    "purpose": "Camera frame, seen from above, to hazard and shadow for 64 x 64 cells.",
    "input": (
        "Central square of a gray frame of at least 128 x 128 pixels, 8 to 16 bit, brought to "
        "128 x 128 and to contrast against its surroundings (flight/autonomy/terrain.py)."
    ),
    "hazard": (
        "Slope of the footprint (a sixteenth of the frame's side) above 10 degrees, or relief "
        "above 1.2/256 of the frame's side: 0.3 m on a frame 64 m wide."
    ),
    "data_licence": "Apache-2.0, as the simulator; no measured image was trained on",
    "command": "python -m models.terrain.train",
}

KNOWN_FAILURES = (
    "Gentle slopes across the sun's direction show no shading: most missed hazards are these.",
    "A sun above 50 degrees leaves little contrast; patches of albedo then pass for relief.",
    "A frame's scale is not known to the model: hazards are relative to the frame's width.",
    "Seen from straight above only: no perspective was trained on.",
    "The second generator was changed once after a result on it was seen: figures favourable.",
    "A frame of any size is seen at 128 x 128 pixels: small hazards in large frames are lost.",
)


def main() -> None:
    """Describe the committed model again."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, required=True, help="frames it was trained on")
    describe(Path(__file__).parent, frames=parser.parse_args().frames)


def describe(folder: Path, *, frames: int) -> None:
    """Calibrate the model in a folder, measure it, and write its card."""
    model = (folder / "model.tflite").read_bytes()
    graph = read(model)
    facts = card.facts(
        graph, model, name="terrain", version=1, task="terrain", output_names=["hazard_shadow"]
    )
    known = {**facts, "about": {**ABOUT, **_training(frames)}}
    worlds = [(s, sites.distances(s.hazard)) for s in data.calibration(CALIBRATION_SCENES)]
    known["policy"] = _thresholds(scorers.model(folder), worlds)
    twin = scorers.twin(
        folder,
        input_scale=facts["input"]["scale"],
        output_scale=facts["output"][0]["scale"],
    )
    known["compared"] = {s.name: _thresholds(s, worlds) for s in (twin, *scorers.classical())}
    known["known_failures"] = list(KNOWN_FAILURES)
    card.save(folder, model, known)
    judged = evaluate.candidates(folder)
    tests = {
        "second_generator": data.second(TEST_SCENES),
        "unseen_sun": data.unseen_sun(TEST_SCENES),
    }
    known["measured"] = {
        "command": f"python -m models.terrain.evaluate --scenes {TEST_SCENES}",
        "form": "value, low, high: 95 % bootstrap interval over scenes",
        **{name: _figures(evaluate.report_on(judged, scenes)) for name, scenes in tests.items()},
    }
    card.save(folder, model, known)


def _training(frames: int) -> dict[str, object]:
    return {
        "training_frames": frames,
        "training_data": "Frames of the first generator of tools/sim/terrain.py, seed "
        f"{data.TRAINING_SEED}",
        "calibration": f"{CALIBRATION_SCENES} scenes of the same world under any sun, seed "
        f"{data.CALIBRATION_SEED}, and as many of a rougher one seen by a poorer camera, seed "
        f"{data.STRESS_SEED}; conformal risk control in each, missed hazards at most "
        f"{sites.MAP_FALSE_SAFE}, hazardous sites at most {sites.SITE_FALSE_SAFE}; the stricter "
        "threshold holds",
    }


def _thresholds(scorer: scorers.Scorer, worlds: Worlds) -> dict[str, int]:
    """Return the stricter of each threshold over the calibration worlds."""
    policy = asdict(
        sites.calibrate([(scorer.answer(s.inputs), s.hazard, away) for s, away in worlds])
    )
    return {name: policy[name] for name in THRESHOLDS}


def _figures(report: dict[str, object]) -> dict[str, object]:
    """Return a report with each interval on one line."""
    rows = {"int8": report["int8"], "float": report["float"], **report["baselines"]}
    return {
        "n": report["n"],
        **{
            scorer: {
                metric: [round(end, 4) for end in interval.values() if end is not None]
                for metric, interval in metrics.items()
            }
            for scorer, metrics in rows.items()
        },
    }


if __name__ == "__main__":
    main()
