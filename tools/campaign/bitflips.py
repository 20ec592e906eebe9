"""Flips single bits in the store's files and counts what goes unnoticed.

    python -m tools.campaign.bitflips [--flips 1000] [--seed 0] [--json]

Each flip is in a copy of a directory as kill -9 leaves it. The store opens it, scrubs it and
reads everything. A flip is *detected* (reported, and every bundle that it cost is named or
counted), *harmless* (in a byte that holds nothing: all bundles are there and right), or *silent*.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from flight.relay.store.disk import DiskMedium
from flight.relay.store.files import SystemFiles
from flight.relay.store.guard import GuardedMedium
from hil_tests.workload import Model, Workload, fast_directory, look, lost, small_settings, wrong

KINDS = ("log", "highwater")


def live(directory: Path, seed: int, batches: int) -> tuple[DiskMedium, Model]:
    """Return a store in the middle of its life."""
    workload, model = Workload(seed), Model()
    medium = DiskMedium(small_settings(directory), SystemFiles())
    for _ in range(batches):
        operations = workload.batch(model)
        model.asked(operations)
        model.answered(operations, medium.apply(operations))
        medium.tidy()
    return medium, model


def flip(directory: Path, random: Random) -> str:
    """Flip one bit and return the kind of file that it is in."""
    path = random.choice([path for path in sorted(directory.iterdir()) if path.is_file()])
    kind = path.suffix[1:] or path.name
    with path.open("r+b") as file:
        at = random.randrange(_used(path))
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes((byte ^ 1 << random.randrange(8),)))
    return kind


def check(directory: Path, model: Model) -> tuple[str, int]:
    """Open a damaged store; return whether it was noticed, and how many bundles it cost."""
    medium = GuardedMedium(small_settings(directory), SystemFiles())
    finding = look(medium)
    medium.close()
    cost = len(lost(model, finding))
    if wrong(model, finding):
        # A bundle that had been let go may come back when its deletion is lost; that is told.
        changed = [n for n, data in finding.data.items() if model.known.get(n) != data]
        if changed or not finding.reports:
            return "silent", cost
    if finding.reports or finding.buried:
        return "detected", cost
    return ("silent" if cost else "harmless"), cost


def campaign(count: int, seed: int) -> tuple[Counter[str], dict[str, Counter[str]], int]:
    """Return outcomes, outcomes by kind of file, and how many bundles all flips together cost."""
    outcomes: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    cost = 0
    with tempfile.TemporaryDirectory(dir=fast_directory()) as name:
        home, image = Path(name) / "home", Path(name) / "image"
        done = 0
        while done < count:
            medium, model = live(home, seed, batches=40 + seed % 7 * 5)
            random = Random(seed)
            for _ in range(min(50, count - done)):
                shutil.rmtree(image, ignore_errors=True)
                shutil.copytree(home, image)
                kind = flip(image, random)
                outcome, bundles = check(image, model)
                outcomes[outcome] += 1
                by_kind[kind][outcome] += 1
                cost += bundles
                done += 1
            medium.close()
            shutil.rmtree(home)
            seed += 1
    return outcomes, by_kind, cost


def _used(path: Path) -> int:
    """Return how far a file has content; log files are made long at once."""
    return len(path.read_bytes().rstrip(b"\0")) or 1


def main() -> None:
    """Run the campaign and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcomes, by_kind, cost = campaign(arguments.flips, arguments.seed)
    result = {
        "flips": sum(outcomes.values()),
        **dict(outcomes),
        "by_file": {kind: dict(counts) for kind, counts in by_kind.items()},
        "bundles_lost_and_told": cost,
    }
    print(json.dumps(result) if arguments.json else result)
    raise SystemExit(bool(outcomes["silent"]))


if __name__ == "__main__":
    main()
