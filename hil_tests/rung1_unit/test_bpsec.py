"""RFC 9173 appendix A, byte for byte, and the policy on top of it."""

import hmac
from dataclasses import replace

import pytest

from flight.relay.bpsec import (
    Demand,
    SecurityPolicy,
    SecurityRule,
    protect_bundle,
)
from flight.relay.bpsec.confidentiality import add_confidentiality, open_target
from flight.relay.bpsec.integrity import Sha, add_integrity, check_integrity
from flight.relay.bundle import (
    Bundle,
    encode_bundle,
    make_bundle,
    read_bundle,
)
from flight.relay.bundle.asb import (
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
