"""A slice of the campaign of kills: real processes, real SIGKILL."""

import json
import subprocess
import sys


def test_no_acknowledged_bundle_is_lost_or_handed_out_twice_when_processes_are_killed() -> None:
    # In a process of its own: it forks, and this one may have threads.
    command = [
        sys.executable,
        "-m",
        "tools.campaign.kills",
        "--kills",
        "8",
        "--seed",
        "7",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(done.stdout)
    assert found["acknowledged"] > 0
    assert (found["lost"], found["twice"], found["damaged"], found["troubles"]) == (0, 0, 0, [])
    assert done.returncode == 0
