"""The footprint bench runs the real lander: every model, all processes, a decision of each task."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_footprint_of_a_lander_with_every_model_is_told() -> None:
    command = [sys.executable, "-m", "tools.bench", "footprint", "--json", "--rounds", "1"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
    figures = json.loads(told.stdout)
    memory = figures["memory"]
    assert figures["first_decision_s"] > 0
    assert 10_000 < memory["control"]["resident_kib"] < 300_000
    assert len(memory["inference (serving, spare)"]) == 2
    assert len(memory["encoding"]) == len(memory["sensors"]) == 1
    assert figures["imports"]["control process"]["processor_s"] > 0
