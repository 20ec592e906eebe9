from dataclasses import replace

import pytest

from flight.relay.bundle import (
    BlockFlag,
    BlockType,
    Bundle,
    BundleFlag,
    CanonicalBlock,
    bundle_age_ms,
    encode_bundle,
    hop_count,
    make_bundle,
    previous_node,
    read_bundle,
    read_bundles,
)
from flight.relay.bundle.extension import HopCount, bundle_age_block, previous_node_block
from flight.relay.bundle.reading import MAX_BLOCKS, MAX_CREATED_MS
from flight.relay.crc import CrcType
from flight.relay.endpoint import LOCAL_NODE, NONE, ipn
from flight.relay.errors import WireError

# RFC 9173 appendix A.1.1.3, the only whole bundle that the RFCs print without security.
RFC_BUNDLE = bytes.fromhex(
    "9f88070000820282010282028202018202820201820018281a000f4240850101000058235265616479"
    "20746f2067656e657261746520612033322d62797465207061796c6f6164ff"
)
NOON = 816_000_000_000


def some_bundle(**changes) -> Bundle:
    fields = {
        "source": ipn(1, 1),
        "destination": ipn(3, 65),
        "created_ms": NOON,
        "sequence": 7,
        "lifetime_ms": 86_400_000,
    }
    return make_bundle(changes.pop("payload", b"payload"), **(fields | changes))


def test_the_bundle_of_rfc_9173_is_read_and_written_byte_for_byte() -> None:
    bundle = read_bundle(RFC_BUNDLE, strict=False)
    assert bundle.primary.destination == ipn(1, 2)
    assert bundle.primary.source == bundle.primary.report_to == ipn(2, 1)
    assert (bundle.primary.created_ms, bundle.primary.sequence) == (0, 40)
    assert bundle.primary.lifetime_ms == 1_000_000
    assert bundle.payload == b"Ready to generate a 32-byte payload"
    assert encode_bundle(bundle) == RFC_BUNDLE
    afresh = Bundle(replace(bundle.primary), tuple(map(replace, bundle.blocks)))
    assert encode_bundle(afresh) == RFC_BUNDLE


def test_the_same_bundle_is_refused_where_rules_are_kept() -> None:
    with pytest.raises(WireError, match="neither checksum nor signature"):
        read_bundle(RFC_BUNDLE)


def test_the_overhead_is_small() -> None:
    assert len(encode_bundle(some_bundle(payload=b"x" * 1000))) - 1000 == 54


@pytest.mark.parametrize("crc_type", [CrcType.CRC16, CrcType.CRC32C])
def test_a_flipped_bit_is_noticed_wherever_it_is(crc_type: CrcType) -> None:
    data = encode_bundle(some_bundle(primary_crc=crc_type, payload_crc=crc_type))
    assert read_bundle(data) == some_bundle(primary_crc=crc_type, payload_crc=crc_type)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            read_bundle(bytes(damaged))


def test_every_cut_is_refused() -> None:
    data = encode_bundle(some_bundle(age_ms=5, hop_limit=9))
    for end in range(len(data)):
        with pytest.raises(WireError):
            read_bundle(data[:end])
    with pytest.raises(WireError, match="follow"):
        read_bundle(data + b"\x00")


def test_extension_blocks_are_read() -> None:
    bundle = read_bundle(encode_bundle(some_bundle(age_ms=1234, hop_limit=20)))
    assert bundle_age_ms(bundle) == 1234
    assert hop_count(bundle) == HopCount(20, 0)
    assert previous_node(bundle) is None
    bundle = bundle.with_block(previous_node_block(ipn(2, 0), bundle.free_number()))
    assert previous_node(read_bundle(encode_bundle(bundle))) == ipn(2, 0)
    assert [block.number for block in bundle.blocks] == [4, 2, 3, 1]


@pytest.mark.parametrize(
    ("block_type", "content"),
    [
        (BlockType.HOP_COUNT, "820000"),
        (BlockType.HOP_COUNT, "8219010000"),
        (BlockType.HOP_COUNT, "81181e"),
        (BlockType.HOP_COUNT, "8218200000"),
        (BlockType.BUNDLE_AGE, "4100"),
        (BlockType.BUNDLE_AGE, ""),
        (BlockType.BUNDLE_AGE, "0000"),
        (BlockType.PREVIOUS_NODE, "820300"),
        (BlockType.PREVIOUS_NODE, "82010000"),
    ],
)
def test_broken_content_of_a_block_raises_only_when_it_is_asked_for(block_type, content) -> None:
    block = CanonicalBlock(block_type, 2, bytes.fromhex(content))
    bundle = read_bundle(encode_bundle(some_bundle().with_block(block)))
    readers = {
        BlockType.HOP_COUNT: hop_count,
        BlockType.BUNDLE_AGE: bundle_age_ms,
        BlockType.PREVIOUS_NODE: previous_node,
    }
    with pytest.raises(WireError):
        readers[block_type](bundle)


@pytest.mark.parametrize("number", [0x821B, 0x821B_0000, 0x8202_821B])
def test_a_number_that_looks_like_a_creation_time_is_none(number: int) -> None:
    for _ in range(2):  # the second time what the bundle begins with is looked up
        bundle = make_bundle(
            b"payload",
            source=ipn(number, 1),
            destination=ipn(3, number),
            created_ms=816_000_000_000,
            sequence=number,
            lifetime_ms=1000,
        )
        assert read_bundle(encode_bundle(bundle)) == bundle


def test_bundles_that_follow_one_another_are_all_read() -> None:
    first, second = some_bundle(), some_bundle(sequence=8)
    assert read_bundles(encode_bundle(first) + encode_bundle(second)) == (first, second)
    with pytest.raises(WireError):
        read_bundles(b"")
    with pytest.raises(WireError):
        read_bundles(encode_bundle(first) + b"\x9f")


def test_checksums_are_taken_over_the_bytes_as_received() -> None:
    # A block type of 1 in three bytes: another encoder's taste, with its own right checksum.
    body = bytes.fromhex("86190001010000") + b"\x43abc"
    plain = encode_bundle(some_bundle(payload=b"abc", payload_crc=CrcType.NONE))
    longer = plain.replace(bytes.fromhex("8501010000") + b"\x43abc", b"\x85" + body[1:])
    bundle = read_bundle(longer)
    assert bundle.payload == b"abc"
    assert encode_bundle(bundle) == longer
    assert encode_bundle(Bundle(bundle.primary, tuple(map(replace, bundle.blocks)))) == plain


def test_reserved_flags_and_unknown_blocks_travel_on_unchanged() -> None:
    unknown = CanonicalBlock(200, 9, b"\xff\x00", BlockFlag.REPLICATE | 0x80, CrcType.CRC16)
    data = encode_bundle(some_bundle(flags=1 << 40).with_block(unknown))
    bundle = read_bundle(data)
    assert bundle.primary.flags == 1 << 40
    assert bundle.block(200) == unknown
    assert encode_bundle(bundle) == data


def test_a_changed_block_is_encoded_anew_and_the_others_are_not() -> None:
    bundle = read_bundle(encode_bundle(some_bundle(age_ms=1)))
    changed = bundle.with_block(bundle_age_block(2, 2))
    assert changed.primary.wire
    assert changed.blocks[-1].wire
    assert not changed.blocks[0].wire
    assert encode_bundle(changed) == encode_bundle(some_bundle(age_ms=2))


def test_more_blocks_than_the_limit_are_refused() -> None:
    bundle = some_bundle()
    for number in range(2, MAX_BLOCKS + 1):
        bundle = bundle.with_block(CanonicalBlock(192, number, b""))
    assert read_bundle(encode_bundle(bundle)) == bundle
    with pytest.raises(WireError, match="more blocks"):
        read_bundle(encode_bundle(bundle.with_block(CanonicalBlock(192, 900, b""))))


def _with_blocks(*blocks: CanonicalBlock) -> bytes:
    return encode_bundle(Bundle(some_bundle().primary, blocks))


PAYLOAD = CanonicalBlock(1, 1, b"p")


@pytest.mark.parametrize(
    "data",
    [
        _with_blocks(),
        _with_blocks(PAYLOAD, CanonicalBlock(192, 2, b"")),
        _with_blocks(PAYLOAD, PAYLOAD),
        _with_blocks(CanonicalBlock(1, 2, b""), PAYLOAD),
        _with_blocks(CanonicalBlock(1, 2, b"")),
        _with_blocks(CanonicalBlock(192, 0, b""), PAYLOAD),
        _with_blocks(CanonicalBlock(0, 2, b""), PAYLOAD),
        _with_blocks(CanonicalBlock(192, 2, b""), CanonicalBlock(193, 2, b""), PAYLOAD),
        _with_blocks(CanonicalBlock(7, 2, b"\0"), CanonicalBlock(7, 3, b"\0"), PAYLOAD),
        _with_blocks(CanonicalBlock(6, 2, b""), CanonicalBlock(6, 3, b""), PAYLOAD),
        _with_blocks(CanonicalBlock(10, 2, b""), CanonicalBlock(10, 3, b""), PAYLOAD),
    ],
    ids=[
        "no block",
        "payload not last",
        "two payloads",
        "payload before the last",
        "payload not numbered 1",
        "number 0",
        "type 0",
        "number used twice",
        "two ages",
        "two previous nodes",
        "two hop counts",
    ],
)
def test_blocks_that_break_a_rule_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        read_bundle(data)


def _primary_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", "")) + bytes.fromhex("8501010000417aff")


@pytest.mark.parametrize(
    "text",
    [
        "88 88 07 00 00 820282010282028202018202820201 8201 1828 1a000f4240",  # outer definite
        "9f 88 06 00 00 8202820102 8202820201 8202820201 820118281a000f4240",  # version 6
        "9f 88 07 01 00 8202820102 8202820201 8202820201 820118281a000f4240",  # fragment, 8 items
        "9f 8a 07 00 00 8202820102 8202820201 8202820201 820118281a000f42400001",
        "9f 8a 07 05 00 8202820102 8202820201 8202820201 820118281a000f42400001",  # must not
        "9f 8a 07 01 00 8202820102 8202820201 8202820201 820118281a000f42400101",  # ends after
        "9f 88 07 00 03 8202820102 8202820201 8202820201 820118281a000f4240",  # checksum type 3
        "9f 88 07 00 00 8202820102 8202820201 8202820201 83011828001a000f4240",
        "9f 9f 07 00 00 8202820102 8202820201 8202820201 820118281a000f4240ff",
        "9f 89 07 00 01 8202820102 8202820201 8202820201 820118281a000f424043000000",
        "9f 88 07 00 00 8202820102 8202820201 8202820201 820018281a000f4240",  # time 0, no age
    ],
)
def test_primary_blocks_that_break_a_rule_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        read_bundle(_primary_bytes(text), strict=text.endswith("820018281a000f4240"))


def test_a_payload_of_indefinite_length_is_refused() -> None:
    data = _with_blocks(PAYLOAD).replace(b"\x41p", b"\x5f\x41p\xff")
    with pytest.raises(WireError):
        read_bundle(data)


def test_a_payload_longer_than_the_bytes_is_refused() -> None:
    data = _with_blocks(PAYLOAD).replace(b"\x41p", b"\x5b" + b"\xff" * 8)
    with pytest.raises(WireError):
        read_bundle(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"created_ms": 0},
        {"source": NONE},
        {
            "source": NONE,
            "flags": BundleFlag.MUST_NOT_FRAGMENT | BundleFlag.REPORT_DELIVERY,
        },
        {"flags": BundleFlag.ADMINISTRATIVE | BundleFlag.REPORT_DELETION},
        {"flags": BundleFlag.IS_FRAGMENT},
    ],
)
def test_a_bundle_that_breaks_a_rule_cannot_be_made(fields) -> None:
    with pytest.raises(ValueError, match=r"age|anonymous|administrative|fragment"):
        some_bundle(**fields)


def test_an_anonymous_bundle_is_never_reported_on() -> None:
    sent = some_bundle(source=NONE, flags=BundleFlag.MUST_NOT_FRAGMENT)
    bundle = read_bundle(encode_bundle(sent))
    asking = replace(bundle.primary, flags=bundle.primary.flags | BundleFlag.REPORT_DELIVERY)
    assert read_bundle(encode_bundle(replace(bundle, primary=asking))).reports_wanted == 0


def test_a_creation_time_beyond_any_calendar_is_refused() -> None:
    assert read_bundle(encode_bundle(some_bundle(created_ms=MAX_CREATED_MS)))
    with pytest.raises(WireError, match="calendar"):
        read_bundle(encode_bundle(some_bundle(created_ms=MAX_CREATED_MS + 1)))


@pytest.mark.parametrize("end", ["source", "destination"])
def test_a_local_node_number_from_outside_is_refused(end: str) -> None:
    with pytest.raises(WireError, match="local node"):
        read_bundle(encode_bundle(some_bundle(**{end: ipn(LOCAL_NODE, 1)})))


def test_an_id_tells_fragments_apart() -> None:
    bundle = some_bundle()
    assert str(bundle.id) == f"ipn:1.1/{NOON}/7"
    part = replace(
        bundle.primary, flags=BundleFlag.IS_FRAGMENT, fragment_offset=10, total_length=99
    )
    fragment = read_bundle(encode_bundle(replace(bundle, primary=part)))
    assert fragment.id != bundle.id
    assert str(fragment.id) == f"ipn:1.1/{NOON}/7/10+7"
