from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flight.instant import Instant
from flight.relay.bpsec import Demand, SecurityPolicy, SecurityRule, accept_bundle, protect_bundle
from flight.relay.bundle import (
    BlockType,
    Bundle,
    BundleFlag,
    Reason,
    Reassembler,
    admit_bundle,
    encode_bundle,
    forwarded_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
    read_bundles,
)
from flight.relay.bundle.asb import SecurityBlock, encode_security_block, read_security_block
from flight.relay.cbor import encode_bytes, encode_uint, read_uint, skip_item
from flight.relay.endpoint import encode_endpoint, ipn, parse_endpoint, read_endpoint
from flight.relay.errors import WireError
from flight.relay.status import Status, StatusReport, encode_status_report, read_status_report
from hil_tests.rung2_property.bundles import UINT, any_endpoints, bundles, half

NOW = Instant(10**9, 816_000_000_000)


@half
@given(bundles(times=UINT, addresses=any_endpoints))
def test_every_bundle_is_read_back_as_it_was_and_sent_on_as_it_came(bundle: Bundle) -> None:
    data = encode_bundle(bundle)
    read = read_bundle(data)
    assert read == bundle
    assert encode_bundle(read) == data
    afresh = Bundle(replace(read.primary), tuple(map(replace, read.blocks)))
    assert encode_bundle(afresh) == data


@given(st.binary(max_size=300))
def test_noise_raises_one_error_and_no_other(noise: bytes) -> None:
    for start in (b"", b"\x9f", b"\x9f\x89\x07"):
        for strict in (True, False):
            try:
                read_bundle(start + noise, strict=strict)
            except WireError:
                continue


@half
@given(bundles(), st.data())
def test_spoilt_bundles_raise_one_error_or_are_another_whole_bundle(bundle, data) -> None:
    good = bytearray(encode_bundle(bundle))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=9))
    try:
        read = read_bundle(bytes(good))
    except WireError:
        return
    assert encode_bundle(read) == bytes(good)


@half
@given(st.lists(bundles(), min_size=1, max_size=4))
def test_bundles_in_one_block_are_told_apart(several: list[Bundle]) -> None:
    assert list(read_bundles(b"".join(map(encode_bundle, several)))) == several


@half
@given(bundles(times=UINT), st.integers(0, 10**9))
def test_forwarding_touches_only_the_blocks_of_the_node(bundle: Bundle, resident_ms: int) -> None:
    received = read_bundle(encode_bundle(bundle))
    onward = forwarded_bundle(received, node=ipn(2, 0), resident_ms=resident_ms)
    if isinstance(onward, Reason):
        assert onward is Reason.HOP_LIMIT_EXCEEDED
        return
    assert read_bundle(encode_bundle(onward)) == onward
    ours = {BlockType.PREVIOUS_NODE, BlockType.BUNDLE_AGE, BlockType.HOP_COUNT}
    others = [block for block in onward.blocks if block.type not in ours]
    assert others == [block for block in received.blocks if block.type not in ours]
    assert all(block.wire for block in others)
    assert onward.primary is received.primary


@half
@given(bundles(times=UINT))
def test_what_admission_leaves_is_a_bundle(bundle: Bundle) -> None:
    admission = admit_bundle(read_bundle(encode_bundle(bundle)))
    if admission.bundle is not None:
        assert read_bundle(encode_bundle(admission.bundle)) == admission.bundle


def _whole(payload: bytes) -> Bundle:
    return make_bundle(
        payload,
        source=ipn(1, 1),
        destination=ipn(2, 1),
        created_ms=NOW.dtn_ms,
        sequence=0,
        lifetime_ms=1000,
    )


@given(st.binary(min_size=1, max_size=80), st.data())
def test_fragments_of_any_cut_overlap_and_order_make_the_whole(payload: bytes, data) -> None:
    whole = _whole(payload)
    spans = data.draw(
        st.lists(st.tuples(st.integers(0, len(payload) - 1), st.integers(1, 30)), max_size=12)
    )
    cuts = [fragment.primary for fragment in fragment_bundle(whole, payload_bytes=17)]
    spans += [(cut.fragment_offset, 17) for cut in cuts]
    fragments = []
    for offset, length in data.draw(st.permutations(spans)):
        primary = replace(
            whole.primary,
            flags=BundleFlag.IS_FRAGMENT,
            fragment_offset=offset,
            total_length=len(payload),
        )
        part = Bundle(primary, whole.blocks).with_payload(payload[offset : offset + length])
        fragments.append(read_bundle(encode_bundle(part)))
    reassembler = Reassembler()
    done = [reassembler.add(part, remaining_ms=1000, now=NOW) for part in fragments]
    assert next(bundle for bundle in done if bundle is not None) == whole
    seen = set()
    for part in fragments[: done.index(whole) + 1]:
        offset = part.primary.fragment_offset
        seen |= set(range(offset, offset + len(part.payload)))
    assert seen == set(range(len(payload)))


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=20))
def test_pieces_kept_never_overlap_and_are_all_counted(parts) -> None:
    reassembler = Reassembler()
    for offset, payload in parts:
        primary = replace(
            _whole(b"").primary,
            flags=BundleFlag.IS_FRAGMENT,
            fragment_offset=offset,
            total_length=1000,
        )
        fragment = Bundle(primary, _whole(payload).blocks)
        assert reassembler.add(fragment, remaining_ms=1, now=NOW) is None
        (pieces,) = reassembler._sets.values()
        ends = [at + len(part) for at, part in zip(pieces.offsets, pieces.parts, strict=True)]
        assert pieces.offsets == sorted(pieces.offsets)
        assert all(end <= at for end, at in zip(ends, pieces.offsets[1:], strict=False))
        assert pieces.length == sum(map(len, pieces.parts))
        assert reassembler.held_bytes == pieces.cost()


RULES = SecurityPolicy(
    (
        SecurityRule(
            integrity=Demand.REQUIRE,
            confidentiality=Demand.REQUIRE,
            integrity_key=b"0123456789abcdef",
            confidentiality_key=b"fedcba9876543210",
        ),
    )
)


@half
@given(bundles(fragments=False), st.binary(min_size=24, max_size=24), st.data())
def test_a_protected_bundle_comes_back_whole_or_not_at_all(bundle, chance: bytes, data) -> None:
    nonces = iter((chance[:12], chance[12:]))
    sealed = protect_bundle(bundle, RULES, node=ipn(1, 0), random_bytes=lambda _: next(nonces))
    received = read_bundle(encode_bundle(sealed))
    accepted = accept_bundle(received, RULES)
    assert isinstance(accepted, Bundle)
    assert accepted.payload == bundle.payload
    assert len(accepted.blocks) == len(bundle.blocks)
    target = data.draw(
        st.sampled_from([b for b in received.blocks if b.type in {1, 11} and b.data])
    )
    spoilt = bytearray(target.data)
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    forged = received.with_block(replace(target, data=bytes(spoilt)))
    assert accept_bundle(forged, RULES) is Reason.FAILED_SECURITY


pairs = st.lists(
    st.tuples(st.integers(0, 20), st.one_of(UINT.map(encode_uint), st.binary().map(encode_bytes))),
    max_size=4,
).map(tuple)


@given(
    st.lists(UINT, min_size=1, max_size=5, unique=True),
    st.integers(-(2**64), 2**64 - 1),
    any_endpoints,
    pairs,
    st.data(),
)
def test_security_blocks_are_read_back(targets, context, source, parameters, data) -> None:
    results = tuple(data.draw(pairs) for _ in targets)
    block = SecurityBlock(tuple(targets), context, source, parameters, results)
    assert read_security_block(encode_security_block(block)) == block


@half
@given(bundles(), st.lists(st.sampled_from(Status), unique=True), UINT, UINT, st.booleans())
def test_status_reports_are_read_back(bundle, statuses, reason, time_ms, timed) -> None:
    asserted = tuple((status, time_ms if timed else None) for status in sorted(statuses))
    report = StatusReport(bundle.id, asserted, reason)
    assert read_status_report(encode_status_report(report)) == report


@given(any_endpoints)
def test_endpoint_ids_are_read_back_from_bytes_and_from_text(endpoint) -> None:
    data = encode_endpoint(endpoint)
    assert read_endpoint(data, 0) == (endpoint, len(data))
    assert encode_endpoint(read_endpoint(data, 0)[0]) == data
    assert parse_endpoint(str(endpoint)) == endpoint


@given(st.binary(max_size=60))
def test_noise_in_every_other_reader_raises_one_error(noise: bytes) -> None:
    readers = (
        read_security_block,
        read_status_report,
        lambda data: read_endpoint(data, 0),
        lambda data: read_uint(data, 0),
        lambda data: skip_item(data, 0),
    )
    for read in readers:
        try:
            read(noise)
        except WireError:
            continue
