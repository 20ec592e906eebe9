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
from models.mineral.calibration import Strangeness, Witness
from models.mineral.held_out import FOLDS, Unseen, folds_of, joined
from models.mineral.library import CLASSES, Library, find_data, read_library
from models.mineral.network import BANDS, BATCH, CHANNELS, MineralNetwork
from models.mineral.prose import prose
from models.mineral.training import Answers, answers, fit, reference, views

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
        networks = pool.map(fit, [library, *lessons], range(SEED, SEED + len(lessons) + 1))
        flying, *taught = map(Taught.of, networks, [library, *lessons])
    unseen = _unseen(library, fold, taught[:FOLDS])
    _write(FOLDER, flying, library, unseen)
    for number in range(FOLDS):
        others = unseen.where(unseen.fold != number)
        _write(held_out.folder_of(number), taught[number], lessons[number], others)
    others = unseen.where(unseen.fold != 0)
    for mineral, one, seen in zip(held_out.ABSENT, taught[FOLDS:], lessons[FOLDS:], strict=True):
        _write(held_out.FOLDER / f"without_{mineral}", one, seen, others)
    evaluate.main(["--data", str(data), "--card"])
    print(f"right on held-out specimens: {unseen.right.mean():.3f} of {len(unseen.right)}")


@dataclasses.dataclass(frozen=True)
class Taught:
    """A network with what was measured on spectra like those it learned from."""

    network: MineralNetwork
    strangeness: Strangeness

    @classmethod
    def of(cls, network: MineralNetwork, seen: Library) -> "Taught":
        """Return the network's measures of strangeness."""
        known = reference(network, seen)
        return cls(
            network,
            Strangeness(
                logit=Witness.of(known.said.logits[:, -1]),
                angle=Witness.of(calibration.angle_of(known.said.likeness[known.covered])),
            ),
        )

    def strange(self, said: Answers, *, covered: bool) -> np.ndarray:
        """Return (N,) how strange the network finds what it has answered about."""
        angle = calibration.angle_of(said.likeness) if covered else None
        return self.strangeness.of(said.logits[:, -1], angle)


def _unseen(library: Library, fold: np.ndarray, taught: list[Taught]) -> Unseen:
    """Return what each fold's network says of the fold it has not seen, in all views."""
    parts = []
    for number, one in enumerate(taught):
        new = library.where(fold == number)
        for view in views(new):
            said = answers(one.network, view.tensor)
            strange = one.strange(said, covered=view.covered)
            right = said.logits[:, :-1].argmax(axis=1) == new.label
            parts.append(
                Unseen(np.full(len(new), number), calibration.margins(said), right, strange)
            )
    return joined(parts)


def _write(folder: Path, taught: Taught, seen: Library, unseen: Unseen) -> None:
    """Write model, card and float twin of one network, calibrated on others' unseen answers."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = taught.network.export(INPUT_SHAPE)
    logits, likeness = (output.grid for output in graph.outputs)
    policy = calibration.policy_of(
        taught.strangeness,
        logit_step=logits.scale,
        likeness_step=likeness.scale,
        threshold=float(np.quantile(unseen.strangeness, 1 - calibration.FALSE_ALARMS)),
        confidence_permille=calibration.confidence_table(unseen.margin, unseen.right, logits.scale),
    )
    model = writer.write(graph)
    facts: dict[str, Any] = card.facts(
        graph, model, name="mineral", version=4, task="mineral",
        output_names=("logits", "likeness"),
    )  # fmt: skip
    facts |= {"classes": list(CLASSES), "policy": dataclasses.asdict(policy)}
    if folder == FOLDER:
        facts |= prose(seen)
    card.save(folder, model, facts)
    twin = writer.write(taught.network.export(INPUT_SHAPE, quantised=False))
    (folder / "float.tflite").write_bytes(twin)
    print(f"wrote {folder / 'model.tflite'}: {len(model)} bytes, sha256 {facts['sha256']}")


if __name__ == "__main__":
    main()
