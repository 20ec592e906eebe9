"""Training examples: measured spectra with another history, mixtures of them, and strangers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.autonomy import bands, mineral
from models.mineral.library import CLASSES, DOMINANT_SHARE, PIGEONITE_LIMIT, Library
from tools.sim import spectra

UNIT_COUNTS = 40_000
"""Counts for reflectance 1.0 when a spectrum becomes a frame."""

MEASURED, MIXED, STRANGE = 0.60, 0.20, 0.20
"""What a batch is made of."""

INSTRUMENTS_A_BATCH, NEW_INSTRUMENTS = 8, 2
"""Several: normalised over one instrument alone, a batch is not like what is met aboard. Only some
are new in each batch, for the others' weights are then at hand (``bands.resampling``)."""

NEAR_LIMIT = 0.5
"""Share of the mixtures of all minerals that lie about the dominant share."""

UNDECIDED = 0.1
"""Within this distance of the dominant share the class is shared between the two it borders."""

UNDECIDED_CALCIUM = 0.04
"""The same about the limit between the pyroxenes."""


@dataclass(frozen=True)
class Examples:
    """What a network learns from."""

    tensor: NDArray[np.int8]
    """(N, 1, 80, 4) as prepared for flight."""
    target: NDArray[np.float32]
    """(N, classes) shares of belief, adding up to 1."""
    strange: NDArray[np.float32]
    """(N,) 1 for a stranger, whose target is not used."""
    shares: NDArray[np.float32]
    """(N, 3) shares of MINERALS; 0 for a stranger."""
    calcium: NDArray[np.float32]
    """(N,) wollastonite content of the pyroxene."""
    visible: NDArray[np.float32]
    """(N,) how far weathering leaves composition to be seen; 0 for a stranger."""
    covered: NDArray[np.bool_]
    """(N,) whether the instrument's bands suffice for an outline."""


def prepared(
    reflectance: NDArray[np.float64], wavelength_nm: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Return (N, 1, 80, 4): spectra through flight's own preparation.

    Raises:
        ValueError: the bands do not suffice.
    """
    axis = axis_of(wavelength_nm)
    weights = bands.resampling(axis)
    if weights is None:
        raise ValueError(
            f"too few bands between 450 and 2500 nm: {bands.LEAST_BANDS} are needed, "
            f"over {bands.LEAST_SPAN_PM // 1000} nm"
        )
    counts = np.clip(np.rint(reflectance.T * UNIT_COUNTS), 0, 65_535).astype(np.uint16)
    return mineral.shape_of(weights, bands.support(axis), counts)


def axis_of(wavelength_nm: NDArray[np.float64]) -> tuple[int, ...]:
    """Return band centres as a frame states them, in picometres."""
    return tuple(int(band) for band in np.rint(np.asarray(wavelength_nm) * 1000))


def belief(shares: NDArray[np.float64], calcium: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (N, classes) belief: all on the dominant mineral, or on "other" when none is.

    Near a limit belief moves over in a straight line, for 74 % olivine is not another thing than
    76 %, nor Wo 19 another pyroxene than Wo 21.
    """
    own = np.clip((shares.max(axis=1) - DOMINANT_SHARE) / (2 * UNDECIDED) + 0.5, 0, 1)
    high = np.clip((calcium - PIGEONITE_LIMIT) / (2 * UNDECIDED_CALCIUM) + 0.5, 0, 1)
    largest = shares.argmax(axis=1)
    named = np.stack(
        [(largest == 0) * (1 - high), (largest == 0) * high, largest == 1, largest == 2], axis=1
    )
    target = np.concatenate([named * own[:, None], 1 - own[:, None]], axis=1)
    return target.astype(np.float32)


def still_told(told: NDArray[np.float32], weather: spectra.Weather) -> NDArray[np.float32]:
    """Return (N, classes) belief after weathering: what cannot be seen any more is "other".

    What a mature soil is made of is a guess. Plagioclase goes first: it is known by the bands it
    lacks, and every mineral lacks them once weathering shows.
    """
    seen = np.repeat(1 - spectra.hidden(weather)[:, None], len(CLASSES), axis=1)
    plagioclase = CLASSES.index("plagioclase")
    seen[:, plagioclase] = 1 - spectra.reddened(weather)
    left = told * seen
    left[:, CLASSES.index("other")] += 1 - left.sum(axis=1)
    return left.astype(np.float32)


def batches(
    library: Library, count: int, size: int, rng: np.random.Generator
) -> Iterator[Examples]:
    """Yield ``count`` batches of ``size`` examples, each shared out among random instruments."""
    library = library.thinned(2)
    albedo = spectra.albedo_of(library.reflectance)
    weight = specimen_weight(library)
    pure = np.flatnonzero(library.shares.max(axis=1) >= 0.95)
    instruments = [spectra.draw_instrument(rng) for _ in range(INSTRUMENTS_A_BATCH)]
    for _ in range(count):
        yield _batch(library, albedo, weight, pure, instruments, size, rng)
        instruments = instruments[NEW_INSTRUMENTS:]
        instruments += [spectra.draw_instrument(rng) for _ in range(NEW_INSTRUMENTS)]


def specimen_weight(library: Library) -> NDArray[np.float64]:
    """Return (spectra,) chances to be drawn: classes equal, within a class specimens equal.

    A rock with forty rows tells no more about minerals than one with a single row.
    """
    _, inverse, rows = np.unique(
        np.stack([library.label, library.specimen]), axis=1, return_inverse=True, return_counts=True
    )
    weight = 1 / np.sqrt(rows[inverse.reshape(-1)])
    for label in np.unique(library.label):
        weight[library.label == label] /= weight[library.label == label].sum()
    return weight / weight.sum()


def _batch(
    library: Library,
    albedo: NDArray[np.float64],
    weight: NDArray[np.float64],
    pure: NDArray[np.int64],
    instruments: list[spectra.Instrument],
    size: int,
    rng: np.random.Generator,
) -> Examples:
    """Return one batch: measured, mixed and strange spectra through some instruments."""
    wave = library.wavelength_nm
    drawn = rng.choice(len(library), int(size * MEASURED), p=weight)
    mixed, shares, calcium = mixtures(library, albedo, weight, pure, int(size * MIXED), rng)
    known = np.concatenate([albedo[drawn], mixed])
    weather = spectra.draw_weather(len(known), rng)
    seen = spectra.weathered(known, wave, weather)
    seen *= spectra.dampness(len(seen), wave, rng)
    strangers = spectra.draw_strangers(size - len(known), wave, rng)
    tensor, covered = _through(instruments, np.concatenate([seen, strangers]), wave, rng)
    shares = np.concatenate([library.shares[drawn], shares])
    calcium = np.concatenate([library.calcium[drawn], calcium])
    target = still_told(belief(shares, calcium), weather)
    return Examples(
        tensor=tensor,
        target=_with_strangers(target, size),
        strange=(np.arange(size) >= len(known)).astype(np.float32),
        shares=_with_strangers(shares, size),
        calcium=_with_strangers(calcium, size),
        visible=_with_strangers(1 - spectra.hidden(weather), size),
        covered=covered,
    )


def _with_strangers(known: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Return what holds for known spectra with zeros for the strangers after them."""
    rows = np.zeros((size, *known.shape[1:]), np.float32)
    rows[: len(known)] = known
    return rows


def _through(
    instruments: list[spectra.Instrument],
    reflectance: NDArray[np.float64],
    wavelength_nm: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return (N, 1, 80, 4) spectra, each as one of the instruments sees it, and (N,) covered."""
    count = len(reflectance)
    tensor = np.empty((count, 1, len(bands.GRID_PM), mineral.CHANNELS), np.int8)
    covered = np.empty(count, np.bool_)
    shared_out = np.array_split(rng.permutation(count), len(instruments))
    for instrument, rows in zip(instruments, shared_out, strict=True):
        observed = spectra.observe(reflectance[rows], wavelength_nm, instrument, rng)
        tensor[rows] = prepared(observed, instrument.wavelength_nm)
        covered[rows] = bands.covers(axis_of(instrument.wavelength_nm))
    return tensor, covered


def mixtures(
    library: Library,
    albedo: NDArray[np.float64],
    weight: NDArray[np.float64],
    pure: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return albedos (count, bands) of intimate mixtures of three pure minerals; shares; calcium.

    Every second one is of pyroxenes alone: where low calcium ends and high begins is the finest
    distinction asked for, and the library has few specimens near it. Of the others half are drawn
    about the share from which a mineral gives its name. Volume counts by cross-section, so with
    equal grains the albedos add up by volume share; unequal grains are played by a random factor.
    """
    pyroxenes = pure[library.shares[pure, 0] > 0.9]
    parts = np.concatenate(
        [
            rng.choice(some, (number, 3), p=weight[some] / weight[some].sum())
            for some, number in ((pyroxenes, count // 2), (pure, count - count // 2))
        ]
    )
    volume = rng.dirichlet([0.6, 0.6, 0.6], count)
    near = (rng.random(count) < NEAR_LIMIT) & (np.arange(count) >= count // 2)
    volume[near] = _near_limit(near.sum(), rng)
    section = volume * np.exp(rng.normal(0, 0.3, volume.shape))
    section /= section.sum(axis=1, keepdims=True)
    mixed = np.einsum("np,npb->nb", section, albedo[parts])
    shares = np.einsum("np,npc->nc", volume, library.shares[parts])
    pyroxene = volume * library.shares[parts][:, :, 0]
    calcium = (pyroxene * library.calcium[parts]).sum(axis=1)
    return mixed, shares, calcium / np.maximum(pyroxene.sum(axis=1), 1e-9)


def _near_limit(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (count, 3) volumes of which the first is within a fifth of the dominant share."""
    first = rng.uniform(DOMINANT_SHARE - 0.2, DOMINANT_SHARE + 0.2, (count, 1))
    return np.concatenate([first, rng.dirichlet([0.6, 0.6], count) * (1 - first)], axis=1)
