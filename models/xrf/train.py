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

from flight.autonomy.oxides import DECADES, METALS, VOTES, compressed, departures, misfit
from flight.autonomy.xrf import XrfPolicy
from models.int8 import card, writer
from models.int8.graph import Graph
from models.mineral.library import find_data
from models.xrf import compositions, evaluate
from models.xrf.compositions import ANSWERED, Compositions
from models.xrf.examples import counted, shares_of
from models.xrf.judges import int8_model
from models.xrf.network import INPUT_SCALE, INPUT_SHAPE, XrfNetwork
from models.xrf.prose import prose
from models.xrf.response import BHVO_PERCENT, TRUSTED, Response, Spectrum, binned, calibrate
from models.xrf.training import Standard, fit, mean_vote
from tools.sim.xrf import OXIDES as OXIDE_SHARES

FOLDER = Path(__file__).resolve().parent
HELD_OUT = FOLDER / "held_out"
SEED = 1
PROCESSES = 2
STRANGE_SHARE = 0.01
"""Of held-out spectra, as many are called strange."""
GLASS_MARGIN = 1.5
"""How much worse than the calibration glass another real spectrum may be redrawn."""

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
    limits = _limits(response, known, flying, dict(zip(missions, held, strict=True)))
    _write(FOLDER, flying, limits, prose(known))
    _recalibrate(FOLDER, response)
    for mission, trained in zip(missions, held, strict=True):
        _write(HELD_OUT / mission, trained, limits, {})
    evaluate.main(["--data", str(data), "--card"])


def _recalibrate(folder: Path, response: Response) -> None:
    """Scale what the flying model answers so that it is right on the calibration glass.

    As is usual, by one factor an element, for those that the glass holds enough of. The models
    without a mission keep to the simulator, on whose spectra they are judged.
    """
    facts = card.read(folder)
    answer = int8_model(folder)(_bins(response.glass)[None])[0]
    for index, metal in enumerate(METALS):
        if metal in TRUSTED:
            certified = BHVO_PERCENT[metal] / OXIDE_SHARES[ANSWERED[index]][1]
            scale = np.sqrt(certified / answer[index])
            for table in ("centre", "step"):
                facts["policy"][table][index] = round(facts["policy"][table][index] * scale)
    card.save(folder, (folder / "model.tflite").read_bytes(), facts)


def _bins(glass: Spectrum) -> np.ndarray:
    found = binned(glass)
    if found is None:
        raise ValueError("the calibration glass does not cover the model's bins")
    return found


@dataclasses.dataclass(frozen=True)
class Limits:
    """What spectra of missions that were held out say of errors and of strangeness."""

    sigma: np.ndarray
    """(oxides, decades) root mean square errors in percent."""
    typical: np.ndarray
    """(oxides,) root mean square abundances in percent."""
    misfit: np.ndarray
    """(decades,) largest misfit of a spectrum that is not strange, in 1/1000 of an octave."""


def _limits(
    response: Response, known: Compositions, flying: Trained, held: dict[str, Trained]
) -> Limits:
    rng = np.random.default_rng(SEED)
    squares, misfits = [[] for _ in DECADES], [[] for _ in DECADES]
    for mission, trained in held.items():
        unseen = known.where(known.mission == mission)
        share = shares_of(response, unseen.percent, rng)
        for decade, total in enumerate(DECADES):
            counts = counted(share, np.full(len(share), float(total)), rng)
            said, unlike = _answer(trained, counts)
            squares[decade].append((said - unseen.percent[:, : len(ANSWERED)]) ** 2)
            misfits[decade].append(unlike)
    errors = [np.concatenate(rows).mean(axis=0) for rows in squares]
    known_share = [np.quantile(np.concatenate(rows), 1 - STRANGE_SHARE) for rows in misfits]
    # No simulator is the instrument: the glass that it was calibrated on must not be strange.
    glass = _bins(response.glass)
    thinned = [rng.binomial(glass, min(1, total / glass.sum())) for total in DECADES]
    real = [_answer(flying, counts[None])[1][0] * GLASS_MARGIN for counts in thinned]
    typical = np.sqrt((known.percent[:, : len(ANSWERED)] ** 2).mean(axis=0))
    return Limits(np.sqrt(errors).T, typical, np.maximum(known_share, real))


def _answer(trained: Trained, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (spectra, 8) percent and (spectra,) misfits, as the board will find them."""
    import torch

    network, standard = trained
    tensor = compressed(counts)
    with torch.no_grad():
        votes, redrawn = network(torch.from_numpy(tensor))
    levels = np.rint(redrawn.numpy() / INPUT_SCALE).astype(np.int64)
    departure = departures(tensor, levels, (0, 1000))
    rows = zip(departure, counts, strict=True)
    return standard.percent(mean_vote(votes).numpy()), np.array([misfit(*row) for row in rows])


def _write(folder: Path, trained: Trained, limits: Limits, words: dict[str, object]) -> None:
    """Write model, card and float twin."""
    network, standard = trained
    folder.mkdir(parents=True, exist_ok=True)
    graph = network.export(INPUT_SHAPE)
    model = writer.write(graph)
    names = ("abundances", "redrawn")
    facts = card.facts(graph, model, name="xrf", version=2, task="xrf", output_names=names)
    facts |= {"policy": dataclasses.asdict(_policy(graph, standard, limits)), **words}
    card.save(folder, model, facts)
    (folder / "float.tflite").write_bytes(
        writer.write(network.export(INPUT_SHAPE, quantised=False))
    )
    print(f"wrote {folder / 'model.tflite'}: {len(model)} bytes, sha256 {facts['sha256']}")


def _policy(graph: Graph, standard: Standard, limits: Limits) -> XrfPolicy:
    grid, drawn = (output.grid for output in graph.outputs)
    if grid is None or drawn is None:
        raise ValueError("the graph is not quantised")
    per_step = standard.spread * grid.scale / VOTES
    centre = standard.mean - VOTES * per_step * grid.zero_point
    return XrfPolicy(
        centre=_whole(centre * 1e4),
        step=_whole(per_step * 1e7),
        sigma=_whole(limits.sigma * 1e3),
        typical=_whole(limits.typical * 1e3),
        redrawn=(drawn.zero_point, round(1000 * drawn.scale / INPUT_SCALE)),
        most_misfit=_whole(np.ceil(limits.misfit)),
    )


def _whole(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in np.rint(values).reshape(-1))


if __name__ == "__main__":
    main()
