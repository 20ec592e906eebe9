"""What a node does with a bundle between receiving and sending it (RFC 9171 sections 5.4-5.6)."""

from dataclasses import replace
from typing import NamedTuple

from flight.instant import Instant
from flight.relay.bundle.asb import read_security_block
from flight.relay.bundle.extension import (
    HopCount,
    bundle_age_block,
    bundle_age_ms,
    hop_count,
    hop_count_block,
    previous_node,
    previous_node_block,
)
from flight.relay.bundle.values import (
    BlockFlag,
    BlockType,
    Bundle,
    CanonicalBlock,
    Reason,
)
from flight.relay.endpoint import EndpointId
from flight.relay.errors import WireError

KNOWN_TYPES = frozenset(BlockType)
"""Types of block that this node processes."""

_SECURITY = frozenset({BlockType.INTEGRITY, BlockType.CONFIDENTIALITY})

MAX_LIFETIME_MS = 100 * 366 * 86_400_000
"""No bundle is kept longer, whatever it asks for (RFC 9171 section 4.3.1 leaves that to us)."""

_MAX_AGE_MS = 0xFFFFFFFFFFFFFFFF


class Admission(NamedTuple):
    """What is left of a received bundle after its blocks were looked at."""

    bundle: Bundle | None
    """Without the blocks to discard; None: the bundle has to be deleted."""
    reports: tuple[Reason, ...]
    """A reception report is due for each, where this node's policy allows (section 5.6)."""


def admit_bundle(bundle: Bundle, *, known: frozenset[int] = KNOWN_TYPES) -> Admission:
    """Apply the flags of each block that cannot be processed (RFC 9171 section 5.6 step 4).

    Such a block is of a type not known here, or of a known type with content that makes no
    sense. Without flags it stays, and travels on unchanged.
    """
    reports: list[Reason] = []
    discarded: list[int] = []
    deleted = False
    encrypted = security_targets(bundle, BlockType.CONFIDENTIALITY)
    for block in bundle.blocks:
        if block.type == BlockType.PAYLOAD:
            continue
        if block.type not in known:
            reason: Reason | None = Reason.BLOCK_UNSUPPORTED
        else:
            reason = None if block.number in encrypted else _trouble(bundle, block)
        if reason is None:
            continue
        if block.flags & BlockFlag.REPORT_UNPROCESSED:
            reports.append(reason)
        deleted |= bool(block.flags & BlockFlag.DELETE_BUNDLE_UNPROCESSED)
        if block.flags & BlockFlag.DISCARD_UNPROCESSED:
            discarded.append(block.number)
    if deleted:
        return Admission(None, tuple(reports))
    return Admission(bundle.without_blocks(discarded) if discarded else bundle, tuple(reports))


def forwarded_bundle(
    bundle: Bundle, *, node: EndpointId | None, resident_ms: int
) -> Bundle | Reason:
    """Return the bundle as it leaves this node, or why it must not (RFC 9171 section 5.4).

    Hops are counted, ``resident_ms`` (time spent here) is added to the age, and ``node`` becomes
    the previous node; None leaves no previous node. Everything else goes out as it came, and so
    does a block that a signature or encryption covers: the change would break it.
    """
    covered = security_targets(bundle, BlockType.INTEGRITY, BlockType.CONFIDENTIALITY)
    block = bundle.block(BlockType.HOP_COUNT)
    hops = _readable_hops(bundle)
    if block and hops and block.number not in covered:
        if hops.passed >= hops.limit:
            return Reason.HOP_LIMIT_EXCEEDED
        counted = hop_count_block(HopCount(hops.limit, hops.passed + 1), block.number)
        bundle = bundle.with_block(replace(block, data=counted.data))
    block = bundle.block(BlockType.BUNDLE_AGE)
    age_ms = _readable_age(bundle)
    if block and age_ms is not None and block.number not in covered:
        aged = bundle_age_block(min(age_ms + resident_ms, _MAX_AGE_MS), block.number)
        bundle = bundle.with_block(replace(block, data=aged.data))
    block = bundle.block(BlockType.PREVIOUS_NODE)
    if block and block.number not in covered:
        bundle = bundle.without_blocks((block.number,))
        block = None
    if node is not None and block is None:
        bundle = bundle.with_block(previous_node_block(node, bundle.free_number()))
    return bundle


def remaining_ms(bundle: Bundle, *, resident_ms: int, now: Instant) -> int:
    """Return how long the bundle may still live; 0 or less: expired (RFC 9171 section 4.3.1).

    Where the source or this node has no clock (time 0), the age block and ``resident_ms``, the
    time spent here since it was received, tell (RFC 9171 sections 4.2.7, 4.4.2).
    """
    primary = bundle.primary
    lifetime_ms = min(primary.lifetime_ms, MAX_LIFETIME_MS)
    if primary.created_ms and now.dtn_ms:
        age_ms = now.dtn_ms - primary.created_ms
    else:
        age_ms = (_readable_age(bundle) or 0) + resident_ms
    return lifetime_ms - max(age_ms, 0)


def security_targets(bundle: Bundle, *block_types: BlockType) -> frozenset[int]:
    """Return the numbers of the blocks that readable BIBs or BCBs cover (RFC 9172 section 3.6)."""
    targets: set[int] = set()
    for block in bundle.blocks:
        if block.type in block_types:
            try:
                targets.update(read_security_block(block.data).targets)
            except WireError:  # an encrypted BIB, or a block that nobody can process
                continue
    return frozenset(targets)


def _trouble(bundle: Bundle, block: CanonicalBlock) -> Reason | None:
    """Return why a block of a known type cannot be processed, or None when it can."""
    try:
        if block.type == BlockType.HOP_COUNT:
            hop_count(bundle)
        elif block.type == BlockType.PREVIOUS_NODE:
            previous_node(bundle)
        elif block.type == BlockType.BUNDLE_AGE:
            bundle_age_ms(bundle)
        elif block.type in _SECURITY:
            read_security_block(block.data)
    except WireError:
        return Reason.BLOCK_UNINTELLIGIBLE
    return None


def _readable_hops(bundle: Bundle) -> HopCount | None:
    try:
        return hop_count(bundle)
    except WireError:
        return None


def _readable_age(bundle: Bundle) -> int | None:
    try:
        return bundle_age_ms(bundle)
    except WireError:
        return None
