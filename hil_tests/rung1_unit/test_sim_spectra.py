import numpy as np
import pytest

from tools.sim import spectra

WAVE = np.arange(450.0, 2451.0, 10.0)


def test_albedo_and_reflectance_are_inverse():
    reflectance = np.linspace(0.01, 1.0, 200)
    assert np.allclose(spectra.reflectance_of(spectra.albedo_of(reflectance)), reflectance)


def test_transmission_and_albedo_are_inverse():
    albedo = np.linspace(0.15, 0.995, 200)
    assert np.allclose(spectra.albedo_from(spectra.transmission_of(albedo)), albedo)


def test_iron_absorbs_most_at_short_wavelengths():
    absorption = spectra.iron_absorption(WAVE)
    assert (np.diff(absorption) < 0).all()
    assert 5 < absorption[0] / absorption[WAVE == 1500][0] < 10


def weather(grain=1.0, iron=0.0, opaque=0.0):
    return spectra.Weather(*(np.array([[value]]) for value in (grain, iron, opaque)))


def mineral():
    """A bright powder with an absorption band at 950 nm."""
    return (0.6 - 0.4 * np.exp(-0.5 * ((WAVE - 950) / 80) ** 2))[None]


def depth(reflectance):
    return 1 - reflectance[0, WAVE == 950][0] / reflectance[0, WAVE == 1500][0]


def test_a_powder_to_which_nothing_happened_stays_as_it_was():
    albedo = spectra.albedo_of(mineral())
    assert np.allclose(spectra.weathered(albedo, WAVE, weather()), mineral(), atol=1e-6)


@pytest.mark.parametrize("history", [weather(grain=0.4), weather(iron=0.02), weather(opaque=0.3)])
def test_finer_grains_iron_and_dark_grains_all_make_bands_shallower(history):
    albedo = spectra.albedo_of(mineral())
    assert depth(spectra.weathered(albedo, WAVE, history)) < depth(mineral()) - 0.05


def test_weathering_darkens_and_reddens():
    aged = spectra.weathered(spectra.albedo_of(mineral()), WAVE, weather(iron=0.02))
    assert (aged < mineral()).all()
    assert aged[0, 0] / aged[0, -1] < mineral()[0, 0] / mineral()[0, -1]


def test_an_instrument_without_errors_sees_the_spectrum_itself():
    exact = spectra.Instrument(WAVE[::3] + 2.5, 1e12, 0.0, 0.0, 900.0)
    seen = spectra.observe(mineral(), WAVE, exact, np.random.default_rng(0))
    wanted = np.interp(exact.wavelength_nm, WAVE, mineral()[0])
    assert np.allclose(seen[0], wanted, atol=1e-9)


def test_the_same_seed_draws_the_same_strangers_and_instruments():
    drawn = [
        (spectra.draw_strangers(5, WAVE, rng), spectra.draw_instrument(rng).wavelength_nm)
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    ]
    assert np.array_equal(drawn[0][0], drawn[1][0])
    assert np.array_equal(drawn[0][1], drawn[1][1])
    assert drawn[0][0].min() > 0
    assert drawn[0][0].max() <= 1


def test_every_random_instrument_has_bands_that_suffice():
    from flight.autonomy.bands import resampling

    rng = np.random.default_rng(1)
    for _ in range(60):
        bands = spectra.draw_instrument(rng).wavelength_nm
        assert resampling(tuple(int(b) for b in np.rint(bands * 1000))) is not None


def test_three_powders_in_twenty_five_are_mature_soil_and_only_of_those_some_are_hidden():
    drawn = spectra.draw_weather(20_000, np.random.default_rng(2))
    hidden = spectra.hidden(drawn)
    assert 0.59 < (drawn.iron == 0).mean() < 0.61
    assert 0.11 < (drawn.iron > spectra.MATURE_FROM).mean() < 0.13
    assert 0.05 < (hidden == 1).mean() < 0.07
    assert (hidden[drawn.iron[:, 0] <= spectra.MATURE_FROM] == 0).all()


def test_where_weathering_hides_minerals_less_than_a_quarter_of_a_band_is_left():
    history = weather(iron=spectra.HIDDEN_BY, opaque=0.05)
    featureless = spectra.albedo_of(np.full_like(mineral(), 0.6))
    soil = spectra.weathered(spectra.albedo_of(mineral()), WAVE, history)
    left = 1 - (soil / spectra.weathered(featureless, WAVE, history))[0, WAVE == 950][0]
    fresh = 1 - mineral()[0, WAVE == 950][0] / 0.6
    assert left < fresh / 4


def test_weathering_shows_beyond_an_instruments_error_when_it_counts_as_reddening():
    ends = (WAVE == 750) | (WAVE == 1500)
    flat = np.full((1, len(WAVE)), 0.6)
    history = weather(iron=spectra.REDDENED_BY)
    short, long = spectra.weathered(spectra.albedo_of(flat), WAVE, history)[0, ends]
    assert short / long < 0.8


def test_dampness_is_often_absent_and_shows_in_the_bands_of_water_and_hydroxyl_alone():
    factors = spectra.dampness(400, WAVE, np.random.default_rng(5))
    dry = (factors == 1).all(axis=1)
    assert 0.55 < dry.mean() < 0.8
    assert factors.min() > 0.5
    assert factors[:, WAVE < 1150].min() > 0.999
    deepest = WAVE[factors[~dry].mean(axis=0).argmin()]
    assert abs(deepest - 1930) <= 20


def test_some_random_instruments_have_few_bands_some_a_gap_some_a_part_of_the_range():
    rng = np.random.default_rng(6)
    drawn = [spectra.draw_instrument(rng).wavelength_nm for _ in range(300)]
    assert sum(len(bands) < 24 for bands in drawn) > 20
    assert sum(np.diff(bands).max() > 150 for bands in drawn) > 20
    assert sum(bands[-1] < 2000 or bands[0] > 700 for bands in drawn) > 15
    assert all(len(bands) >= spectra.LEAST_BANDS for bands in drawn)
