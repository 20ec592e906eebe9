"""What signatures and seals cover, also where a relay has written a checksum anew."""

from dataclasses import replace

import pytest

from flight.relay.bpsec import accept_bundle, check_bundle
from flight.relay.bpsec.confidentiality import add_confidentiality
from flight.relay.bpsec.integrity import add_integrity
from flight.relay.bundle import Bundle, Reason
from flight.relay.crc import CrcType
from flight.relay.endpoint import ipn
from hil_tests.rung1_unit.test_bpsec import (
    HMAC_KEY,
    KEY_256,
    OPEN,
    SEALED_ONLY,
    SIGNED,
    SIGNED_AND_SEALED,
    arrive,
    protect,
    sent,
)


@pytest.mark.parametrize("rules", [SIGNED, SIGNED_AND_SEALED, SEALED_ONLY])
def test_what_is_protected_leaves_with_the_checksum_that_ion_would_give_it(rules) -> None:
    assert protect(sent(), rules).primary.crc_type == CrcType.CRC16
    assert protect(sent(), OPEN).primary.crc_type == CrcType.CRC32C


def by_another_source(crc_type: CrcType, *, is_sealed: bool) -> Bundle:
    bundle = replace(sent(), primary=replace(sent().primary, crc_type=crc_type))
    signed = add_integrity(bundle, targets=(1,), key=HMAC_KEY, source=ipn(1, 0))
    if not is_sealed:
        return signed
    for target in (1, 2):
        nonce = bytes((target,)) * 12
        signed = add_confidentiality(
            signed, targets=(target,), key=KEY_256, nonce=nonce, source=ipn(1, 0)
        )
    return signed


@pytest.mark.parametrize(
    ("left_with", "came_with"),
    [
        (CrcType.CRC32C, CrcType.CRC16),
        (CrcType.NONE, CrcType.CRC16),
        (CrcType.CRC16, CrcType.CRC32C),
        (CrcType.NONE, CrcType.CRC32C),
    ],
)
@pytest.mark.parametrize("is_sealed", [False, True])
def test_protection_survives_a_relay_that_writes_the_primary_blocks_checksum_anew(
    left_with, came_with, is_sealed
) -> None:
    rules = SIGNED_AND_SEALED if is_sealed else SIGNED
    left = by_another_source(left_with, is_sealed=is_sealed)
    forwarded = arrive(replace(left, primary=replace(left.primary, crc_type=came_with)))
    assert check_bundle(forwarded, rules) is None
    accepted = accept_bundle(forwarded, rules)
    assert isinstance(accepted, Bundle)
    assert accepted.payload == b"payload"


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_relay_that_writes_more_than_a_checksum_anew_breaks_the_protection(is_sealed) -> None:
    rules = SIGNED_AND_SEALED if is_sealed else SIGNED
    left = by_another_source(CrcType.CRC32C, is_sealed=is_sealed)
    primary = replace(left.primary, crc_type=CrcType.CRC16, lifetime_ms=1)
    forwarded = arrive(replace(left, primary=primary))
    assert accept_bundle(forwarded, rules) is Reason.FAILED_SECURITY
