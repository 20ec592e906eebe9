"""Train the X-ray model: ``python -m models.xrf.train [--data DIR]``.

Writes model.tflite, card.toml and float.tflite beside this file, and the same for each mission in
held_out/, trained without that mission's samples. Two runs on one machine give the same bytes.
"""

import argparse
import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from flight.autonomy.oxides import DECADES, compressed
from flight.autonomy.xrf import XrfPolicy
from models.int8 import card, writer
from models.int8.graph import Graph
from models.mineral.library import find_data
from models.xrf import compositions, evaluate
from models.xrf.compositions import ANSWERED, Compositions
from models.xrf.examples import counted, shares_of
from models.xrf.network import INPUT_SHAPE, XrfNetwork
from models.xrf.prose import prose
from models.xrf.response import Response, calibrate
from models.xrf.training import Standard, fit

FOLDER = Path(__file__).resolve().parent
HELD_OUT = FOLDER / "held_out"
SEED = 1
PROCESSES = 2

Trained = tuple[XrfNetwork, Standard]


def main() -> None:
    """Train the model that flies and one without each mission, calibrate, write."""
    parser = argparse.ArgumentParser(description="Train the X-ray model; takes minutes.")
    parser.add_argument("--data", type=Path, help="folder of real data; default ../shared/data")
    data = find_data(parser.parse_args().data)
    response, known = calibrate(data), compositions.lunar(data)
    missions = [str(mission) for mission in np.unique(known.mission)]
    lessons = [known, *(known.where(known.mission != mission) for mission in missions)]
    count = len(lessons)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        flying, *held = pool.map(fit, [response] * count, lessons, range(SEED, SEED + count))
    sigma = _errors(response, known, dict(zip(missions, held, strict=True)))
    _write(FOLDER, flying, sigma, prose(known))
    for mission, trained in zip(missions, held, strict=True):
        _write(HELD_OUT / mission, trained, sigma, {})
    evaluate.main(["--data", str(data), "--card"])


def _errors(response: Response, known: Compositions, held: dict[str, Trained]) -> np.ndarray:
    """Return (oxides, decades) root mean square errors on missions that were held out."""
    import torch

    rng = np.random.default_rng(SEED)
    squares = [[] for _ in DECADES]
    for mission, (network, standard) in held.items():
        unseen = known.where(known.mission == mission)
        share = shares_of(response, unseen.percent, rng)
        for row, total in zip(squares, DECADES, strict=True):
            tensor = compressed(counted(share, np.full(len(share), float(total)), rng))
            with torch.no_grad():
                said = standard.percent(network(torch.from_numpy(tensor))[0].numpy())
            row.append((said - unseen.percent[:, : len(ANSWERED)]) ** 2)
    return np.sqrt([np.concatenate(row).mean(axis=0) for row in squares]).T


def _write(folder: Path, trained: Trained, sigma: np.ndarray, words: dict[str, object]) -> None:
    """Write model, card and float twin."""
    network, standard = trained
    folder.mkdir(parents=True, exist_ok=True)
    graph = network.export(INPUT_SHAPE)
    model = writer.write(graph)
    facts = card.facts(
        graph, model, name="xrf", version=1, task="xrf", output_names=("abundances",)
    )
    facts |= {"policy": dataclasses.asdict(_policy(graph, standard, sigma)), **words}
    card.save(folder, model, facts)
    (folder / "float.tflite").write_bytes(
        writer.write(network.export(INPUT_SHAPE, quantised=False))
    )
    print(f"wrote {folder / 'model.tflite'}: {len(model)} bytes, sha256 {facts['sha256']}")


def _policy(graph: Graph, standard: Standard, sigma: np.ndarray) -> XrfPolicy:
    grid = graph.outputs[0].grid
    if grid is None:
        raise ValueError("the graph is not quantised")
    per_step = standard.spread * grid.scale
    centre = standard.mean - per_step * grid.zero_point
    return XrfPolicy(
        centre=tuple(int(value) for value in np.rint(centre * 1e3)),
        step=tuple(int(value) for value in np.rint(per_step * 1e6)),
        sigma=tuple(int(value) for value in np.rint(sigma * 1e3).reshape(-1)),
    )


if __name__ == "__main__":
    main()
