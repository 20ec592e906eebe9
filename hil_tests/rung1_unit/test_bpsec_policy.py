"""What a node asks of the security of bundles, and what it refuses."""

from dataclasses import replace

import pytest

from flight.instant import Instant
from flight.relay.bpsec import (
    Demand,
    SecurityPolicy,
    SecurityRule,
    accept_bundle,
    check_bundle,
)
from flight.relay.bpsec.confidentiality import add_confidentiality, open_target
from flight.relay.bpsec.integrity import add_integrity
from flight.relay.bundle import (
    BlockType,
    Bundle,
    CanonicalBlock,
    Reason,
    Reassembler,
    encode_bundle,
    fragment_bundle,
)
from flight.relay.bundle.asb import (
    SecurityBlock,
    encode_security_block,
    read_security_block,
)
from flight.relay.crc import CrcType
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from hil_tests.rung1_unit.test_bpsec import (
    BARE,
    HMAC_KEY,
    KEY_128,
    NONCE,
    OPEN,
    SEALED_ONLY,
    SIGNED,
    SIGNED_AND_SEALED,
    arrive,
    policy,
    protect,
    sent,
)


@pytest.mark.parametrize("rules", [SIGNED, SIGNED_AND_SEALED, SEALED_ONLY, OPEN, BARE])
def test_what_the_sender_protects_by_a_rule_the_receiver_accepts_by_it(rules) -> None:
    travelling = protect(sent(), rules)
    assert check_bundle(travelling, rules) is None
    accepted = accept_bundle(travelling, rules)
    assert isinstance(accepted, Bundle)
    assert accepted.payload == b"payload"
    assert replace(accepted.primary, crc_type=CrcType.CRC32C) == sent().primary
    assert [block.type for block in accepted.blocks] == [BlockType.PAYLOAD]


def test_a_sealed_payload_is_not_in_the_bytes_and_neither_is_its_signature() -> None:
    travelling = protect(sent(), SIGNED_AND_SEALED)
    assert b"payload" not in encode_bundle(travelling)
    signature = travelling.block(BlockType.INTEGRITY)
    assert signature is not None
    with pytest.raises(WireError):
        read_security_block(signature.data)


def test_every_seal_of_a_bundle_has_its_own_nonce() -> None:
    travelling = protect(sent(), SIGNED_AND_SEALED)
    seals = [b for b in travelling.blocks if b.type == BlockType.CONFIDENTIALITY]
    contents = [read_security_block(block.data) for block in seals]
    assert [len(content.targets) for content in contents] == [1, 1]
    assert len({content.parameters[0] for content in contents}) == 2


@pytest.mark.parametrize("rules", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED])
def test_required_protection_that_is_missing_refuses_the_bundle(rules) -> None:
    assert accept_bundle(arrive(sent()), rules) is Reason.MISSING_SECURITY
    assert check_bundle(arrive(sent()), rules) is Reason.MISSING_SECURITY


@pytest.mark.parametrize("made", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED])
@pytest.mark.parametrize("asked", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED, OPEN])
def test_a_changed_payload_is_refused(made, asked) -> None:
    travelling = protect(sent(), made)
    damaged = travelling.with_payload(travelling.payload[:-1] + b"?")
    assert isinstance(accept_bundle(arrive(damaged), asked), Reason)


@pytest.mark.parametrize("made", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED])
def test_protection_cannot_be_moved_to_another_bundle(made) -> None:
    travelling = protect(sent(), made)
    moved = replace(travelling, primary=sent(sequence=8).primary)
    assert accept_bundle(arrive(moved), made) is Reason.FAILED_SECURITY


@pytest.mark.parametrize("made", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED])
def test_another_key_is_refused(made) -> None:
    other = {"integrity_key": b"x" * 16, "confidentiality_key": b"x" * 32}
    rules = policy(Demand.ACCEPT, Demand.ACCEPT, **other)
    assert accept_bundle(protect(sent(), made), rules) is Reason.FAILED_SECURITY


def test_a_signature_with_too_small_a_scope_does_not_count() -> None:
    weak = add_integrity(sent(), targets=(1,), key=HMAC_KEY, source=ipn(1, 0), scope=0)
    assert accept_bundle(arrive(weak), SIGNED) is Reason.FAILED_SECURITY
    assert isinstance(accept_bundle(arrive(weak), OPEN), Bundle)


def test_a_signature_over_another_block_does_not_count_for_the_payload() -> None:
    beside = add_integrity(sent(age_ms=1), targets=(2,), key=HMAC_KEY, source=ipn(1, 0))
    assert accept_bundle(arrive(beside), SIGNED) is Reason.MISSING_SECURITY


def test_a_strangers_seal_is_no_way_around_a_required_signature() -> None:
    signed = protect(sent(), SIGNED)
    stranger = add_confidentiality(
        signed.with_payload(b"forged"), targets=(1,), key=b"s" * 32, nonce=NONCE, source=ipn(1, 0)
    )
    unkeyed = policy(Demand.REQUIRE, Demand.ACCEPT, confidentiality_key=b"")
    assert accept_bundle(arrive(stranger), unkeyed) is Reason.MISSING_SECURITY
    assert check_bundle(arrive(stranger), unkeyed) is None  # a relay cannot know


def test_a_relay_without_the_key_of_a_seal_passes_it_on() -> None:
    travelling = protect(sent(), SIGNED_AND_SEALED)
    relay = policy(Demand.REQUIRE, Demand.ACCEPT, confidentiality_key=b"")
    assert check_bundle(travelling, relay) is None


def test_refused_protection_refuses_the_bundle() -> None:
    assert accept_bundle(protect(sent(), SIGNED), BARE) is Reason.UNEXPECTED_SECURITY
    assert accept_bundle(protect(sent(), SEALED_ONLY), BARE) is Reason.UNEXPECTED_SECURITY


def test_signatures_of_others_are_left_alone() -> None:
    rules = policy(Demand.ACCEPT, Demand.ACCEPT, security_source="ipn:1.*")
    foreign = arrive(add_integrity(sent(), targets=(1,), key=b"?", source=ipn(9, 0)))
    assert accept_bundle(foreign, rules) == foreign


def test_the_first_rule_that_fits_holds() -> None:
    rules = SecurityPolicy(
        (
            SecurityRule(source="ipn:1.7"),
            SecurityRule(destination="ipn:3.*", integrity=Demand.REQUIRE, integrity_key=b"k"),
        )
    )
    assert accept_bundle(arrive(sent()), rules) is Reason.MISSING_SECURITY
    exempt, elsewhere = arrive(sent(source=ipn(1, 7))), arrive(sent(destination=ipn(4, 1)))
    assert accept_bundle(exempt, rules) is exempt
    assert accept_bundle(elsewhere, rules) is elsewhere


def test_fragments_wait_for_their_whole() -> None:
    for fragment in fragment_bundle(protect(sent(), SIGNED), payload_bytes=3):
        assert accept_bundle(arrive(fragment), SIGNED) == fragment


@pytest.mark.parametrize("made", [SIGNED, SEALED_ONLY, SIGNED_AND_SEALED])
def test_protection_holds_over_fragments_and_reassembly(made) -> None:
    reassembler = Reassembler()
    whole = None
    for fragment in reversed(fragment_bundle(protect(sent(age_ms=1), made), payload_bytes=3)):
        whole = reassembler.add(arrive(fragment), remaining_ms=1000, now=Instant(0, 0))
    assert whole is not None
    accepted = accept_bundle(whole, made)
    assert isinstance(accepted, Bundle)
    assert accepted.payload == b"payload"


def test_two_signatures_over_one_block_contradict_each_other() -> None:
    twice = sent()
    for _ in range(2):
        twice = add_integrity(twice, targets=(1,), key=HMAC_KEY, source=ipn(1, 0))
    assert accept_bundle(arrive(twice), SIGNED) is Reason.CONFLICTING_SECURITY


@pytest.mark.parametrize(
    ("block_type", "target"), [(11, 11), (11, 99), (11, 12), (12, 0), (12, 12), (12, 99)]
)
def test_targets_that_no_block_may_have_contradict_the_rules(block_type, target) -> None:
    content = SecurityBlock((target,), 1, ipn(1, 0), (), ((),))
    block = CanonicalBlock(block_type, block_type, encode_security_block(content))
    bundle = arrive(sent().with_block(block))
    assert accept_bundle(bundle, OPEN) is Reason.CONFLICTING_SECURITY


@pytest.mark.parametrize("context", [-1, 0, 3, 1 << 60])
@pytest.mark.parametrize("block_type", [11, 12])
def test_an_unknown_context_is_refused_where_it_had_to_be_checked(block_type, context) -> None:
    content = SecurityBlock((1,), context, ipn(1, 0), (), ((),))
    bundle = arrive(
        sent().with_block(CanonicalBlock(block_type, 5, encode_security_block(content)))
    )
    assert accept_bundle(bundle, OPEN) is Reason.UNKNOWN_SECURITY


def test_a_wrapped_key_where_none_is_expected_is_refused_and_no_more() -> None:
    hostile = add_integrity(sent(), targets=(1,), key=b"k", source=ipn(1, 0), wrapping_key=None)
    block = hostile.blocks[0]
    content = read_security_block(block.data)
    wrapped = replace(content, parameters=(*content.parameters, (2, b"\x43abc")))
    bundle = hostile.with_block(replace(block, data=encode_security_block(wrapped)))
    for key in (b"odd length", HMAC_KEY):
        rules = policy(Demand.ACCEPT, Demand.ACCEPT, integrity_key=key)
        assert accept_bundle(arrive(bundle), rules) is Reason.FAILED_SECURITY


def test_a_tag_at_the_end_of_the_ciphertext_is_found() -> None:
    sealed = add_confidentiality(sent(), targets=(1,), key=KEY_128, nonce=NONCE, source=ipn(1, 0))
    block = sealed.blocks[0]
    content = read_security_block(block.data)
    ((_, tag),) = content.results[0]
    appended = sealed.with_payload(sealed.payload + tag[1:])
    header = replace(block, data=encode_security_block(replace(content, results=((),))))
    opened = open_target(appended.with_block(header), header, target=1, key=KEY_128)
    assert isinstance(opened, Bundle)
    assert opened.payload == b"payload"


@pytest.mark.parametrize(
    "fields",
    [
        {"integrity": Demand.REQUIRE},
        {"confidentiality": Demand.REQUIRE},
        {"confidentiality_key": b"short"},
    ],
)
def test_a_rule_that_could_not_be_kept_cannot_be_made(fields) -> None:
    with pytest.raises(ValueError, match="key"):
        SecurityRule(**fields)


def test_keys_are_not_shown() -> None:
    assert "abcdefghij" not in repr(SecurityRule(integrity_key=b"abcdefghij"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "80",
        "8101",
        "8201010100820282020180",
        "81010100820282020180",
        "810101008202820201818100",
        "8101010082028202018181820140" + "00",
        "81014100820282020181818201" + "40",
        "810101018202820201" + "91" + "820100" * 17 + "8180",
        "9841" + "".join(f"18{n:02x}" for n in range(24, 89)) + "0100820100" + "80",
    ],
)
def test_broken_security_blocks_are_refused(content: str) -> None:
    with pytest.raises(WireError):
        read_security_block(bytes.fromhex(content))
