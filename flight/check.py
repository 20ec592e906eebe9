"""`flight selftest`: the board's answers, one line each, as they come."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from flight.autonomy.tasks import TASKS
from flight.board.clock import BoardClock
from flight.board.selftest import Check, selftest
from flight.chosen import model_folders, packaged_model
from flight.config import read_mission


def check(path: Path | None, out: TextIO) -> int:
    """Write the self-test's lines; return 0 when all hold, 1 when one does not.

    Raises:
        SettingsError: the configuration cannot be used.
    """
    failed = 0
    for line in _checks(path):
        failed += not line.ok
        remedy = f"; {line.remedy}" if line.remedy else ""
        out.write(f"{'ok  ' if line.ok else 'FAIL'}  {line.name:14s} {line.detail}{remedy}\n")
        out.flush()
    out.write(f"{failed} of the above must be mended\n" if failed else "this machine can fly\n")
    return 1 if failed else 0


def _checks(path: Path | None) -> Iterator[Check]:
    if path is None:
        models = [packaged_model(task) for task in TASKS]
        with tempfile.TemporaryDirectory() as folder:
            yield from selftest(state=Path(folder), models=models)
        return
    config = read_mission(path, reference_ms=BoardClock().now().dtn_ms).config
    payload = config.payload
    yield from selftest(
        state=config.store.directory if payload is None else payload.state,
        need_bytes=config.store.quota_bytes + (0 if payload is None else payload.archive_bytes),
        models=list(model_folders(config).values()),
        sensors=config.sensors,
        ports=config.ports,
        worker=config.worker,
    )
