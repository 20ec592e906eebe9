import numpy as np

from flight.autonomy.xray import background_of, elements, metals, net_counts, width_ev

GAIN_MEV = 10_000


def spectrum(lines, *, background=0.0, seed=None):
    """Gaussian lines {energy in eV: counts} on a flat background, 2048 channels of 10 eV."""
    energy = np.arange(2048) * GAIN_MEV / 1000
    rate = np.full(2048, float(background))
    for centre, counts in lines.items():
        sigma = width_ev(centre) / 2.355
        rate += counts * 10 / sigma / 2.5066 * np.exp(-0.5 * ((energy - centre) / sigma) ** 2)
    counts = rate if seed is None else np.random.default_rng(seed).poisson(rate)
    return counts.astype(np.uint32)


def found_in(samples):
    return elements(samples.astype(np.int64), (0, GAIN_MEV), least_sigma=4)


def test_net_counts_are_those_of_the_line_and_not_of_its_background():
    net, sigma = net_counts(
        spectrum({6400: 100_000}, background=200, seed=1).astype(np.int64), 0, GAIN_MEV
    )[26]
    # The window of 1.2 FWHM holds 84 % of a Gaussian.
    assert abs(net - 84_000) < 3 * sigma + 1000
    assert 290 < sigma < 420


def test_the_resolution_is_139_ev_at_manganese():
    assert width_ev(5895) == 139


def test_a_flat_noisy_spectrum_holds_no_element():
    for seed in range(20):
        assert not found_in(spectrum({}, background=40, seed=seed))


def test_titaniums_k_beta_is_not_taken_for_vanadium():
    titanium = {4509: 50_000, 4932: 6500}
    found = {f.label: f for f in found_in(spectrum(titanium, background=30, seed=2))}
    assert found[22].score > 40_000
    assert 23 not in found or found[23].score < 1000


def test_a_steel_shaving_is_told_as_metal_and_a_basalt_is_not():
    basalt = {1740: 9000, 3690: 16_000, 4509: 5000, 6400: 40_000, 7058: 5400}
    shaving = basalt | {5412: 12_000, 7472: 6000}
    natural = {24: 60, 28: 30}
    told = [
        [f.label for f in metals(found_in(samples), natural)]
        for samples in (spectrum(lines, background=20, seed=3) for lines in (basalt, shaving))
    ]
    assert told == [[], [24, 28]]


def test_background_follows_a_slope():
    slope = np.linspace(100, 500, 2048).astype(np.int64)
    assert np.abs(background_of(slope, GAIN_MEV) - slope)[50:-50].max() <= 12
