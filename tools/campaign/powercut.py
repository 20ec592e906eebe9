"""Cuts the power under the store at random points and counts what is lost.

    python -m tools.campaign.powercut [--images 3000] [--seed 0] [--json]

A store lives through a seeded workload on a watched disk; the trace of its writes and syncs then
gives images of what the medium may hold after a power cut (the model is in hil_tests.powercut).
Each image is opened by the store itself. No acknowledged bundle may be missing without a
tombstone, no byte may be wrong, and nothing may be reported as damaged. Then the store lives on
from one of the images, and its power is cut again.
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
from flight.relay.store.values import Trouble
from hil_tests.faults import WatchedFiles
from hil_tests.powercut import Medium, Recorder
from hil_tests.workload import Model, Workload, fast_directory, look, lost, small_settings, wrong

HARMLESS = {Trouble.UNFINISHED}
"""What a power cut may bring about without anything being wrong."""

STRIKES = 5
"""Power cuts in one store's life."""


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


@dataclass
class Life:
    """One store through all its power cuts."""

    directory: Path
    workload: Workload
    model: Model = field(default_factory=Model)
    start: dict[str, bytes] = field(default_factory=dict)
    """What the last power cut has left."""

    def live(self, batches: int) -> tuple[Recorder, list[Model]]:
        """Let the store live and return its trace, and the model as it stood at each call."""
        recorder = Recorder()
        models: list[Model] = []
        model = self.model
        for _ in range(3):
            medium = DiskMedium(small_settings(self.directory), WatchedFiles(recorder))
            models += [model.copy()] * (len(recorder.calls) - len(models))
            model.found(medium.load())
            for _ in range(batches // 3):
                operations = self.workload.batch(model)
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

    def strike(self, image: dict[str, bytes], model: Model) -> None:
        """Cut the power: an image is all that is left."""
        write(image, self.directory, self.directory)
        self.start, self.model = image, model.copy()


def write(image: dict[str, bytes], home: Path, directory: Path) -> None:
    """Put an image of a home into a directory, in place of what is there."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for path, content in image.items():
        target = directory / Path(path).relative_to(home)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)


def images(
    recorder: Recorder,
    models: list[Model],
    random: Random,
    count: int,
    start: dict[str, bytes] | None = None,
) -> Iterator[tuple[dict[str, bytes], Model, int]]:
    """Yield what a power cut may leave, at random points in order, with the model of then."""
    cuts = sorted(random.randrange(1, len(recorder.calls)) for _ in range(count))
    medium = Medium(start or {})
    at = 0
    for cut in cuts:
        for call in recorder.calls[at:cut]:
            medium.take(call)
        at = cut
        yield medium.image(random), models[cut], cut


def check(image: dict[str, bytes], model: Model, home: Path, directory: Path, tally: Tally) -> None:
    """Open one image and compare what is there with what was promised."""
    write(image, home, directory)
    medium = GuardedMedium(small_settings(directory), SystemFiles())
    finding = look(medium)
    medium.close()
    tally.images += 1
    tally.lost += len(lost(model, finding))
    tally.wrong += len(wrong(model, finding))
    tally.reports.update(trouble.name for trouble in finding.reports)


def campaign(count: int, seed: int, *, a_life: int = 150) -> Tally:
    """Check ``count`` images and a few, ``a_life`` of each store's life."""
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=fast_directory()) as name:
        while tally.images < count:
            life = Life(Path(name) / f"life{seed}", Workload(seed))
            random = Random(seed)
            for strike in range(STRIKES):
                recorder, models = life.live(batches=30)
                most = min(a_life // STRIKES, max(count - tally.images, 1))
                shown = list(images(recorder, models, random, most, life.start))
                for image, model, cut in shown:
                    before = tally.lost, tally.wrong, tally.alarms
                    check(image, model, life.directory, Path(name) / "image", tally)
                    if (tally.lost, tally.wrong, tally.alarms) != before:
                        tally.failed.append(f"seed {seed} strike {strike} cut {cut}")
                image, model, _ = random.choice(shown)
                life.strike(image, model)
            shutil.rmtree(life.directory)
            seed += 1
    return tally


def main() -> None:
    """Run the campaign and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tally = campaign(arguments.images, arguments.seed)
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
