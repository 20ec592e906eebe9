"""The forms in which a node writes endpoint ids; the bytes follow from RFC 9758 section 6.1.2."""

from dataclasses import replace

import pytest

from flight.relay.bundle import read_bundle
from flight.relay.endpoint import encode_endpoint, ipn, parse_endpoint
from flight.relay.node.names import own_id, written
from flight.relay.settings import IdForm, NodeSettings
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
    "changes",
    [
        {"id_form": IdForm.DTN},
        {"dtn_name": "lander"},
        {"id_form": IdForm.DTN, "dtn_name": "a/b"},
    ],
)
def test_a_name_and_its_form_go_together(changes: dict):
    with pytest.raises(ValueError, match="go together"):
        NodeSettings(1, **changes)


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
