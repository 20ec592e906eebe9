"""Fit one network to simulated spectra of known compositions."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from flight.autonomy import oxides
from flight.autonomy.oxides import VOTES
from models.xrf.compositions import ANSWERED, Compositions, around, wide
from models.xrf.examples import counted, shares_of
from models.xrf.network import INPUT_SCALE, XrfNetwork
from models.xrf.response import Response

POOL = 12_000
"""Compositions: half around lunar analyses, half wider."""

FLOAT_STEPS = 4500
QUANTISED_STEPS = 1200
EXAMPLES = 192
LEAST_TOTAL, MOST_TOTAL = 1e4, 1e8
"""Counts in a spectrum, drawn evenly in the logarithm."""


@dataclass(frozen=True)
class Standard:
    """How abundances become numbers near 1: each oxide's root less its mean, over its spread.

    Roots, so that a tenth of a percent of potassium is learned and rounded as finely as it needs.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def of(self, percent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (samples, 8) standardised abundances of (samples, oxides)."""
        return (roots_of(percent) - self.mean) / self.spread

    def percent(self, standardised: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (samples, 8) abundances in percent."""
        return np.maximum(standardised * self.spread + self.mean, 0) ** 2


@dataclass(frozen=True)
class Lesson:
    """What a network learns from."""

    share: NDArray[np.float64]
    """(samples, 192) spectra without noise."""
    target: NDArray[np.float64]
    """(samples, 8) standardised abundances."""


def standard_of(percent: NDArray[np.float64]) -> Standard:
    """Return the standard of some compositions."""
    roots = roots_of(percent)
    return Standard(roots.mean(axis=0), roots.std(axis=0))


def roots_of(percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (samples, 8) square roots of the abundances that the model answers."""
    return np.sqrt(percent[:, : len(ANSWERED)])


def mean_vote(votes: torch.Tensor) -> torch.Tensor:
    """Return (samples, 8) means of the votes that the network casts on each oxide."""
    return votes.reshape(len(votes), VOTES, -1).mean(dim=1)


def fit(response: Response, known: Compositions, seed: int) -> tuple[XrfNetwork, Standard]:
    """Return a quantised network and its standard; same seed, same bits."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    percent = np.concatenate([around(known, POOL // 2, rng), wide(POOL // 2, rng)])
    standard = standard_of(percent)
    lesson = Lesson(shares_of(response, percent, rng), standard.of(percent))
    network = XrfNetwork()
    network.train()
    groups = [{"params": network.parameters(), "lr": 2e-3}]
    _descend(network, groups, FLOAT_STEPS, lesson, rng)
    batches = [_batch(lesson, rng)[0] for _ in range(8)]
    network.quantise(batches)
    groups = network.parameter_groups(4e-4, 1e-3)
    _descend(network, groups, QUANTISED_STEPS, lesson, rng)
    network.eval()
    return network, standard


def _descend(
    network: XrfNetwork,
    groups: list[dict[str, object]],
    steps: int,
    lesson: Lesson,
    rng: np.random.Generator,
) -> None:
    """Take so many steps of Adam with a cosine schedule, each on a fresh batch.

    The loss is the absolute error, so that a few odd spectra do not rule. The network also learns
    to draw the spectrum that it was shown.
    """
    optimiser = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        tensor, target = _batch(lesson, rng)
        votes, redrawn = network(tensor)
        loss = functional.smooth_l1_loss(mean_vote(votes), target, beta=0.1)
        # Each vote by itself as well: two that differ much would both be rounded coarsely.
        each = votes.reshape(len(votes), VOTES, -1) - target[:, None]
        loss = loss + 0.2 * each.abs().mean()
        seen = tensor.reshape(redrawn.shape) * INPUT_SCALE
        loss = loss + 0.2 * functional.smooth_l1_loss(redrawn, seen, beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _batch(lesson: Lesson, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return prepared spectra and their standardised abundances."""
    chosen = rng.integers(0, len(lesson.share), EXAMPLES)
    total = np.exp(rng.uniform(np.log(LEAST_TOTAL), np.log(MOST_TOTAL), EXAMPLES))
    tensor = oxides.compressed(counted(lesson.share[chosen], total, rng))
    target = lesson.target[chosen].astype(np.float32)
    return torch.from_numpy(tensor), torch.from_numpy(target)
