"""A real board on a serial line: `./tools/start test --board /dev/ttyUSB0`.

On the board runs `flight run board.toml` with `node_number = 10`, a link to node 20 over its
UART at 921,600 baud with `segment_bytes = 1024`, `destination_node = 30`, a contact plan whose
contacts 10-20 and 20-30 are always open, `health_interval_s` of at most 15, and sensors with
frames still to read. Relay and ground run here.
"""

from pathlib import Path

import pytest

from flight.product.part import ProductKind
from flight.product.status import Health
from ground.archive import open_archive
from ground.library import Library
from hil_tests.lander import look_home, mission
from tools.trio import Trio

WAIT_S = 90


@pytest.fixture
def tty(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--board"))


def kinds_home(trio: Trio) -> set[ProductKind]:
    with open_archive(trio.archive) as archive:
        return {row.header.kind for row in archive.products() if row.complete}


def test_the_board_decides_and_its_decisions_repeat_here(tmp_path: Path, tty: str):
    with mission(tmp_path, binding=tty) as trio:
        wanted = {ProductKind.BOOT, ProductKind.DECISION, ProductKind.HEALTH}
        trio.wait_until(lambda: wanted <= kinds_home(trio), timeout_s=WAIT_S)
        home = look_home(trio)
        with open_archive(trio.archive) as archive:
            library = Library(archive)
            records = [library.record(row.header.id) for row in library.rows()]
    assert home.decisions
    assert not [words for words in home.events if "error of ours" in words]
    health = [record for record in records if isinstance(record, Health)]
    counters = dict(zip(health[-1].names, health[-1].values, strict=True))
    assert counters["link_buried"] == 0
    assert counters["disk_free_kib"] != 0
    assert counters["uptime_s"] > 0
