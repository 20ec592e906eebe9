"""Slices of the store's campaigns: power cuts and flipped bits. The whole is in tools/campaign."""

from collections.abc import Iterator
from pathlib import Path
from random import Random  # noqa: TID251 - seeded chance
from tempfile import TemporaryDirectory

import pytest

from hil_tests.powercut import Recorder
from hil_tests.workload import Workload, fast_directory
from tools.campaign import bitflips, powercut


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_directory()) as name:
        yield Path(name)


def test_a_power_cut_at_any_point_loses_nothing_acknowledged() -> None:
    tally = powercut.campaign(120, seed=7, a_life=60)
    assert tally.images >= 120
    assert (tally.lost, tally.wrong, tally.alarms) == (0, 0, 0)


def test_the_power_cut_campaign_finds_a_store_that_does_not_wait(home: Path) -> None:
    recorder, models = powercut.Life(home / "life", Workload(7)).live(batches=60)
    careless = Recorder()
    careless.calls = [
        call
        if call.kind != "synced" or ".log" not in call.path
        else call.__class__("none", "", 0, b"")
        for call in recorder.calls
    ]
    tally = powercut.Tally()
    for image, model, _ in powercut.images(careless, models, Random(1), 40):
        powercut.check(image, model, home / "life", home / "image", tally)
    assert tally.lost or tally.alarms


def test_no_flipped_bit_goes_unnoticed() -> None:
    outcomes, by_kind, _ = bitflips.campaign(80, seed=11)
    assert not outcomes["silent"]
    assert all(counts["detected"] for counts in by_kind.values())
