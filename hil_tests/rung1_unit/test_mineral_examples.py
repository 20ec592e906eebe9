import numpy as np

from models.mineral.examples import batches
from models.mineral.library import CLASSES, Library
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


def test_mature_soil_is_other_whatever_it_is_made_of(monkeypatch):
    known = drawn_after(monkeypatch, iron=0.05)
    of_soil = known.target[known.strange == 0]
    assert (of_soil[:, CLASSES.index("other")] == 1).all()


def test_weathering_that_leaves_the_bands_leaves_the_names(monkeypatch):
    known = drawn_after(monkeypatch, iron=0.01)
    assert (known.target[:, CLASSES.index("olivine")] == 1).any()


def test_plagioclase_is_not_named_once_weathering_shows(monkeypatch):
    plagioclase = CLASSES.index("plagioclase")
    fresh = drawn_after(monkeypatch, iron=0.0)
    aged = drawn_after(monkeypatch, iron=0.01)
    assert (fresh.target[:, plagioclase] == 1).any()
    assert (aged.target[:, plagioclase] == 0).all()
