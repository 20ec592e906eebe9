"""Lander, relay and ground over bad channels: a slice of what tools/campaign/histories runs."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hil_tests.scenario import Scenario
from hil_tests.workload import fast_directory


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_directory()) as name:
        yield Path(name)


@pytest.mark.parametrize("seed", range(12))
def test_everything_arrives_once_or_is_named(seed: int) -> None:
    outcome = Scenario(seed).run()
    assert len(outcome.sent) == 40
    assert (outcome.missing, outcome.doubled, outcome.wrong) == (set(), set(), 0)


@pytest.mark.parametrize("seed", range(4))
def test_kills_between_any_two_lines_lose_nothing_and_double_nothing(home: Path, seed: int) -> None:
    outcome = Scenario(seed, directory=home, kills=20).run()
    assert outcome.kills == 20
    assert (outcome.missing, outcome.doubled, outcome.wrong) == (set(), set(), 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_relay_too_small_names_what_it_gave_up(seed: int) -> None:
    outcome = Scenario(seed, quota_bytes=60_000).run()
    assert outcome.missing == set()
    assert outcome.doubled == set()


def test_the_same_seed_is_the_same_history() -> None:
    assert Scenario(5).run().log == Scenario(5).run().log
    assert Scenario(5).run().log != Scenario(6).run().log
