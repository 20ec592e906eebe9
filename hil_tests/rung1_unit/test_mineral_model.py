"""The model that flies, on frames, through flight's own preparation and conclusion."""

from pathlib import Path

import numpy as np
import pytest

from flight.autonomy.mineral import MineralPolicy, Phase, conclude, prepare
from flight.board.card import read_card, read_model
from flight.board.runtime import load
from flight.instant import Instant
from flight.product.values import Frame, Kind, SensorKind
from tools.sim import cubes, spectra

FOLDER = Path(__file__).resolve().parents[2] / "models" / "mineral"
UNIT_COUNTS = 40_000


@pytest.fixture(scope="module")
def findings_of():
    card = read_card(FOLDER)
    policy = card.policy_as(MineralPolicy)
    runtime = load(read_model(FOLDER, card.digest))

    def findings(reflectance, wavelength_nm):
        counts = np.rint(reflectance * UNIT_COUNTS).astype(np.uint16)
        axis = tuple(int(band) for band in np.rint(np.asarray(wavelength_nm) * 1000))
        frame = Frame("spectrometer", SensorKind.CUBE, 0, Instant(0, 0), counts, axis)
        return conclude(counts.shape, runtime.invoke(prepare(frame)), policy, axis=axis)

    return findings


def test_half_the_minerals_that_no_library_holds_are_told_of_even_in_fifteen_bands(findings_of):
    table = np.loadtxt(FOLDER / "foreign_minerals.csv", delimiter=",", skiprows=4)
    found = findings_of(table[:, None, 1:], table[:, 0])
    assert sum(finding.kind is Kind.ANOMALY for finding in found) >= 4


@pytest.mark.parametrize("seed", [0, 1])
def test_a_patch_of_spinel_in_simulated_ground_is_the_strangest_there(findings_of, seed):
    found = findings_of(cubes.make_cube(np.random.default_rng(seed)), cubes.BANDS_NM)
    strange = [finding for finding in found if finding.kind is Kind.ANOMALY]
    assert len(strange) >= 6
    for of in ([finding.row for finding in strange], [finding.column for finding in strange]):
        assert max(of) - min(of) <= 2
    assert {Phase.LOW_CA_PYROXENE, Phase.HIGH_CA_PYROXENE, Phase.OLIVINE} <= phases_of(found)


def phases_of(found):
    return {finding.label for finding in found if finding.kind is Kind.PHASE}


@pytest.mark.parametrize("iron", [0.0, 0.01, 0.02, 0.03])
@pytest.mark.parametrize(
    ("substance", "phase"),
    [
        ("low-calcium pyroxene", Phase.LOW_CA_PYROXENE),
        ("high-calcium pyroxene", Phase.HIGH_CA_PYROXENE),
        ("olivine", Phase.OLIVINE),
    ],
)
def test_a_mineral_keeps_its_name_until_the_ground_is_mature(findings_of, substance, phase, iron):
    assert phases_of(findings_of(*aged(substance, iron))) == {phase}


def test_mature_ground_has_no_name(findings_of):
    for substance in cubes.SUBSTANCES:
        assert phases_of(findings_of(*aged(substance, iron=0.08))) == {Phase.OTHER}


def aged(substance, iron):
    """One pixel of a substance among a tenth of dark grains, and its bands."""
    albedo = spectra.albedo_of(cubes.drawn(*cubes.SUBSTANCES[substance]))[None]
    weather = spectra.Weather(*(np.full((1, 1), value) for value in (1.0, iron, 0.1)))
    seen = spectra.weathered(albedo, cubes.BANDS_NM, weather)
    return seen.T[:, None], cubes.BANDS_NM
