"""What the models' commands say where the extra they need is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["models.mineral.evaluate", "models.terrain.train"])
def test_a_command_without_its_extra_names_it_and_how_to_install_it(command: str):
    # -S: as if nothing were installed.
    done = subprocess.run(
        [sys.executable, "-S", "-m", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "[train]" in done.stderr
    assert all(name in done.stderr for name in models.NEEDED)
    assert "Traceback" not in done.stderr


def test_importing_the_models_as_a_library_asks_for_nothing():
    done = subprocess.run([sys.executable, "-S", "-c", "import models"], cwd=ROOT, check=False)
    assert done.returncode == 0
