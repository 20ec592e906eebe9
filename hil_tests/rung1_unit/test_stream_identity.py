"""Whom a TCPCL session takes for its peer."""

import pytest

from flight.relay.stream.identity import ANYBODY, Identity
from flight.relay.stream.settings import CertificateId

IGNORED, IF_PRESENT, REQUIRED = CertificateId


@pytest.mark.parametrize("claimed", ["dtn://node20/", "dtn://node20"])
@pytest.mark.parametrize("peer", ["dtn://node20/", "dtn://node20"])
def test_one_node_may_write_its_id_in_two_ways(claimed: str, peer: str):
    assert Identity("ipn:10.0", peer).complaint(claimed, None) is None


@pytest.mark.parametrize("claimed", ["ipn:21.0", "dtn://node20/", "", "ipn:20", "x" * 1000])
def test_a_peer_that_claims_to_be_another_is_named_and_not_at_length(claimed: str):
    complaint = Identity("ipn:10.0", "ipn:20.0").complaint(claimed, None)
    assert complaint is not None
    assert claimed[:80] in complaint
    assert len(complaint) < 150


def test_anybody_may_claim_what_a_certificate_does_not_deny():
    who = Identity("ipn:10.0", ANYBODY)
    assert who.complaint("dtn://whoever/", None) is None
    assert who.complaint("ipn:20.0", ("ipn:20.0",)) is None
    assert who.complaint("ipn:20.0", ("ipn:30.0",)) is not None


@pytest.mark.parametrize(
    ("vouched", "demand", "is_right"),
    [
        (None, IF_PRESENT, True),
        (None, REQUIRED, True),  # there is no TLS; whether there must be is another setting
        ((), IGNORED, True),
        ((), IF_PRESENT, True),
        ((), REQUIRED, False),
        (("ipn:20.0",), IF_PRESENT, True),
        (("ipn:20.0",), REQUIRED, True),
        (("dtn://x/", "ipn:20.0"), REQUIRED, True),
        (("ipn:30.0",), IGNORED, True),
        (("ipn:30.0",), IF_PRESENT, False),
        (("ipn:30.0",), REQUIRED, False),
        (("?",), IF_PRESENT, False),
    ],
)
def test_a_certificate_has_to_say_what_the_setting_asks_of_it(vouched, demand, is_right):
    complaint = Identity("ipn:10.0", "ipn:20.0", demand).complaint("ipn:20.0", vouched)
    assert (complaint is None) is is_right
