"""Fit one network to simulated cases.

Limits are taught soft: a gap of 80 micrometres is as likely tight as not, and what a sensor
cannot tell apart the model shall not either. A case with an open canister weighs more at the
"sealed" head than one with a tight one, since that is the error that costs most.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from flight.autonomy.sample import AMOUNTS_G, DEAD, FORCE, GAP_A, GAP_B, HEADS, SHOWN, STEPS, Head
from models.sample.data import Cases
from models.sample.network import SampleNet
from models.sample.views import Shows, shown
from tools.sim.sample import SPILL_G, TOLERATED_UM

SEED = 5
BATCH = 96
FLOAT_EPOCHS, LAST_EPOCHS = 14, 4
GAP_SOFTNESS_UM, MASS_SOFTNESS_G, SPILL_SOFTNESS_G = 5.0, 4.0, 2.0
OPEN_WEIGHT = 3.0
BLIND_SHARE = 0.15
"""Of the lessons show no picture, so that the model does not lean on it for the seal."""
DEAD_SHARE = 0.02
"""Of the channels that a lesson may lose are shown dead."""


def targets(cases: Cases) -> NDArray[np.float32]:
    """Return (N, 8) soft truth by head."""
    wanted = np.zeros((len(cases.inputs), HEADS), np.float32)
    for index, amount in enumerate(AMOUNTS_G):
        wanted[:, Head.AMOUNT + index] = _soft(cases.mass_g - amount, MASS_SOFTNESS_G)
    wanted[:, Head.SPILL] = _soft(cases.spilled_g - SPILL_G, SPILL_SOFTNESS_G)
    wanted[:, Head.JAM] = cases.jammed
    tight = _soft(TOLERATED_UM - cases.gap_um, GAP_SOFTNESS_UM)
    wanted[:, Head.OBSTRUCTED] = (1 - tight) * np.isfinite(cases.gap_um)
    wanted[:, Head.SEALED] = tight
    return wanted


def fit(cases: Cases, shows: Shows) -> SampleNet:
    """Return a quantised network; the same cases give the same bits."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    rng = np.random.default_rng(SEED)
    inputs = shown(cases.inputs[cases.usable], shows)
    wanted = targets(cases)[cases.usable]
    network = SampleNet()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    _epochs(network, optimiser, inputs, wanted, rng, FLOAT_EPOCHS)
    some = rng.choice(len(inputs), (6, BATCH), replace=False)
    network.quantise(torch.from_numpy(inputs[batch]) for batch in some)
    optimiser = torch.optim.Adam(network.parameter_groups(5e-4, 3e-3))
    _epochs(network, optimiser, inputs, wanted, rng, LAST_EPOCHS)
    network.eval()
    return network


def _epochs(
    network: SampleNet,
    optimiser: torch.optim.Optimizer,
    inputs: NDArray[np.int8],
    wanted: NDArray[np.float32],
    rng: np.random.Generator,
    epochs: int,
) -> None:
    """Train for some epochs, the rate falling to zero along a cosine."""
    steps = len(inputs) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=epochs * steps + 1,
        pct_start=0.15,
    )
    for epoch in range(epochs):
        network.train()
        losses = []
        for chosen in rng.permutation(len(inputs))[: steps * BATCH].reshape(steps, BATCH):
            lesson = _varied(inputs[chosen], rng)
            loss = _loss(network, torch.from_numpy(lesson), torch.from_numpy(wanted[chosen]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}", flush=True)


def _varied(inputs: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int8]:
    """Return lessons mirrored top to bottom, without their picture, or with a dead channel."""
    lesson = inputs.copy()
    mirrored = rng.random(len(lesson)) < 0.5
    lesson[mirrored, :STEPS] = lesson[mirrored, STEPS - 1 :: -1]
    lesson[rng.random(len(lesson)) < BLIND_SHARE, :STEPS] = 0
    # prepare() refuses frames in which one of these is dead.
    may_die = [row for row in range(len(SHOWN) - 1) if row not in (GAP_A, GAP_B, FORCE)]
    for row in may_die:
        lesson[rng.random(len(lesson)) < DEAD_SHARE, STEPS + row] = DEAD
    return lesson


def _loss(network: SampleNet, inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy against soft truth; open canisters weigh more."""
    said, _ = network(inputs)
    weight = torch.ones_like(wanted)
    weight[:, Head.SEALED] += (OPEN_WEIGHT - 1) * (1 - wanted[:, Head.SEALED])
    return functional.binary_cross_entropy_with_logits(said.flatten(1), wanted, weight=weight)


def _soft(beyond: NDArray[np.float64], softness: float) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(beyond / softness, -30, 30)))
