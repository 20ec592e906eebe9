"""The extension blocks that this node reads and writes (RFC 9171 section 4.4)."""

from functools import lru_cache
from typing import NamedTuple

from flight.relay.bundle.values import BlockFlag, BlockType, Bundle, CanonicalBlock
from flight.relay.cbor import encode_array, encode_uint, read_array, read_uint
from flight.relay.endpoint import EndpointId, encode_endpoint, read_endpoint
from flight.relay.errors import WireError

MAX_HOP_LIMIT = 255
"""The largest limit that a hop count block may give (RFC 9171 section 4.4.3)."""


class HopCount(NamedTuple):
    """How many nodes a bundle may pass, and has passed (RFC 9171 section 4.4.3)."""

    limit: int
    passed: int


def previous_node_block(node: EndpointId, number: int) -> CanonicalBlock:
    """Return the block that names the node which forwarded the bundle (RFC 9171 section 4.4.1)."""
    return CanonicalBlock(BlockType.PREVIOUS_NODE, number, encode_endpoint(node))


def bundle_age_block(age_ms: int, number: int) -> CanonicalBlock:
    """Return the block that says how old the bundle is (RFC 9171 section 4.4.2).

    It goes into every fragment: without a clock, no fragment could expire otherwise.
    """
    flags = BlockFlag.REPLICATE
    return CanonicalBlock(BlockType.BUNDLE_AGE, number, encode_uint(age_ms), flags)


@lru_cache(maxsize=256)
def hop_count_block(hops: HopCount, number: int) -> CanonicalBlock:
    """Return the block that limits how far a bundle goes (RFC 9171 section 4.4.3)."""
    content = encode_array(encode_uint(hops.limit), encode_uint(hops.passed))
    return CanonicalBlock(BlockType.HOP_COUNT, number, content, BlockFlag.REPLICATE)


def previous_node(bundle: Bundle) -> EndpointId | None:
    """Return the node that forwarded the bundle to us, or None (RFC 9171 section 4.4.1).

    Raises:
        WireError: the block does not hold an endpoint id.
    """
    block = bundle.block(BlockType.PREVIOUS_NODE)
    if block is None:
        return None
    node, end = read_endpoint(block.data, 0)
    _check_end(block, end)
    return node


def bundle_age_ms(bundle: Bundle) -> int | None:
    """Return how old the bundle was when its sender let it go, or None (RFC 9171 section 4.4.2).

    Raises:
        WireError: the block does not hold an integer.
    """
    block = bundle.block(BlockType.BUNDLE_AGE)
    if block is None:
        return None
    age_ms, end = read_uint(block.data, 0)
    _check_end(block, end)
    return age_ms


def hop_count(bundle: Bundle) -> HopCount | None:
    """Return the bundle's hop limit and count, or None (RFC 9171 section 4.4.3).

    Raises:
        WireError: the block does not hold a limit from 1 to 255 and a count.
    """
    block = bundle.block(BlockType.HOP_COUNT)
    if block is None:
        return None
    two, at = read_array(block.data, 0)
    if two != 2:
        raise WireError("a hop count has two elements")
    limit, at = read_uint(block.data, at)
    passed, at = read_uint(block.data, at)
    _check_end(block, at)
    if not 1 <= limit <= MAX_HOP_LIMIT:
        raise WireError("a hop limit is from 1 to 255")
    return HopCount(limit, passed)


def _check_end(block: CanonicalBlock, end: int) -> None:
    if end != len(block.data):
        raise WireError(f"bytes follow the content of block {block.number}")
