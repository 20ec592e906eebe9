"""What the store keeps of a bundle in its own terms."""

import pytest

from flight.relay.bundle import BundleFlag, BundleId, make_bundle
from flight.relay.endpoint import NONE, EndpointId, ipn, parse_endpoint
from flight.relay.node.labels import (
    encode_label,
    identity_of,
    label_from,
    priority_of,
    read_identity,
    read_label,
)


@pytest.mark.parametrize(
    ("uri", "priority"),
    [("ipn:3.64", 0), ("ipn:3.67", 3), ("ipn:3.68", 1), ("ipn:3.63", 1), ("dtn://a/64", 1)],
)
def test_services_64_to_67_are_priorities_0_to_3(uri: str, priority: int) -> None:
    assert priority_of(parse_endpoint(uri)) == priority


def test_identities_come_back_and_tell_fragments_apart() -> None:
    whole = BundleId(ipn(1, 2), 3, 4)
    part = whole._replace(fragment_offset=5, fragment_length=6)
    assert read_identity(identity_of(whole)) == whole
    assert read_identity(identity_of(part)) == part
    assert identity_of(whole) != identity_of(part)


def test_a_label_says_where_to_and_whether_the_bundle_changes_on_its_way() -> None:
    bundle = make_bundle(
        b"", source=ipn(1, 1), destination=ipn(3, 64), created_ms=1, sequence=1, lifetime_ms=1
    )
    aged = make_bundle(
        b"",
        source=ipn(1, 1),
        destination=ipn(3, 64),
        created_ms=0,
        sequence=1,
        lifetime_ms=1,
        age_ms=0,
    )
    label = read_label(
        encode_label(label_from(bundle, destination=bundle.primary.destination, came_from=None))
    )
    assert (label.destination, label.flags, label.is_plain) == (ipn(3, 64), 0, True)
    assert not read_label(
        encode_label(label_from(bundle, destination=bundle.primary.destination, came_from=7))
    ).is_plain
    assert not read_label(
        encode_label(label_from(aged, destination=aged.primary.destination, came_from=None))
    ).is_plain


@pytest.mark.parametrize("report_to", [ipn(2, 0), NONE])
def test_a_label_keeps_the_wish_for_reports_where_one_can_be_sent(report_to: EndpointId) -> None:
    flags = BundleFlag.REPORT_DELIVERY | BundleFlag.STATUS_TIME
    bundle = make_bundle(
        b"",
        source=ipn(1, 1),
        destination=ipn(3, 64),
        created_ms=1,
        sequence=1,
        lifetime_ms=1,
        report_to=report_to,
        flags=flags,
    )
    label = read_label(
        encode_label(label_from(bundle, destination=bundle.primary.destination, came_from=7))
    )
    if report_to == NONE:
        assert label.flags == 0
    else:
        assert (label.report_to, label.flags) == (report_to, flags)
