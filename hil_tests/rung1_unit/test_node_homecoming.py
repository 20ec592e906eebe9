"""A node whose disk fails for a while and works again, in simulated time."""

from pathlib import Path
from tempfile import TemporaryDirectory

from flight.instant import Instant
from flight.relay.contacts import ContactPlan
from flight.relay.endpoint import ipn
from flight.relay.node import Node, NodeEvent, Stored, StoreTrouble
from flight.relay.settings import NodeSettings, StoreSettings
from flight.relay.store.guard import GuardedMedium
from flight.relay.store.values import Trouble
from flight.relay.store.writer import InlineStore
from hil_tests.faults import IOERR, OK, WatchedFiles
from hil_tests.workload import fast_directory, small_settings

T0, NS = 770_000_000_000, 1_000_000_000


class Life:
    """One life of a node whose store is on a disk that can be made to fail."""

    def __init__(self, settings: StoreSettings) -> None:
        self.failing = False
        files = WatchedFiles(lambda *_call: IOERR if self.failing else OK)
        medium = GuardedMedium(settings, files)
        self.store = InlineStore(settings, medium)
        self.second = 0
        node = NodeSettings(1, scrub_interval_s=60, cache_bytes=0)
        self.node = Node(node, self.store, ContactPlan(), self.now(), seed=1)

    def now(self) -> Instant:
        return Instant(self.second * NS, T0 + self.second * 1000)

    def run(self, seconds: int) -> list[NodeEvent]:
        events: list[NodeEvent] = []
        for _ in range(seconds):
            self.second += 1
            self.node.expire(self.now())
            self.node.store_ready(self.now())
            events += self.node.take_events()
        return events

    def send(self, words: bytes) -> None:
        self.node.send(words, destination=ipn(9, 65), priority=1, lifetime_ms=10**9, now=self.now())

    def troubles(self, events: list[NodeEvent]) -> list[Trouble]:
        return [event.trouble for event in events if isinstance(event, StoreTrouble)]


def test_the_store_goes_back_to_its_disk_by_itself_and_nothing_is_missing() -> None:
    with TemporaryDirectory(dir=fast_directory()) as name:
        settings = small_settings(Path(name), quota_bytes=2_000_000)
        life = Life(settings)
        life.send(b"before")
        life.send(b"read in vain")
        life.run(2)
        _, unread = life.node.bundles()
        life.failing = True
        life.send(b"in memory")
        events = life.run(5)
        assert Trouble.MEDIUM_FAILED in life.troubles(events)
        assert any(isinstance(event, Stored) for event in events), "telemetry goes on"
        # Whoever wants a bundle from the disk now does not get it, and the node lets go of it.
        life.node._desk.keeper.want(unread.entry.sequence)
        life.run(1)
        assert len(life.node.bundles()) == 2
        assert Trouble.MEDIUM_RETURNED not in life.troubles(life.run(120)), "it still fails"
        life.failing = False
        events = life.run(60)
        assert life.troubles(events).count(Trouble.MEDIUM_RETURNED) == 1
        assert len(life.node.bundles()) == 3
        status = life.node.status(life.now())
        assert (status.store.degraded, status.store.bundles) == (False, 3)
        life.store.close()
        again = Life(settings)
        assert len(again.node.bundles()) == 3
        again.store.close()
