"""Bundles of every make, for hypothesis."""

from hypothesis import settings
from hypothesis import strategies as st

from flight.relay.bundle import BlockType, Bundle, BundleFlag, CanonicalBlock, PrimaryBlock
from flight.relay.bundle.extension import (
    HopCount,
    bundle_age_block,
    hop_count_block,
    previous_node_block,
)
from flight.relay.bundle.reading import MAX_CREATED_MS
from flight.relay.crc import CrcType
from flight.relay.endpoint import LOCAL_NODE, NONE, EndpointId, Scheme, ipn

half = settings(max_examples=50)
"""For properties of whole bundles, which are slow to draw."""

UINT = st.one_of(st.integers(0, 30), st.integers(0, 2**32), st.integers(0, 2**64 - 1))
MODEST = st.one_of(st.integers(0, 30), st.integers(0, 2**40))
"""Times and lengths of time that every peer's date arithmetic survives."""

names = st.text(st.sampled_from("abcz019-._"), min_size=1, max_size=12)
dtn_endpoints = st.builds(
    lambda node, service: EndpointId(Scheme.DTN, name=f"//{node}/{service}"), names, names
)
ipn_endpoints = st.builds(ipn, st.integers(1, 2**32 - 2), st.integers(0, 2**32))
endpoints = st.one_of(ipn_endpoints, ipn_endpoints, dtn_endpoints)
any_endpoints = st.one_of(
    endpoints,
    st.just(NONE),
    st.builds(ipn, UINT, UINT, three_elements=st.booleans()).filter(
        lambda endpoint: endpoint.node != LOCAL_NODE
    ),
)
crc_types = st.sampled_from(CrcType)
real_crc_types = st.sampled_from([CrcType.CRC16, CrcType.CRC32C])
block_flags = st.sampled_from([0, 0, 1, 2, 4, 0x10, 0x17])
report_flags = st.sampled_from([0, 0, 0x20, 0x40, 0x4000, 0x10000, 0x20000, 0x24060])


@st.composite
def bundles(
    draw: st.DrawFn,
    *,
    times: st.SearchStrategy[int] = MODEST,
    unknown_blocks: bool = True,
    addresses: st.SearchStrategy[EndpointId] = endpoints,
    fragments: bool = True,
) -> Bundle:
    """Draw a bundle that keeps every rule of RFC 9171."""
    payload = draw(st.one_of(st.binary(max_size=40), st.binary(min_size=250, max_size=300)))
    created_ms = min(draw(times), MAX_CREATED_MS)
    fragment = fragments and bool(payload) and draw(st.booleans())
    offset = draw(st.integers(0, 10**6)) if fragment else 0
    primary = PrimaryBlock(
        destination=draw(addresses),
        source=draw(addresses),
        report_to=draw(st.one_of(addresses, st.just(NONE))),
        created_ms=created_ms,
        sequence=draw(MODEST),
        lifetime_ms=draw(times),
        flags=draw(report_flags) | (BundleFlag.IS_FRAGMENT if fragment else 0),
        crc_type=draw(real_crc_types),
        fragment_offset=offset,
        total_length=offset + len(payload) + draw(st.integers(0, 99)) if fragment else 0,
    )
    numbers = iter(draw(st.permutations(range(2, 12))))
    blocks = []
    if draw(st.booleans()):
        blocks.append(previous_node_block(draw(addresses), next(numbers)))
    if created_ms == 0 or draw(st.booleans()):
        blocks.append(bundle_age_block(draw(times), next(numbers)))
    if draw(st.booleans()):
        hops = HopCount(draw(st.integers(1, 255)), draw(st.integers(0, 255)))
        blocks.append(hop_count_block(hops, next(numbers)))
    if unknown_blocks:
        blocks += [
            CanonicalBlock(
                draw(st.integers(192, 255)),
                next(numbers),
                draw(st.binary(max_size=30)),
                draw(block_flags),
                draw(crc_types),
            )
            for _ in range(draw(st.integers(0, 2)))
        ]
    blocks.append(CanonicalBlock(BlockType.PAYLOAD, 1, payload, 0, draw(crc_types)))
    return Bundle(primary, tuple(blocks))
