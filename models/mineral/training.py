"""Fit one network to a library: floats first, then with the rounding that flies."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from flight.autonomy.bands import covers
from models.int8.network import Network
from models.mineral.bank import outlines
from models.mineral.examples import Examples, axis_of, batches, prepared
from models.mineral.library import CLASSES, Library
from models.mineral.network import MineralNetwork
from tools.sim import spectra

FLOAT_STEPS = 1600
QUANTISED_STEPS = 300
EXAMPLES = 128
"""Spectra a step."""
REFERENCE_BATCHES = 40
"""So many batches show what the known may look like; see ``reference``."""
REFERENCE_SEED = 99
INSTRUMENTS = 24
"""So many random instruments look at held-out specimens, beside the laboratory's own."""
VIEWS_SEED = 98
STRANGER_WEIGHT = 0.5
"""How much telling strangers counts beside telling classes."""
COMPOSITION_WEIGHT = 0.3
"""How much the composition that only training asks for counts."""
PYROXENE_TRACE = 0.2
"""Calcium is asked of spectra with more pyroxene than this."""


@dataclass(frozen=True)
class Answers:
    """What a network says of some spectra."""

    logits: NDArray[np.float32]
    """(N, classes + 1), the last for strangers"""
    likeness: NDArray[np.float32]
    """(N,) how far the cosine with the nearest outline of the bank is above the least told."""


def fit(library: Library, seed: int) -> MineralNetwork:
    """Return a quantised network that learned from ``library``; same seed, same bits."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = MineralNetwork(len(CLASSES), outlines(library))
    network.train()
    _descend(network, [{"params": network.parameters(), "lr": 3e-3}], library, FLOAT_STEPS, rng)
    network.quantise([torch.from_numpy(e.tensor) for e in batches(library, 8, EXAMPLES, rng)])
    _descend(network, network.parameter_groups(5e-4, 2e-3), library, QUANTISED_STEPS, rng)
    network.eval()
    return network


def _descend(
    network: MineralNetwork,
    groups: list[dict[str, object]],
    library: Library,
    steps: int,
    rng: np.random.Generator,
) -> None:
    """Take so many steps of AdamW with a cosine schedule, each on a fresh batch."""
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for examples in batches(library, steps, EXAMPLES, rng):
        loss = loss_of(network, examples)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def loss_of(network: MineralNetwork, examples: Examples) -> Tensor:
    """Return cross-entropy over the classes of known spectra, over strangers, over composition."""
    logits, composition = network.lesson(torch.from_numpy(examples.tensor))
    target = torch.from_numpy(examples.target)
    strange = torch.from_numpy(examples.strange)
    known = 1 - strange
    crossed = -(target * functional.log_softmax(logits[:, :-1], dim=1)).sum(dim=1)
    classes = (crossed * known).sum() / known.sum()
    told = functional.binary_cross_entropy_with_logits(logits[:, -1], strange)
    asked = composition_loss(composition, examples)
    return classes + STRANGER_WEIGHT * told + COMPOSITION_WEIGHT * asked


def composition_loss(composition: Tensor, examples: Examples) -> Tensor:
    """Return how far shares and calcium, where they can be seen, are from the truth."""
    shares = torch.from_numpy(examples.shares)
    visible = torch.from_numpy(examples.visible)
    crossed = -(shares * functional.log_softmax(composition[:, :-1], dim=1)).sum(dim=1)
    off = torch.sigmoid(composition[:, -1]) / 2 - torch.from_numpy(examples.calcium)
    pyroxene = visible * (shares[:, 0] > PYROXENE_TRACE)
    by_shares = (crossed * visible).sum() / visible.sum().clamp_min(1)
    by_calcium = ((4 * off) ** 2 * pyroxene).sum() / pyroxene.sum().clamp_min(1)
    return by_shares + by_calcium


def answers(network: Network, tensor: NDArray[np.int8]) -> Answers:
    """Return what a network says of prepared spectra."""
    with torch.no_grad():
        logits, likeness = network(torch.from_numpy(tensor))
    return Answers(logits.numpy(), likeness.numpy()[:, 0])


@dataclass(frozen=True)
class View:
    """Spectra as one instrument sees them."""

    tensor: NDArray[np.int8]
    covered: bool
    """Whether its bands suffice for an outline."""


def views(library: Library) -> list[View]:
    """Return the library's spectra prepared as they were measured, then as instruments see them.

    Confidence and threshold are measured on all of these: a user's bands and noise are not the
    laboratory's.
    """
    rng = np.random.default_rng(VIEWS_SEED)
    seen = [_view(library.reflectance, library.wavelength_nm)]
    for _ in range(INSTRUMENTS):
        instrument = spectra.draw_instrument(rng)
        observed = spectra.observe(library.reflectance, library.wavelength_nm, instrument, rng)
        seen.append(_view(observed, instrument.wavelength_nm))
    return seen


def _view(reflectance: NDArray[np.float64], wavelength_nm: NDArray[np.float64]) -> View:
    return View(prepared(reflectance, wavelength_nm), covers(axis_of(wavelength_nm)))


@dataclass(frozen=True)
class Reference:
    """Answers about the known as they may look anywhere: weathered, mixed."""

    said: Answers
    covered: NDArray[np.bool_]
    """(N,) whether the instrument's bands suffice for an outline."""


def reference(network: Network, library: Library) -> Reference:
    """Return what is strange is measured against.

    Against laboratory powders alone every soil in orbit would be.
    """
    rng = np.random.default_rng(REFERENCE_SEED)
    tensors, covered = [], []
    for examples in batches(library, REFERENCE_BATCHES, EXAMPLES, rng):
        known = examples.strange == 0
        tensors.append(examples.tensor[known])
        covered.append(examples.covered[known])
    return Reference(answers(network, np.concatenate(tensors)), np.concatenate(covered))
