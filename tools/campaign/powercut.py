"""Cuts the power under the store at random points and counts what is lost.

    python -m tools.campaign.powercut [--images 3000] [--seed 0] [--json]

A store lives through a seeded workload on a watched disk; the trace of its writes and syncs then
gives images of what the medium may hold after a power cut (the model is in hil_tests.powercut).
Each image is opened by the store itself. No acknowledged bundle may be missing without a
tombstone, no byte may be wrong, and nothing may be reported as damaged.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from flight.relay.store.disk import DiskMedium
from flight.relay.store.files import SystemFiles
from flight.relay.store.guard import GuardedMedium
from flight.relay.store.schema import connect
from flight.relay.store.values import Trouble
from hil_tests.faults import WatchedFiles
from hil_tests.powercut import Medium, Recorder
from hil_tests.vfs import WatchedVfs
from hil_tests.workload import Model, Workload, fast_directory, look, lost, small_settings, wrong

HARMLESS = {Trouble.UNFINISHED}
"""What a power cut may bring about without anything being wrong."""


@dataclass
class Tally:
    """What a campaign came to."""

    images: int = 0
    lost: int = 0
    wrong: int = 0
    reports: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def alarms(self) -> int:
        """Reports of damage where there was none."""
        return sum(n for name, n in self.reports.items() if Trouble[name] not in HARMLESS)


def live(vfs: WatchedVfs, directory: Path, seed: int, batches: int) -> tuple[Recorder, list[Model]]:
    """Let a store live and return its trace, and the model as it stood at each call."""
    recorder = Recorder()
    models: list[Model] = []
    workload, model = Workload(seed), Model()
    vfs.observer = recorder
    for _ in range(3):
        medium = DiskMedium(small_settings(directory), WatchedFiles(recorder), vfs.connect)
        models += [model.copy()] * (len(recorder.calls) - len(models))
        for _ in range(batches // 3):
            operations = workload.batch(model)
            model.asked(operations)
            asked = model.copy()
            results = medium.apply(operations)
            models += [asked] * (len(recorder.calls) - len(models))
            model.answered(operations, results)
            settled = model.copy()
            medium.tidy()
            models += [settled] * (len(recorder.calls) - len(models))
        medium.close()
        models += [model.copy()] * (len(recorder.calls) - len(models))
    return recorder, models


def images(
    recorder: Recorder, models: list[Model], random: Random, count: int
) -> Iterator[tuple[dict[str, bytes], Model, int]]:
    """Yield what a power cut may leave, at random points in order, with the model of then."""
    cuts = sorted(random.randrange(1, len(recorder.calls)) for _ in range(count))
    medium = Medium()
    at = 0
    for cut in cuts:
        for call in recorder.calls[at:cut]:
            medium.take(call)
        at = cut
        yield medium.image(random), models[cut], cut


def check(image: dict[str, bytes], model: Model, home: Path, directory: Path, tally: Tally) -> None:
    """Open one image and compare what is there with what was promised."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for path, content in image.items():
        target = directory / Path(path).relative_to(home)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    medium = GuardedMedium(small_settings(directory), SystemFiles(), connect)
    finding = look(medium)
    medium.close()
    tally.images += 1
    tally.lost += len(lost(model, finding))
    tally.wrong += len(wrong(model, finding))
    tally.reports.update(trouble.name for trouble in finding.reports)


def campaign(count: int, seed: int, *, vfs: WatchedVfs, a_life: int = 150) -> Tally:
    """Check ``count`` images, ``a_life`` of each store's life."""
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=fast_directory()) as name:
        while tally.images < count:
            home = Path(name) / f"life{seed}"
            recorder, models = live(vfs, home, seed, batches=60)
            random = Random(seed)
            for image, model, cut in images(
                recorder, models, random, min(a_life, count - tally.images)
            ):
                before = tally.lost, tally.wrong, tally.alarms
                check(image, model, home, Path(name) / "image", tally)
                if (tally.lost, tally.wrong, tally.alarms) != before:
                    tally.failed.append(f"seed {seed} cut {cut}")
            shutil.rmtree(home)
            seed += 1
    return tally


def main() -> None:
    """Run the campaign and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tally = campaign(arguments.images, arguments.seed, vfs=WatchedVfs())
    result = {
        "images": tally.images,
        "lost": tally.lost,
        "wrong": tally.wrong,
        "reports": dict(tally.reports),
        "failed": tally.failed[:20],
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{tally.images} images: {tally.lost} lost, {tally.wrong} wrong, {tally.reports}")
    raise SystemExit(bool(tally.lost or tally.wrong or tally.alarms))


if __name__ == "__main__":
    main()
