"""Train the terrain model and write model.tflite, float.tflite and card.toml.

    python -m models.terrain.train

Byte for byte the same on one machine: every random draw has a seed, and PyTorch runs one thread
of deterministic kernels.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from models.int8 import writer
from models.terrain import data
from models.terrain.card import describe
from models.terrain.data import FOOTPRINT, Scenes
from models.terrain.network import INPUT_SHAPE, TerrainNet

FOLDER = Path(__file__).parent
SEED = 3
GROUNDS, LOOKS = 3500, 2
"""Pieces of ground, and looks at each of them."""
BATCH = 16
FLOAT_EPOCHS, LAST_EPOCHS = 12, 2
SHARPNESS = 7.0
"""A danger of 1.2 is taught as a hazard with a chance of about 0.8: limits are not walls."""
OUTSIDE = 9.0
DISC = tuple(
    (FOOTPRINT + down, FOOTPRINT + across)
    for down in range(-FOOTPRINT, FOOTPRINT + 1)
    for across in range(-FOOTPRINT, FOOTPRINT + 1)
    if down**2 + across**2 <= FOOTPRINT**2
)
"""Cells of a lander's footprint, as offsets into a map with a border."""


def main() -> None:
    """Train, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grounds", type=int, default=GROUNDS, help="fewer for a quick try")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    arguments = parser.parse_args()
    start = time.perf_counter()
    scenes = data.training(arguments.grounds, LOOKS)
    print(f"{len(scenes.inputs)} frames drawn, {time.perf_counter() - start:.0f} s", flush=True)
    network = train(scenes)
    print(f"trained, {time.perf_counter() - start:.0f} s", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "model.tflite").write_bytes(writer.write(network.export(INPUT_SHAPE)))
        twin = network.export(INPUT_SHAPE, quantised=False)
        (folder / "float.tflite").write_bytes(writer.write(twin))
        describe(folder, frames=len(scenes.inputs))
        # Model and card change together, so that flight never reads one without the other.
        for name in ("float.tflite", "model.tflite", "card.toml"):
            shutil.copyfile(folder / name, arguments.out / name)
    print(f"calibrated and measured, {time.perf_counter() - start:.0f} s", flush=True)


def train(scenes: Scenes) -> TerrainNet:
    """Return the trained network, its last epochs with rounding."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(SEED)
    network = TerrainNet()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    _epochs(network, optimiser, scenes, rng, FLOAT_EPOCHS)
    some = rng.choice(len(scenes.inputs), (4, BATCH), replace=False)
    network.quantise(torch.from_numpy(scenes.inputs[batch]) for batch in some)
    optimiser = torch.optim.Adam(network.parameter_groups(7e-4, 3e-3))
    _epochs(network, optimiser, scenes, rng, LAST_EPOCHS)
    return network


def _epochs(
    network: TerrainNet,
    optimiser: torch.optim.Optimizer,
    scenes: Scenes,
    rng: np.random.Generator,
    epochs: int,
) -> None:
    """Train for some epochs, the rate falling to zero along a cosine."""
    steps = epochs * (len(scenes.inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=steps + 1,
        pct_start=0.15,
    )
    for epoch in range(epochs):
        network.train()
        losses = []
        for chosen in data.batches(rng.permutation(len(scenes.inputs)).tolist(), BATCH):
            turned = _turned(scenes, chosen, int(rng.integers(8)))
            loss = _loss(network, *turned)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}", flush=True)


def _turned(scenes: Scenes, chosen: np.ndarray, turn: int) -> tuple[torch.Tensor, ...]:
    """Return a batch under one of the square's eight symmetries."""
    arrays = []
    for array in (scenes.inputs[..., 0], scenes.danger, scenes.shadow):
        part = np.rot90(array[chosen], turn % 4, axes=(1, 2))
        arrays.append(torch.from_numpy(np.ascontiguousarray(part[:, ::-1] if turn > 3 else part)))
    return arrays[0][..., None], arrays[1], arrays[2].float()


def _loss(
    network: TerrainNet, inputs: torch.Tensor, danger: torch.Tensor, shadow: torch.Tensor
) -> torch.Tensor:
    """Return the cross entropy against soft hazards and risks, and a fifth of that for shadows."""
    (output,) = network(inputs)
    hazard = functional.binary_cross_entropy_with_logits(output[:, 0], _soft(danger))
    dark = functional.binary_cross_entropy_with_logits(output[:, 1], shadow)
    risk = functional.binary_cross_entropy_with_logits(output[:, 2], _soft(_worst_below(danger)))
    return hazard + 0.2 * dark + risk


def _soft(danger: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(SHARPNESS * torch.log(danger.clamp_min(1e-3)))


def _worst_below(danger: torch.Tensor) -> torch.Tensor:
    """Return the worst danger under a lander in each cell; what lies outside is beyond limits."""
    size = danger.shape[1]
    walled = functional.pad(danger, (FOOTPRINT,) * 4, value=OUTSIDE)
    worst = danger
    for down, across in DISC:
        worst = torch.maximum(worst, walled[:, down : down + size, across : across + size])
    return worst


if __name__ == "__main__":
    main()
