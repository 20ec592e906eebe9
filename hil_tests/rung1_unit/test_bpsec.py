"""RFC 9173 appendix A, byte for byte, and the policy on top of it."""

import hmac
from dataclasses import replace

import pytest

from flight.instant import Instant
from flight.relay.bpsec import (
    Demand,
    SecurityPolicy,
    SecurityRule,
    accept_bundle,
    check_bundle,
    protect_bundle,
)
from flight.relay.bpsec.confidentiality import add_confidentiality, open_target
from flight.relay.bpsec.integrity import Sha, add_integrity, check_integrity
from flight.relay.bundle import (
    BlockType,
    Bundle,
    CanonicalBlock,
    Reason,
    Reassembler,
    encode_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
)
from flight.relay.bundle.asb import (
    SecurityBlock,
    encode_security_block,
    read_security_block,
)
from flight.relay.bundle.wire import encode_primary
from flight.relay.cbor import encode_bytes
from flight.relay.crc import CrcType
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError

HMAC_KEY = bytes.fromhex("1a2b" * 8)
KEY_128 = b"qwertyuiopasdfgh"
KEY_256 = KEY_128 * 2
WRAPPING_KEY = b"abcdefghijklmnop"
NONCE = b"Twelve121212"

PRIMARY = "88070000820282010282028202018202820201820018281a000f4240"
PLAIN = "85010100005823526561647920746f2067656e657261746520612033322d62797465207061796c6f6164"
AGE = "85070200004319012c"
A1_BIB = (
    "850b0200005856810101018202820201828201078203008181820158403bdc69b3a34a2b5d3a8554368bd1e8"
    "08f606219d2a10a846eae3886ae4ecc83c4ee550fdfb1cc636b904e2f1a73e303dcd4b6ccece003e95e8164d"
    "cc89a156e1"
)
A2_BCB = (
    "850c02010058508101020182028202018482014c5477656c766531323132313282020182035818"
    "69c411276fecddc4780df42c8a2af89296fabf34d7fae7008204008181820150"
    "efa4b5ac0108e3816c5606479801bc04"
)
SEALED = "850101000058233a09c1e63fe23a7f66a59c7303837241e070b02619fc59c5214a22f08cd70795e73e9a"
A3_BIB = (
    "850b030000585c8200020101820282030082820105820300828182015820cac6ce8e4c5dae57988b757e49a6"
    "dd1431dc04763541b2845098265bc817241b81820158203ed614c0d97f49b3633627779aa18a338d212bf3c9"
    "2b97759d9739cd50725596"
)
A3_BCB = (
    "850c0401005834810102018202820201838201"
    "4c5477656c7665313231323132820201820400818182"
    "0150efa4b5ac0108e3816c5606479801bc04"
)
A4_BIB = (
    "850b0300005846438ed6208eb1c1ffb94d952175167df0902902064a2983910c4fb2340790bf420a7d1921d5"
    "bf7c4721e02ab87a93ab1e0b75cf62e4948727c8b5dae46ed2af05439b88029191"
)
A4_BCB = (
    "850c0201005849820301020182028202018382014c5477656c766531323132313282020382040782818201"
    "50220ffc45c8a901999ecc60991dd78b2981820150d2c51cb2481792dae8b21d848cede99b"
)
A4_SEALED = "8501010000582390eab6457593379298a8724e16e61f837488e127212b59ac91f8a86287b7d07630a122"


def rfc(*blocks: str) -> bytes:
    return bytes.fromhex("9f" + PRIMARY + "".join(blocks) + "ff")


def rfc_bundle(*blocks: str) -> Bundle:
    return read_bundle(rfc(*blocks), strict=False)


def in_order(bundle: Bundle, *numbers: int) -> bytes:
    blocks = [bundle.block_numbered(number) for number in numbers]
    return encode_bundle(Bundle(bundle.primary, tuple(block for block in blocks if block)))


def test_rfc_9173_a1_a_signed_payload() -> None:
    signed = add_integrity(
        rfc_bundle(PLAIN),
        targets=(1,),
        key=HMAC_KEY,
        source=ipn(2, 1),
        variant=Sha.SHA512,
        scope=0,
    )
    assert encode_bundle(signed) == rfc(A1_BIB, PLAIN)
    bundle = rfc_bundle(A1_BIB, PLAIN)
    assert check_integrity(bundle, bundle.blocks[0], target=1, key=HMAC_KEY) is None


def test_rfc_9173_a2_a_sealed_payload_with_a_wrapped_key() -> None:
    sealed = add_confidentiality(
        rfc_bundle(PLAIN),
        targets=(1,),
        key=KEY_128,
        nonce=NONCE,
        source=ipn(2, 1),
        scope=0,
        wrapping_key=WRAPPING_KEY,
    )
    assert encode_bundle(sealed) == rfc(A2_BCB, SEALED)
    bundle = rfc_bundle(A2_BCB, SEALED)
    opened = open_target(bundle, bundle.blocks[0], target=1, key=WRAPPING_KEY)
    assert isinstance(opened, Bundle)
    assert opened.payload == b"Ready to generate a 32-byte payload"


def test_rfc_9173_a3_signed_headers_and_a_sealed_payload_from_two_sources() -> None:
    signed = add_integrity(
        rfc_bundle(AGE, PLAIN), targets=(0, 2), key=HMAC_KEY, source=ipn(3, 0), scope=0, number=3
    )
    sealed = add_confidentiality(
        signed, targets=(1,), key=KEY_128, nonce=NONCE, source=ipn(2, 1), scope=0, number=4
    )
    assert in_order(sealed, 3, 4, 2, 1) == rfc(A3_BIB, A3_BCB, AGE, SEALED)
    bundle = rfc_bundle(A3_BIB, A3_BCB, AGE, SEALED)
    for target in (0, 2):
        assert check_integrity(bundle, bundle.blocks[0], target=target, key=HMAC_KEY) is None
    opened = open_target(bundle, bundle.blocks[1], target=1, key=KEY_128)
    assert isinstance(opened, Bundle)
    assert opened.payload == b"Ready to generate a 32-byte payload"


def test_rfc_9173_a4_a_sealed_payload_and_signature_with_full_scope() -> None:
    signed = add_integrity(
        rfc_bundle(PLAIN),
        targets=(1,),
        key=HMAC_KEY,
        source=ipn(2, 1),
        variant=Sha.SHA384,
        number=3,
    )
    sealed = add_confidentiality(
        signed, targets=(3, 1), key=KEY_256, nonce=NONCE, source=ipn(2, 1), number=2
    )
    assert in_order(sealed, 3, 2, 1) == rfc(A4_BIB, A4_BCB, A4_SEALED)
    bundle = rfc_bundle(A4_BIB, A4_BCB, A4_SEALED)
    for target in (3, 1):
        outcome = open_target(bundle, bundle.blocks[1], target=target, key=KEY_256)
        assert isinstance(outcome, Bundle)
        bundle = outcome
    assert bundle.payload == b"Ready to generate a 32-byte payload"
    signature = bundle.block_numbered(3)
    assert signature is not None
    assert check_integrity(bundle, signature, target=1, key=HMAC_KEY) is None


def test_a_primary_block_that_is_signed_needs_no_checksum() -> None:
    with pytest.raises(WireError):
        read_bundle(rfc(A1_BIB, AGE.replace("0702", "0704"), PLAIN))
    assert read_bundle(rfc(A3_BIB, AGE, PLAIN)).primary.crc_type == CrcType.NONE


def test_a_primary_block_whose_signature_is_sealed_is_read() -> None:
    age = AGE.replace("0702", "0704")
    assert read_bundle(rfc(A4_BIB, A4_BCB, age, A4_SEALED)).payload


def test_a_primary_block_signed_as_the_rfcs_text_says_is_believed_too() -> None:
    signed = add_integrity(sent(), targets=(0,), key=HMAC_KEY, source=ipn(1, 0), scope=0)
    block = signed.blocks[0]
    primary = encode_primary(signed.primary)
    plain = encode_bytes(hmac.digest(HMAC_KEY, b"\0" + primary, "sha256"))
    content = replace(read_security_block(block.data), results=(((1, plain),),))
    block = replace(block, data=encode_security_block(content))
    assert check_integrity(signed.with_block(block), block, target=0, key=HMAC_KEY) is None


def sent(**changes) -> Bundle:
    fields = {
        "source": ipn(1, 1),
        "destination": ipn(3, 65),
        "created_ms": 816_000_000_000,
        "sequence": 7,
        "lifetime_ms": 60_000,
    }
    return make_bundle(b"payload", **(fields | changes))


def arrive(bundle: Bundle) -> Bundle:
    return read_bundle(encode_bundle(bundle))


def policy(integrity: Demand, confidentiality: Demand, **changes) -> SecurityPolicy:
    keys = {"integrity_key": HMAC_KEY, "confidentiality_key": KEY_256}
    rule = SecurityRule(
        source="ipn:1.*", integrity=integrity, confidentiality=confidentiality, **(keys | changes)
    )
    return SecurityPolicy((rule,))


SIGNED = policy(Demand.REQUIRE, Demand.ACCEPT)
SIGNED_AND_SEALED = policy(Demand.REQUIRE, Demand.REQUIRE)
SEALED_ONLY = policy(Demand.ACCEPT, Demand.REQUIRE)
OPEN = policy(Demand.ACCEPT, Demand.ACCEPT)
BARE = policy(Demand.REFUSE, Demand.REFUSE)


def counting_bytes():
    count = iter(range(1000))
    return lambda length: next(count).to_bytes(length, "big")


def protect(bundle: Bundle, rules: SecurityPolicy) -> Bundle:
    return arrive(protect_bundle(bundle, rules, node=ipn(1, 0), random_bytes=counting_bytes()))


@pytest.mark.parametrize("rules", [SIGNED, SIGNED_AND_SEALED, SEALED_ONLY, OPEN, BARE])
def test_what_the_sender_protects_by_a_rule_the_receiver_accepts_by_it(rules) -> None:
    travelling = protect(sent(), rules)
    assert check_bundle(travelling, rules) is None
    accepted = accept_bundle(travelling, rules)
    assert isinstance(accepted, Bundle)
    assert accepted.payload == b"payload"
    assert accepted.primary == sent().primary
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
