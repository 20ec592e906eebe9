"""The links' telemetry: small records between keys, and what the ground makes of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.linkstate import (
    LINK_FIGURES,
    NODE_FIGURES,
    LinkRecord,
    LinkState,
    difference_record,
    key_record,
    state_of,
)
from flight.product.part import ProductKind, decode_part
from flight.relay.contacts import Contact, ContactPlan
from flight.relay.endpoint import ipn
from flight.relay.node import Node
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import open_ram_store
from flight.telemetry import FIRST_NUMBER, Telemetry, TelemetrySettings
from ground.__main__ import main
from ground.archive import open_archive
from ground.library import Library
from ground.linkwords import link_readings, link_text, sent_rates
from ground.raw import Arrival
from ground.report.page import write_report

T0 = 816_000_000_000
RELAY, LANDER, GROUND = 20, 10, 30
NS = 1_000_000_000

numbers = st.integers(-(2**63), 2**63 - 1)


@st.composite
def states(draw: st.DrawFn, links: int) -> LinkState:
    node = draw(st.tuples(*[numbers] * len(NODE_FIGURES)))
    each = st.tuples(*[numbers] * len(LINK_FIGURES))
    return LinkState(Instant(1, 2), node, draw(st.tuples(*[each] * links)))


@given(st.integers(0, 3).flatmap(lambda links: st.tuples(states(links), states(links))))
def test_a_state_comes_back_from_its_key_and_its_differences(pair) -> None:
    key, state = pair
    first = LinkRecord.decode(key_record(key).encode())
    later = LinkRecord.decode(difference_record(state, key, 77).encode())
    assert state_of(first) == key
    assert later.key == 77
    assert state_of(later, first) == state


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_an_error(data: bytes) -> None:
    try:
        record = LinkRecord.decode(data)
        state_of(record)
    except WireError:
        return


def test_a_difference_without_its_key_says_so() -> None:
    key = LinkState(Instant(1, 2), (0,) * len(NODE_FIGURES), ())
    other = LinkState(Instant(1, 2), (0,) * len(NODE_FIGURES), ((0,) * len(LINK_FIGURES),))
    record = difference_record(key, key, 5)
    for wrong in (None, record, key_record(other)):
        with pytest.raises(WireError, match="key"):
            state_of(record, wrong)
    broken = replace(record, figures=(10_000, 1))
    with pytest.raises(WireError):
        LinkRecord.decode(broken.encode())


class Relay:
    """A relay with two links, of which one is open, and its telemetry."""

    def __init__(self, **settings: int) -> None:
        plan = ContactPlan((Contact(RELAY, GROUND, T0, T0 + 600_000, 1_000),))
        links = (LinkSettings(LANDER), LinkSettings(GROUND))
        self.store = open_ram_store(StoreSettings(Path("unused")))
        self.node = Node(NodeSettings(RELAY, links), self.store, plan, Instant(0, T0), 1)
        self.telemetry = Telemetry(
            TelemetrySettings(GROUND, **{"link_interval_s": 60, "key_every": 3, **settings}),
            self.node,
            boot=4,
            config_digest=b"12345678",
        )

    def run(self, seconds: int) -> list[Arrival]:
        """Return what the ground would get, as if the link took no time."""
        found: list[Arrival] = []
        send = self.node.send

        def keep(payload: bytes, *, destination, name, **more) -> int:
            source = f"ipn:{RELAY}.{more['source_service']}"
            found.append(Arrival(source, str(destination), *name, T0, payload))
            return send(payload, destination=destination, name=name, **more)

        self.node.send = keep
        for second in range(seconds):
            now = Instant(second * NS, T0 + second * 1000)
            self.telemetry.turn(now)
            self.node.store_ready(now)
        return found


def test_a_record_goes_out_at_each_interval_and_every_third_stands_alone() -> None:
    relay = Relay()
    arrivals = relay.run(301)
    parts = [decode_part(arrival.payload) for arrival in arrivals]
    assert [part.header.id.number - FIRST_NUMBER for part in parts] == list(range(6))
    assert all(part.header.kind is ProductKind.LINK for part in parts)
    records = [LinkRecord.decode(part.data) for part in parts]
    assert [record.key for record in records] == [
        0,
        *[FIRST_NUMBER] * 2,
        0,
        *[FIRST_NUMBER + 3] * 2,
    ]
    sizes = [len(part.data) for part in parts]
    assert max(sizes[1], sizes[2]) < sizes[0] < 80
    assert {arrival.destination for arrival in arrivals} == {str(ipn(GROUND, 66))}


def test_nothing_is_sent_where_the_interval_is_0() -> None:
    assert Relay(link_interval_s=0).run(100) == []


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(tuple(Relay().run(301)))
        yield archive


def test_the_ground_puts_the_states_together(archive, tmp_path: Path, capsys) -> None:
    (readings,) = link_readings(Library(archive)).values()
    assert len(readings) == 6
    queued = [
        r.state.named()["queued_p2_bundles"] + r.state.named()["sending_bundles"] for r in readings
    ]
    assert queued == sorted(queued)
    assert queued[-1] > 0
    first, last = readings[0].state, readings[-1].state
    closed, opened = last.named_links()
    assert (closed["peer_node"], closed["is_open"], closed["changes_in_s"]) == (LANDER, 0, -1)
    assert (opened["peer_node"], opened["rate_bytes_s"]) == (GROUND, 1_000)
    assert opened["changes_in_s"] == 300
    assert first.named_links()[1]["changes_in_s"] == 600
    assert all(rate >= 0 for _, rate in sent_rates(readings, 1))
    words = link_text(last)
    assert "to node 30  open for 5 min 00 s  1.0 kB/s" in words
    product = f"{RELAY}.4.{FIRST_NUMBER + 5}"
    assert main(["show", product, "--archive", str(tmp_path)]) == 0
    assert "open for 5 min 00 s" in capsys.readouterr().out
    assert main(["export", "links", "--archive", str(tmp_path)]) == 0
    assert f"{RELAY},4,{GROUND},rate_bytes_s,1000" in capsys.readouterr().out
    write_report(archive, tmp_path / "report.html", title="t", progress=lambda _done, _total: None)
    text = (tmp_path / "report.html").read_text()
    assert "<h2>Links</h2>" in text
    assert "bundles waiting" in text


def test_states_whose_key_is_missing_wait_for_it(tmp_path: Path, capsys) -> None:
    arrivals = Relay().run(301)
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(tuple(arrivals[1:]))
        (readings,) = link_readings(Library(archive)).values()
        assert len(readings) == 3
        assert main(["show", f"{RELAY}.4.{FIRST_NUMBER + 1}", "--archive", str(tmp_path)]) == 1
        assert "key" in capsys.readouterr().out
        archive.keep(tuple(arrivals[:1]))
        (readings,) = link_readings(Library(archive)).values()
        assert len(readings) == 6
