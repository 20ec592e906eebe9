"""The bank of outlines: which are chosen, and what the model says of what lies near them."""

import numpy as np
import pytest

from flight.autonomy.mineral import OUTLINE_CHANNEL
from models.mineral.bank import OUTLINES, farthest_first, outlines
from models.mineral.examples import prepared
from models.mineral.library import Library

WAVE = np.arange(450.0, 2451.0, 5.0)


def library(count):
    """Powders with one absorption band each, all at different wavelengths."""
    centre = np.linspace(700, 2200, count)[:, None]
    reflectance = 0.6 - 0.3 * np.exp(-0.5 * ((WAVE - centre) / 90) ** 2)
    text = np.array([""] * count)
    shares = np.eye(3)[np.arange(count) % 3]
    return Library(WAVE, reflectance, shares, np.zeros(count), text, text, np.arange(count))


def test_each_outline_chosen_is_the_one_least_like_those_before():
    angle = np.radians([0, 2, 4, 80, 82, 40])
    rows = np.rint(100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.int64)
    assert farthest_first(rows, 3) == [5, 4, 0]
    assert sorted(farthest_first(rows, 99)) == list(range(6))


def test_the_same_library_gives_the_same_bank_and_it_holds_soils_too():
    bank = outlines(library(30))
    assert np.array_equal(bank, outlines(library(30)))
    assert 30 < len(bank) <= OUTLINES
    red = bank[:, -1].astype(int) > bank[:, 0] + 20
    assert red.sum() > 10


def test_likeness_is_greatest_for_what_the_bank_holds_and_falls_with_the_angle():
    torch = pytest.importorskip("torch", reason="needs the extra [train]")
    from models.mineral.network import LEAST_COSINE, MineralNetwork

    known = library(30)
    tensor = prepared(known.reflectance, known.wavelength_nm)
    network = MineralNetwork(5, tensor[:, 0, :, OUTLINE_CHANNEL])
    network.quantise([torch.from_numpy(tensor)])
    carbonate = known.reflectance * (1 - 0.6 * np.exp(-0.5 * ((WAVE - 2300) / 40) ** 2))
    brighter = prepared(known.reflectance * 1.4, known.wavelength_nm)
    with torch.no_grad():
        own, same, other = (
            network(torch.from_numpy(t))[1][:, 0].numpy() + LEAST_COSINE
            for t in (tensor, brighter, prepared(carbonate, known.wavelength_nm))
        )
    assert own.min() > 0.985
    assert np.abs(own - same).max() < 0.01
    assert (other < own - 0.01).all()


def test_a_range_that_is_given_stays_whatever_is_seen():
    torch = pytest.importorskip("torch", reason="needs the extra [train]")
    from models.int8.signal import Range, Stage

    given, learned = Range(ceiling=0.5), Range()
    for one in (given, learned):
        one.stage = Stage.CALIBRATE
        one(torch.full((1, 4), 3.0))
    assert given.grid().scale == pytest.approx(0.5 / 255)
    assert learned.grid().scale == pytest.approx(3.0 / 255)
    assert not given.log_ceiling.requires_grad
