"""The ladder: unit, property, loop, board. A rung runs only when those below it passed."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

RUNGS = ("rung1_unit", "rung2_property", "rung3_loop", "rung4_board")
SHARED = Path(__file__).parents[2] / "shared" / "data"
_broken: list[int] = []

settings.register_profile(
    "farside",
    deadline=None,  # these machines are noisy; no test asserts on time
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("farside")


def rung_of(path: Path) -> int:
    """Return the 1-based rung that holds a test file."""
    return next(i for i, name in enumerate(RUNGS, 1) if name in path.parts)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the board, which is what turns the last rung on."""
    parser.addoption("--board", metavar="TTY", help="serial device of a real board; runs rung 4")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run low rungs first, and skip the board's rung, aloud, when there is none."""
    items.sort(key=lambda item: rung_of(item.path))
    if config.getoption("--board") is None:
        for item in items:
            if rung_of(item.path) == 4:
                item.add_marker(pytest.mark.skip(reason="no board: pass --board TTY"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the rung of any failure."""
    if report.failed:
        _broken.append(rung_of(Path(report.nodeid.split("::")[0])))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Do not climb past a broken rung."""
    if _broken and min(_broken) < rung_of(item.path):
        pytest.skip(f"rung {min(_broken)} is broken")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured data beside the checkout; tests that need it skip without it."""
    if not SHARED.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{SHARED} is missing in CI")
        pytest.skip("measured data (../shared/data) is not beside this checkout")
    return SHARED
