from dataclasses import replace

import pytest

from flight.instant import Instant
from flight.relay.bpsec.integrity import add_integrity
from flight.relay.bundle import (
    BlockFlag,
    BlockType,
    Bundle,
    CanonicalBlock,
    Reason,
    admit_bundle,
    bundle_age_ms,
    encode_bundle,
    forwarded_bundle,
    hop_count,
    make_bundle,
    previous_node,
    read_bundle,
    remaining_ms,
)
from flight.relay.bundle.extension import HopCount, hop_count_block, previous_node_block
from flight.relay.bundle.forward import MAX_LIFETIME_MS
from flight.relay.endpoint import ipn

NOON = 816_000_000_000


def received(*blocks: CanonicalBlock, **changes) -> Bundle:
    fields = {
        "source": ipn(1, 1),
        "destination": ipn(3, 65),
        "created_ms": NOON,
        "sequence": 7,
        "lifetime_ms": 60_000,
    }
    bundle = make_bundle(b"payload", **(fields | changes))
    for block in blocks:
        bundle = bundle.with_block(block)
    return read_bundle(encode_bundle(bundle))


def unknown(flags: int) -> CanonicalBlock:
    return CanonicalBlock(200, 9, b"?", flags)


def test_an_unknown_block_without_flags_travels_on() -> None:
    bundle = received(unknown(0))
    admission = admit_bundle(bundle)
    assert admission.bundle is bundle
    assert admission.reports == ()


def test_an_unknown_block_is_discarded_when_it_says_so_and_the_bundle_lives() -> None:
    admission = admit_bundle(received(unknown(BlockFlag.DISCARD_UNPROCESSED)))
    assert admission.bundle == received()


def test_an_unknown_block_is_reported_when_it_says_so() -> None:
    admission = admit_bundle(received(unknown(BlockFlag.REPORT_UNPROCESSED)))
    assert admission.bundle is not None
    assert admission.reports == (Reason.BLOCK_UNSUPPORTED,)


def test_an_unknown_block_ends_the_bundle_only_when_it_says_so() -> None:
    flags = BlockFlag.DELETE_BUNDLE_UNPROCESSED | BlockFlag.REPORT_UNPROCESSED
    admission = admit_bundle(received(unknown(flags)))
    assert admission.bundle is None
    assert admission.reports == (Reason.BLOCK_UNSUPPORTED,)


def test_a_type_that_an_application_knows_is_not_unknown() -> None:
    bundle = received(unknown(BlockFlag.DELETE_BUNDLE_UNPROCESSED))
    assert admit_bundle(bundle, known=frozenset({*BlockType, 200})).bundle is bundle


@pytest.mark.parametrize("block_type", [6, 7, 10, 11, 12])
def test_a_known_block_that_makes_no_sense_follows_its_flags_too(block_type: int) -> None:
    flags = BlockFlag.DISCARD_UNPROCESSED | BlockFlag.REPORT_UNPROCESSED
    admission = admit_bundle(received(CanonicalBlock(block_type, 9, b"\xff", flags)))
    assert admission.bundle == received()
    assert admission.reports == (Reason.BLOCK_UNINTELLIGIBLE,)


def test_forwarding_counts_the_hop_adds_the_age_and_names_this_node() -> None:
    bundle = received(previous_node_block(ipn(1, 0), 9), age_ms=100, hop_limit=3)
    onward = forwarded_bundle(bundle, node=ipn(2, 0), resident_ms=50)
    assert isinstance(onward, Bundle)
    onward = read_bundle(encode_bundle(onward))
    assert hop_count(onward) == HopCount(3, 1)
    assert bundle_age_ms(onward) == 150
    assert previous_node(onward) == ipn(2, 0)
    assert onward.payload == bundle.payload
    assert len(onward.blocks) == len(bundle.blocks)


def test_an_age_that_can_grow_no_more_stays() -> None:
    onward = forwarded_bundle(received(age_ms=(1 << 64) - 1), node=None, resident_ms=5)
    assert isinstance(onward, Bundle)
    assert bundle_age_ms(onward) == (1 << 64) - 1


def test_forwarding_sends_what_it_did_not_change_as_it_came() -> None:
    bundle = received(unknown(0), age_ms=1)
    onward = forwarded_bundle(bundle, node=None, resident_ms=5)
    assert isinstance(onward, Bundle)
    assert onward.primary is bundle.primary
    assert onward.block(200) is bundle.block(200)
    assert onward.blocks[-1] is bundle.blocks[-1]


def test_forwarding_keeps_the_flags_and_checksum_type_of_what_it_changes() -> None:
    bundle = received(age_ms=1)
    block = replace(bundle.blocks[0], flags=BlockFlag.DISCARD_UNPROCESSED)
    onward = forwarded_bundle(bundle.with_block(block), node=None, resident_ms=5)
    assert isinstance(onward, Bundle)
    assert onward.blocks[0].flags == BlockFlag.DISCARD_UNPROCESSED


def test_a_bundle_at_its_hop_limit_goes_no_further() -> None:
    bundle = received(hop_count_block(HopCount(3, 3), 5))
    assert forwarded_bundle(bundle, node=None, resident_ms=0) is Reason.HOP_LIMIT_EXCEEDED
    bundle = received(hop_count_block(HopCount(3, 2), 5))
    assert isinstance(forwarded_bundle(bundle, node=None, resident_ms=0), Bundle)


def test_a_signed_block_is_forwarded_as_it_came() -> None:
    signed = add_integrity(
        received(previous_node_block(ipn(1, 0), 9), age_ms=1, hop_limit=3),
        targets=(9, 2, 3),
        key=b"k",
        source=ipn(1, 0),
    )
    bundle = read_bundle(encode_bundle(signed))
    assert forwarded_bundle(bundle, node=ipn(2, 0), resident_ms=9) == bundle


def test_a_hop_count_that_makes_no_sense_does_not_stop_the_bundle() -> None:
    bundle = received(CanonicalBlock(BlockType.HOP_COUNT, 9, b"\xff"))
    onward = forwarded_bundle(bundle, node=None, resident_ms=0)
    assert onward == bundle


def test_lifetime_counts_from_creation_where_both_clocks_are_known() -> None:
    now = Instant(0, NOON + 59_999)
    assert remaining_ms(received(age_ms=0), resident_ms=10**9, now=now) == 1
    assert remaining_ms(received(), resident_ms=0, now=Instant(0, NOON + 60_000)) == 0


@pytest.mark.parametrize(("created_ms", "dtn_ms"), [(0, NOON), (NOON, 0), (0, 0)])
def test_lifetime_counts_by_age_where_a_clock_is_unknown(created_ms: int, dtn_ms: int) -> None:
    bundle = received(created_ms=created_ms, age_ms=10_000)
    now = Instant(5, dtn_ms)
    assert remaining_ms(bundle, resident_ms=20_000, now=now) == 30_000
    assert remaining_ms(bundle, resident_ms=50_001, now=now) == -1


def test_without_age_or_clock_only_the_time_spent_here_counts() -> None:
    assert remaining_ms(received(), resident_ms=1_000, now=Instant(0, 0)) == 59_000


def test_a_creation_in_the_future_gives_no_longer_life() -> None:
    assert remaining_ms(received(), resident_ms=0, now=Instant(0, NOON - 10**12)) == 60_000


def test_no_lifetime_is_longer_than_the_limit() -> None:
    bundle = received(lifetime_ms=(1 << 64) - 1)
    assert remaining_ms(bundle, resident_ms=0, now=Instant(0, NOON)) == MAX_LIFETIME_MS
