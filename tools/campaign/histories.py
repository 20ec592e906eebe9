"""Runs seeded histories of lander, relay and ground over bad channels and counts what went wrong.

    python -m tools.campaign.histories [--runs 2000] [--kills 0] [--seed 0] [--json]

Every channel loses, repeats, reorders, corrupts and closes. With ``--kills N`` each history kills
nodes N times (files as kill -9 leaves them, between any two lines of the simulation) and starts
them again from their stores. In every history each acknowledged bundle must be delivered exactly
once by the deadline, or be named in a tombstone. Every hundredth seed is run twice: the same seed
must give the same events.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from hil_tests.scenario import Outcome, Scenario
from hil_tests.workload import fast_directory


def history(seed: int, kills: int, directory: Path) -> Outcome:
    """Return how one history ended."""
    if not kills:
        return Scenario(seed).run()
    try:
        directory.mkdir()
        return Scenario(seed, directory=directory, kills=kills).run()
    finally:
        shutil.rmtree(directory)


def campaign(runs: int, kills: int, seed: int) -> dict[str, object]:
    """Return the totals over all histories, and the seeds of those that failed."""
    totals = dict.fromkeys(("sent", "delivered", "named", "kills", "repeats"), 0)
    wrong = dict.fromkeys(("missing", "doubled", "damaged", "not_repeatable"), 0)
    failed = []
    with tempfile.TemporaryDirectory(dir=fast_directory()) as name:
        directory = Path(name) / "stores"
        for number in range(seed, seed + runs):
            outcome = history(number, kills, directory)
            totals["sent"] += len(outcome.sent)
            totals["delivered"] += len(outcome.delivered & set(outcome.sent))
            totals["named"] += len(outcome.named & set(outcome.sent))
            totals["kills"] += outcome.kills
            totals["repeats"] += outcome.repeats
            bad = {
                "missing": len(outcome.missing),
                "doubled": len(outcome.doubled),
                "damaged": outcome.wrong,
                "not_repeatable": 0,
            }
            if number % 100 == 0:
                bad["not_repeatable"] = outcome.log != history(number, kills, directory).log
            for key, count in bad.items():
                wrong[key] += count
            if any(bad.values()):
                failed.append(number)
    return {"runs": runs, **totals, **wrong, "failed_seeds": failed[:50]}


def main() -> None:
    """Run the campaign and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    result = campaign(arguments.runs, arguments.kills, arguments.seed)
    result["seconds"] = round(time.perf_counter() - start)
    print(json.dumps(result) if arguments.json else result)
    raise SystemExit(bool(result["failed_seeds"]))


if __name__ == "__main__":
    main()
