import numpy as np
import pytest

from flight.autonomy.oxides import (
    BIN_MEV,
    BINS,
    FIRST_MEV,
    LEAST_IN_BIN,
    abundances,
    bins_of,
    compressed,
    departures,
    misfit,
    prepare,
)
from flight.instant import Instant
from flight.product.values import Frame, SensorKind


def frame(counts, axis=(0, 10_000)):
    return Frame("x", SensorKind.XRAY, 0, Instant(0, 0), np.asarray(counts, np.uint32), axis)


@pytest.mark.parametrize(("offset", "gain"), [(0, 10_000), (-15_306, 10_045), (3, 7_974)])
def test_binning_keeps_every_count_between_the_first_edge_and_the_last(offset, gain):
    counts = np.full(2000, gain, np.int64)
    binned = bins_of(counts, offset, gain)
    assert abs(int(binned.sum()) - BINS * BIN_MEV) <= 2
    assert np.abs(binned - BIN_MEV).max() <= 2


def test_a_line_lands_in_the_bin_of_its_energy():
    counts = np.zeros(2000, np.int64)
    counts[640] = 1000
    binned = bins_of(counts, 0, 10_000)
    assert binned[(6_400_000 - FIRST_MEV) // BIN_MEV] == 500
    assert binned.sum() == 1000


def test_channels_that_do_not_reach_the_last_bin_are_refused():
    assert bins_of(np.ones(800, np.int64), 0, 10_000) is None
    assert bins_of(np.ones(2000, np.int64), 2_000_000, 10_000) is None


def test_doubling_a_bins_share_adds_sixteen_steps():
    binned = np.full((3, BINS), 1 << 20, np.int64)
    binned[1, 5] *= 2
    binned[2, 5] *= 4
    levels = compressed(binned)[:, 0, 5, 0].astype(int)
    assert abs(levels[1] - levels[0] - 16) <= 1
    assert abs(levels[2] - levels[1] - 16) <= 1


def test_compression_does_not_see_how_long_was_counted():
    rng = np.random.default_rng(0)
    binned = rng.integers(1 << 16, 1 << 22, (1, BINS))
    assert np.abs(compressed(binned).astype(int) - compressed(binned * 64)).max() <= 1


def test_compression_never_falls_when_counts_rise():
    counts = np.unique(np.geomspace(1, 1 << 30, 400).astype(np.int64))
    binned = np.full((len(counts), BINS), 1 << 22, np.int64)
    binned[:, 0] = counts
    share = compressed(binned)[:, 0, 0, 0].astype(int)
    assert (np.diff(share) >= 0).all()


def test_an_unusable_frame_is_refused():
    assert prepare(frame(np.ones(2000), axis=())) is None
    assert prepare(frame(np.zeros(2000))) is None
    assert prepare(frame(np.ones(100))) is None
    assert prepare(frame(np.full(2000, 9))).shape == (1, 1, BINS, 1)


def test_two_votes_are_added_to_a_root_and_squared():
    votes = np.array([[10] * 8 + [-4] * 8, [0] * 16], np.int8)
    found = abundances(votes, (50_000,) * 8, (1_000_000,) * 8)
    # (50,000 + 6 * 1,000) / 10,000 is 5.6, whose square is 31.36 %.
    assert found.tolist() == [[31_360] * 8, [25_000] * 8]


def test_votes_of_another_number_are_refused():
    with pytest.raises(ValueError, match="reshape"):
        abundances(np.zeros((1, 3), np.int8), (0,) * 8, (0,) * 8)


def test_a_departure_is_in_thousandths_of_an_octave_and_counts_only_well_filled_bins():
    tensor = np.zeros((1, 1, BINS, 1), np.int8)
    redrawn = np.full((1, BINS), 10, np.int8)
    departure = departures(tensor, redrawn, (2, 500))[0]
    assert set(departure.tolist()) == {-8 * 500 // 16}
    binned = np.zeros(BINS, np.int64)
    assert misfit(departure, binned) == 0
    binned[:3] = LEAST_IN_BIN
    departure[1] = 1000
    assert misfit(departure, binned) == 500
