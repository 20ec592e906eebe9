"""Train the sample model: ``python -m models.sample.train``.

Writes model.tflite, float.tflite, baselines.npz and card.toml beside this file, and the same
network shown only the picture, or only the telemetry, into picture_only/ and telemetry_only/.
Two runs on one machine give the same bytes: every draw has a seed, and PyTorch runs one thread
of deterministic kernels.
"""

import argparse
import dataclasses
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from models.int8 import card, writer
from models.sample import baselines, data, evaluate
from models.sample.data import INPUT_SHAPE, Cases
from models.sample.judges import every_judge
from models.sample.network import SampleNet
from models.sample.prose import prose
from models.sample.scoring import GUARDED, UNGUARDED, calibrate
from models.sample.training import fit
from models.sample.views import Shows

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Draw, train, calibrate, write, measure."""
    parser = argparse.ArgumentParser(description="Train the sample model; takes minutes.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    folder = parser.parse_args().out
    start = time.perf_counter()
    cases = data.training()
    print(f"{len(cases.inputs)} cases drawn, {time.perf_counter() - start:.0f} s", flush=True)
    write_models(folder, cases)
    print(f"trained, {time.perf_counter() - start:.0f} s", flush=True)
    write_card(folder, data.calibration())
    evaluate.main(["--model", str(folder), "--card"])
    print(f"calibrated and measured, {time.perf_counter() - start:.0f} s", flush=True)


def write_models(folder: Path, cases: Cases) -> None:
    """Train all networks and fit the classical methods; write their files."""
    folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(data.PROCESSES, mp_context=spawn) as pool:
        networks = list(pool.map(fit, [cases] * len(Shows), Shows))
    for shows, network in zip(Shows, networks, strict=True):
        _write(folder if shows is Shows.BOTH else folder / shows.value, network)
    twin = networks[0].export(INPUT_SHAPE, quantised=False)
    (folder / "float.tflite").write_bytes(writer.write(twin))
    np.savez(folder / "baselines.npz", **baselines.fit(cases))


def write_card(folder: Path, worlds: tuple[Cases, ...]) -> None:
    """Calibrate every judge, and write the model's card."""
    policies = {
        name: calibrate(
            [judge(cases) for cases in worlds],
            worlds,
            UNGUARDED if name == Shows.PICTURE.value else GUARDED,
        )
        for name, judge in every_judge(folder).items()
    }
    known = card.read(folder)
    own = policies.pop("int8")
    # The twin is there to show what rounding does: with the model's own thresholds.
    policies["float"] = own
    known["policy"] = dataclasses.asdict(own)
    known["compared"] = {name: dataclasses.asdict(policy) for name, policy in policies.items()}
    card.save(folder, (folder / "model.tflite").read_bytes(), known | prose())


def _write(folder: Path, network: SampleNet) -> None:
    """Write one network with the part of its card that flight checks."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = network.export(INPUT_SHAPE)
    model = writer.write(graph)
    names = ("heads", "telemetry")
    facts = card.facts(graph, model, name="sample", version=2, task="sample", output_names=names)
    card.save(folder, model, facts)
    print(f"wrote {folder / 'model.tflite'}: {len(model)} bytes, sha256 {facts['sha256']}")


if __name__ == "__main__":
    main()
