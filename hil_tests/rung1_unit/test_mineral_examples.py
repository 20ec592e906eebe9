import numpy as np
import pytest

from flight.autonomy import mineral
from models.mineral.examples import INSTRUMENTS_A_BATCH, batches, mixtures
from models.mineral.library import CLASSES, DOMINANT_SHARE, Library
from tools.sim import spectra

WAVE = np.arange(450.0, 2451.0, 5.0)


def library():
    """One pure specimen of each mineral, flat and bright."""
    text = np.array([""] * 3)
    bright = np.full((3, len(WAVE)), 0.5)
    return Library(WAVE, bright, np.eye(3), np.zeros(3), text, text, np.arange(3))


def drawn_after(monkeypatch, iron):
    """One batch in which every powder has so much iron."""

    def history(count, rng):
        del rng
        return spectra.Weather(*(np.full((count, 1), value) for value in (1.0, iron, 0.0)))

    monkeypatch.setattr(spectra, "draw_weather", history)
    (batch,) = batches(library(), 1, 64, np.random.default_rng(4))
    return batch


def test_belief_in_known_spectra_adds_up_to_one_and_strangers_have_none(monkeypatch):
    batch = drawn_after(monkeypatch, iron=0.03)
    assert np.allclose(batch.target.sum(axis=1), 1 - batch.strange)


def test_one_batch_is_seen_by_several_instruments(monkeypatch):
    tensor = drawn_after(monkeypatch, iron=0.0).tensor
    supports = np.unique(tensor[:, 0, :, mineral.SUPPORT_CHANNEL], axis=0)
    assert 4 <= len(supports) <= INSTRUMENTS_A_BATCH


def test_strangers_have_no_composition_and_the_known_have_what_they_are_made_of(monkeypatch):
    batch = drawn_after(monkeypatch, iron=0.0)
    assert np.allclose(batch.shares.sum(axis=1), 1 - batch.strange)
    assert np.array_equal(batch.visible, 1 - batch.strange)


def test_composition_is_not_asked_of_what_weathering_hides(monkeypatch):
    assert not drawn_after(monkeypatch, iron=0.06).visible.any()


def test_mixtures_lie_on_both_sides_of_the_share_that_gives_a_name():
    pure = library()
    everything = np.arange(3)
    _, shares, _ = mixtures(
        pure, pure.reflectance, np.full(3, 1 / 3), everything, 400, np.random.default_rng(7)
    )
    largest = shares[200:].max(axis=1)
    near = abs(largest - DOMINANT_SHARE) < 0.2
    assert near.mean() > 0.4
    assert 0.3 < (largest[near] > DOMINANT_SHARE).mean() < 0.7


def test_mature_soil_is_other_whatever_it_is_made_of(monkeypatch):
    known = drawn_after(monkeypatch, iron=0.06)
    of_soil = known.target[known.strange == 0]
    assert (of_soil[:, CLASSES.index("other")] == 1).all()


@pytest.mark.parametrize("iron", [0.01, 0.03])
def test_weathering_that_leaves_the_bands_leaves_the_names(monkeypatch, iron):
    known = drawn_after(monkeypatch, iron=iron)
    assert (known.target[:, CLASSES.index("olivine")] == 1).any()


def test_plagioclase_is_not_named_once_weathering_shows(monkeypatch):
    plagioclase = CLASSES.index("plagioclase")
    fresh = drawn_after(monkeypatch, iron=0.0)
    aged = drawn_after(monkeypatch, iron=0.01)
    assert (fresh.target[:, plagioclase] == 1).any()
    assert (aged.target[:, plagioclase] == 0).all()
