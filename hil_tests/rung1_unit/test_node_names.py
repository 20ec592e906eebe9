"""The forms in which a node writes endpoint ids; the bytes follow from RFC 9758 section 6.1.2."""

from dataclasses import replace

import pytest

from flight.relay.bundle import BundleFlag, read_bundle
from flight.relay.bundle.values import REPORT_FLAGS
from flight.relay.endpoint import encode_endpoint, ipn, parse_endpoint
from flight.relay.node import ReportReceived
from flight.relay.node.names import NO_SERVICE, own_id, placed, written
from flight.relay.settings import DtnNode, IdForm, NodeSettings
from hil_tests.rung1_unit.test_node import world

ALLOCATED = 977_000 << 32 | 100


@pytest.mark.parametrize(
    ("node", "three", "two"),
    [
        # ipn:977000.100.1, the RFC's example of an allocated number.
        (ALLOCATED, "82 02 83 1a000ee868 18 64 01", "82 02 82 1b000ee86800000064 01"),
        (10, "82 02 83 00 0a 01", "82 02 82 0a 01"),
    ],
)
def test_three_elements_are_written_only_where_that_is_set(node: int, three: str, two: str):
    plain = NodeSettings(node)
    assert encode_endpoint(own_id(plain, 1)) == bytes.fromhex(two)
    assert encode_endpoint(written(plain, ipn(node, 1))) == bytes.fromhex(two)
    wide = NodeSettings(node, id_form=IdForm.THREE_ELEMENTS)
    assert encode_endpoint(own_id(wide, 1)) == bytes.fromhex(three)
    assert encode_endpoint(written(wide, ipn(node, 1))) == bytes.fromhex(three)
    none = parse_endpoint("dtn:none")
    assert written(wide, none) is none


def test_a_dtn_name_stands_in_sources():
    named = NodeSettings(1, id_form=IdForm.DTN, dtn_name="lander")
    assert str(own_id(named, 7)) == "dtn://lander/7"
    assert str(own_id(named, 0)) == "dtn://lander/"
    assert written(named, ipn(3, 65)) == ipn(3, 65)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"id_form": IdForm.DTN}, "needs dtn_name"),
        ({"dtn_name": "a/b"}, "without slashes"),
        ({"dtn_name": "a", "dtn_nodes": (DtnNode("a", 2),)}, "must differ"),
        ({"dtn_nodes": (DtnNode("a", 2), DtnNode("a", 3))}, "must differ"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(changes: dict, what: str):
    with pytest.raises(ValueError, match=what):
        NodeSettings(1, **changes)


@pytest.mark.parametrize("fields", [("", 2), ("a/b", 2), ("a", 0)])
def test_a_dtn_node_has_a_name_and_a_number(fields: tuple[str, int]):
    with pytest.raises(ValueError, match="a name without slashes"):
        DtnNode(*fields)


@pytest.mark.parametrize(
    ("uri", "numbers"),
    [
        ("dtn://lander/70", "ipn:1.70"),
        ("dtn://home/", "ipn:3.0"),
        ("dtn://home", "ipn:3.0"),
        ("dtn://home/0064", "ipn:3.64"),
        ("dtn://home/incoming", f"ipn:3.{NO_SERVICE}"),
        ("dtn://home/64/x", f"ipn:3.{NO_SERVICE}"),
        ("dtn://home/" + "9" * 30, f"ipn:3.{NO_SERVICE}"),
        ("dtn://home/\u0663", f"ipn:3.{NO_SERVICE}"),  # a digit, but none of these
        ("dtn://nobody/64", "dtn://nobody/64"),
        ("dtn:///64", "dtn:///64"),
        ("dtn:none", "dtn:none"),
        ("ipn:9.64", "ipn:9.64"),
    ],
)
def test_a_dtn_name_means_a_nodes_numbers(uri: str, numbers: str):
    settings = NodeSettings(1, dtn_name="lander", dtn_nodes=(DtnNode("home", 3),))
    assert str(placed(settings, parse_endpoint(uri))) == numbers


@pytest.mark.parametrize("form", list(IdForm))
def test_bundles_in_every_form_cross_a_relay(form: IdForm):
    name = "home" if form is IdForm.DTN else ""
    there = world(1, 2, 3, change=lambda plain: replace(plain, id_form=form, dtn_name=name))
    passed: list[bytes] = []
    relay = there.network.nodes["2"]
    keep = relay.receive
    relay.receive = lambda *a, **k: (passed.append(a[1]), keep(*a, **k))[1]  # type: ignore[method-assign]
    there.send("1", b"hello", ipn(3, 65))
    there.run(10)
    (delivery,) = there.deliveries
    assert delivery.payload == b"hello"
    assert delivery.source == own_id(there.network.nodes["1"].settings, 1)
    assert not there.network.nodes["1"].bundles() + relay.bundles()
    segment = next(data for data in passed if b"hello" in data)
    bundle = read_bundle(segment[segment.index(b"\x9f") :])
    three = form is IdForm.THREE_ELEMENTS
    assert bundle.primary.destination.three_elements is three
    assert bundle.primary.source.three_elements is three


def by_name(plain: NodeSettings) -> NodeSettings:
    """Name every node by its number, and let it know the others."""
    others = tuple(DtnNode(f"node{n}", n) for n in (1, 2, 3) if n != plain.node_number)
    name = f"node{plain.node_number}"
    return replace(plain, id_form=IdForm.DTN, dtn_name=name, dtn_nodes=others)


def test_a_bundle_with_a_dtn_source_is_answered_there():
    there = world(1, 2, 3, change=by_name)
    there.send("1", b"question", parse_endpoint("dtn://node3/65"))
    there.run(10)
    (question,) = there.deliveries
    assert (str(question.source), str(question.destination)) == ("dtn://node1/1", "ipn:3.65")
    there.send("3", b"answer", parse_endpoint("dtn://node1/66"))
    there.run(10)
    answer = there.deliveries[-1]
    assert (answer.payload, str(answer.source)) == (b"answer", "dtn://node3/1")
    assert (question.priority, answer.priority) == (1, 2)
    assert not any(node.bundles() for node in there.network.nodes.values())


def test_an_echo_service_and_status_reports_find_the_way_back_to_a_dtn_name():
    there = world(1, 2, 3, change=lambda plain: replace(by_name(plain), services=(64, 1)))
    asked = REPORT_FLAGS | BundleFlag.STATUS_TIME
    echo = parse_endpoint("dtn://node3/2047")
    there.send("1", b"ping", echo, report_to=parse_endpoint("dtn://node1/"), flags=asked)
    there.run(20)
    assert [delivery.payload for delivery in there.deliveries] == [b"ping"]
    reporters = {str(event.reporter) for event in there.said("1", ReportReceived)}
    assert reporters == {"dtn://node1/", "dtn://node2/", "dtn://node3/"}


def test_a_bundle_for_a_service_that_has_a_name_is_refused_here():
    there = world(1, 2, 3, change=by_name)
    there.send("1", b"hello", parse_endpoint("dtn://node3/incoming"))
    there.run(10)
    assert not there.deliveries
    assert there.network.nodes["3"].status(there.network.now()).rejected == 1
