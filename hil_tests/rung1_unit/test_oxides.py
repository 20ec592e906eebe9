import numpy as np
import pytest

from flight.autonomy.oxides import (
    BIN_MEV,
    BINS,
    DECADES,
    FIRST_MEV,
    METALS,
    OxidePolicy,
    bins_of,
    compressed,
    conclude,
    prepare,
)
from flight.instant import Instant
from flight.product.values import Frame, Kind, NoAnswer, SensorKind

POLICY = OxidePolicy(
    centre=tuple(range(1000, 9000, 1000)),
    step=(100_000,) * len(METALS),
    sigma=tuple(range(len(METALS) * len(DECADES))),
)


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


def test_abundance_and_error_come_from_the_policys_integers():
    raw = np.arange(-4, 4, dtype=np.int8)[None]
    found = conclude(frame(np.full(2000, 500)), (raw,), POLICY)
    assert [f.kind for f in found] == [Kind.OXIDE] * len(METALS)
    assert [f.label for f in found] == list(METALS)
    assert [f.score for f in found] == [1000 * (i + 1) + 100 * (i - 4) for i in range(8)]
    assert [f.extent for f in found] == [4 * i + 1 for i in range(8)]


def test_too_few_counts_give_no_answer():
    (only,) = conclude(frame(np.full(2000, 3)), (np.zeros((1, 8), np.int8),), POLICY)
    assert (only.kind, only.label) == (Kind.NO_ANSWER, NoAnswer.LOW_CONFIDENCE)


def test_an_abundance_below_zero_is_zero():
    low = conclude(frame(np.full(2000, 500)), (np.full((1, 8), -100, np.int8),), POLICY)
    assert low[0].score == 0


def test_tables_of_another_size_are_refused():
    with pytest.raises(ValueError, match="entries"):
        OxidePolicy(centre=(1,), step=(1,), sigma=(1,))
