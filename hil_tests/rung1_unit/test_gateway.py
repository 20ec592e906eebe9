"""The local socket of a node: what processes beside it can ask, without any link."""

import base64
import contextlib
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.ports.gateway import FREE_SERVICES, Gateway
from flight.ports.localsocket import Caller, LocalServer, calling
from flight.relay.contacts import ContactPlan
from flight.relay.node import Node, ReportReceived, SendRefused, Stored
from flight.relay.settings import NodeSettings, StoreSettings
from flight.relay.store import open_ram_store

NODE, SERVICE, ARCHIVED = 7, 70, 64
T0 = 770_000_000_000


class Bench:
    """A node that talks to itself, turned by hand."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        settings = NodeSettings(NODE, services=(ARCHIVED, SERVICE))
        self.ns = 0
        self.stack = stack
        store = open_ram_store(StoreSettings(folder / "unused"))
        self.node = Node(settings, store, ContactPlan(), self.now(), seed=1)
        server = stack.enter_context(contextlib.closing(LocalServer(folder / "socket")))
        self.path = server.path
        self.gateway = Gateway(server, self.node, taken=frozenset((ARCHIVED,)))

    def now(self) -> Instant:
        return Instant(self.ns, T0 + self.ns // 1_000_000)

    def turn(self) -> None:
        for _ in range(8):
            self.ns += 1_000_000
            now = self.now()
            self.gateway.turn(now)
            self.node.store_ready(now)
            self.node.expire(now)
            for delivery in self.node.take_deliveries():
                self.gateway.deliver(delivery, now)
            for event in self.node.take_events():
                if isinstance(event, Stored):
                    self.gateway.stored(event.ticket, str(event.bundle_id))
                elif isinstance(event, SendRefused):
                    self.gateway.stored(event.ticket, "")
                elif isinstance(event, ReportReceived):
                    self.gateway.reported(event)
            self.gateway.turn(now)

    def client(self) -> Caller:
        return self.stack.enter_context(calling(self.path))

    def ask(self, client: Caller, **request: object) -> list[dict[str, object]]:
        client.say(request)
        self.turn()
        return self.heard(client)

    def heard(self, client: Caller) -> list[dict[str, object]]:
        found = []
        while (message := client.hear(0.001)) is not None:
            found.append(message)
        return found


@pytest.fixture
def bench(tmp_path: Path):
    with contextlib.ExitStack() as stack:
        yield Bench(tmp_path, stack)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_an_echo_comes_back_to_the_service_that_was_given_out(bench: Bench) -> None:
    client = bench.client()
    ((given,),) = (m.values() for m in bench.ask(client, do="receive"))
    assert given in FREE_SERVICES
    said = bench.ask(
        client, do="send", to=f"ipn:{NODE}.2047", payload=b64(b"hello"), **{"from": given}
    )
    bundle = next(message["bundle"] for message in said if "bundle" in message)
    assert bundle["payload"] == b64(b"hello")
    assert bundle["from"] == f"ipn:{NODE}.2047"
    assert bench.ask(client, do="release", number=bundle["number"]) == []
    assert not bench.node.bundles()


def test_a_given_out_service_ends_with_its_process_and_leaves_nothing_behind(bench: Bench) -> None:
    with calling(bench.path) as client:
        (answer,) = bench.ask(client, do="receive")
        service = answer["receiving"]
        to_it = {"do": "send", "to": f"ipn:{NODE}.{service}", "payload": ""}
        assert any("bundle" in message for message in bench.ask(client, **to_it))
    bench.turn()
    assert not bench.node.bundles()
    # Who comes too late is let go as well, and the next one gets another number.
    assert any("stored" in message for message in bench.ask(bench.client(), **to_it))
    assert not bench.node.bundles()
    (answer,) = bench.ask(bench.client(), do="receive")
    assert answer["receiving"] != service


def test_a_service_of_the_settings_keeps_its_bundles_until_somebody_listens(bench: Bench) -> None:
    bench.ask(bench.client(), do="send", to=f"ipn:{NODE}.{SERVICE}", payload=b64(b"wait"))
    assert len(bench.node.bundles()) == 1
    with calling(bench.path) as first:
        assert bench.ask(first, do="receive", service=SERVICE)[0]["bundle"]["payload"]
    bench.turn()
    second = bench.client()
    (again,) = bench.ask(second, do="receive", service=SERVICE)
    bench.ask(second, do="release", number=again["bundle"]["number"])
    assert not bench.node.bundles()


@pytest.mark.parametrize("service", [0, 2047, ARCHIVED])
def test_services_of_the_node_and_its_program_are_not_given_away(bench, service: int) -> None:
    (answer,) = bench.ask(bench.client(), do="receive", service=service)
    assert "error" in answer


def test_reports_on_a_bundle_go_to_who_sent_it(bench: Bench) -> None:
    client, other = bench.client(), bench.client()
    request = {"do": "send", "to": f"ipn:{NODE}.2047", "payload": "", "reports": True}
    said = bench.ask(client, **request)
    name = next(message["stored"] for message in said if "stored" in message)
    report = next(message["report"] for message in said if "report" in message)
    assert report["bundle"] == name
    assert report["by"] == f"ipn:{NODE}.0"
    assert [status for status, _ in report["said"]] == ["delivered"]
    assert T0 < report["said"][0][1] <= bench.now().dtn_ms
    assert bench.heard(other) == []
