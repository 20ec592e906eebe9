"""Train the mineral model: ``python -m models.mineral.train [--data DIR]``.

Writes model.tflite, card.toml and float.tflite beside this file, and the same for each fold in
held_out/. Two runs on one machine give the same bytes.
"""

import argparse
import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from models.int8 import card, writer
from models.mineral import calibration, evaluate, held_out
from models.mineral.held_out import FOLDS, Unseen, folds_of
from models.mineral.library import CLASSES, Library, find_data, read_library
from models.mineral.network import BANDS, BATCH, CHANNELS, MineralNetwork
from models.mineral.prose import prose
from models.mineral.training import answers, fit, reference

FOLDER = Path(__file__).resolve().parent
INPUT_SHAPE = (BATCH, 1, BANDS, CHANNELS)
SEED = 1
PROCESSES = 2


def main() -> None:
    """Train the model that flies and those that judge it, calibrate each, write them."""
    parser = argparse.ArgumentParser(description="Train the mineral model; takes minutes.")
    parser.add_argument("--data", type=Path, help="folder of real data; default ../shared/data")
    data = find_data(parser.parse_args().data)
    library = read_library(data).training()
    fold = folds_of(library)
    lessons = [library.where(fold != number) for number in range(FOLDS)]
    lessons += [held_out.absent(library, mineral)[0] for mineral in held_out.ABSENT]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        flying, *networks = pool.map(fit, [library, *lessons], range(SEED, SEED + len(lessons) + 1))
    unseen = _unseen(library, fold, networks[:FOLDS])
    _write(FOLDER, flying, library, unseen)
    for number, network in enumerate(networks[:FOLDS]):
        others = unseen.where(fold != number)
        _write(held_out.folder_of(number), network, lessons[number], others)
    for mineral, network, seen in zip(
        held_out.ABSENT, networks[FOLDS:], lessons[FOLDS:], strict=True
    ):
        _write(held_out.FOLDER / f"without_{mineral}", network, seen, unseen.where(fold != 0))
    evaluate.main(["--data", str(data), "--card"])
    print(f"right on held-out specimens: {unseen.right.mean():.3f} of {len(unseen.right)}")


def _unseen(library: Library, fold: np.ndarray, networks: list[MineralNetwork]) -> Unseen:
    """Return what each fold's network says of the fold it has not seen."""
    margin, right, distance = np.zeros(len(fold)), np.zeros(len(fold), bool), np.zeros(len(fold))
    for number, network in enumerate(networks):
        here = fold == number
        seen, new = library.where(~here), library.where(here)
        said = answers(network, new)
        margin[here] = calibration.margins(said)
        right[here] = said.logits.argmax(axis=1) == new.label
        measure = calibration.fit_distance(*reference(network, seen))
        distance[here] = measure.squared(said.features)
    return Unseen(fold, margin, right, distance)


def _write(folder: Path, network: MineralNetwork, seen: Library, unseen: Unseen) -> None:
    """Write model, card and float twin of one network, calibrated on others' unseen answers."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = network.export(INPUT_SHAPE)
    logits, features = (output.grid for output in graph.outputs)
    measure = calibration.fit_distance(*reference(network, seen))
    policy = calibration.policy_of(
        measure,
        feature_step=features.scale,
        threshold=float(np.quantile(unseen.distance, 1 - calibration.FALSE_ALARMS)),
        confidence_permille=calibration.confidence_table(unseen.margin, unseen.right, logits.scale),
    )
    model = writer.write(graph)
    facts: dict[str, Any] = card.facts(
        graph, model, name="mineral", version=1, task="mineral",
        output_names=("logits", "features"),
    )  # fmt: skip
    facts |= {"classes": list(CLASSES), "policy": dataclasses.asdict(policy)}
    if folder == FOLDER:
        facts |= prose(seen)
    card.save(folder, model, facts)
    twin = writer.write(network.export(INPUT_SHAPE, quantised=False))
    (folder / "float.tflite").write_bytes(twin)
    print(f"wrote {folder / 'model.tflite'}: {len(model)} bytes, sha256 {facts['sha256']}")


if __name__ == "__main__":
    main()
