"""A bundle as values: its primary block and the blocks after it (RFC 9171 section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

from flight.relay.crc import CrcType
from flight.relay.endpoint import EndpointId

PRIMARY_NUMBER = 0
"""What security blocks call the primary block (RFC 9172 section 3.6)."""

PAYLOAD_NUMBER = 1
"""The payload block's number, always (RFC 9171 section 4.3.2)."""


class BundleFlag(IntEnum):
    """Bundle processing control flags, one bit each (RFC 9171 section 4.2.3).

    Flags are kept as plain integers: reserved bits travel on, and hostile ones cost nothing.
    """

    IS_FRAGMENT = 0x1
    ADMINISTRATIVE = 0x2
    MUST_NOT_FRAGMENT = 0x4
    ACKNOWLEDGE = 0x20
    """The application is asked to answer."""
    STATUS_TIME = 0x40
    REPORT_RECEPTION = 0x4000
    REPORT_FORWARDING = 0x10000
    REPORT_DELIVERY = 0x20000
    REPORT_DELETION = 0x40000


REPORT_FLAGS = (
    BundleFlag.REPORT_RECEPTION
    | BundleFlag.REPORT_FORWARDING
    | BundleFlag.REPORT_DELIVERY
    | BundleFlag.REPORT_DELETION
)


class BlockFlag(IntEnum):
    """Block processing control flags, one bit each (RFC 9171 section 4.2.4)."""

    REPLICATE = 0x1
    """The block goes into every fragment."""
    REPORT_UNPROCESSED = 0x2
    DELETE_BUNDLE_UNPROCESSED = 0x4
    DISCARD_UNPROCESSED = 0x10


class BlockType(IntEnum):
    """Block types that this node knows (RFC 9171 section 9.1, RFC 9172 section 11.1)."""

    __hash__ = int.__hash__  # in C, where an enum's own is in Python

    PAYLOAD = 1
    PREVIOUS_NODE = 6
    BUNDLE_AGE = 7
    HOP_COUNT = 10
    INTEGRITY = 11
    CONFIDENTIALITY = 12


class Reason(IntEnum):
    """Why a status report says what it says (RFC 9171 section 9.5, RFC 9172 section 7.1)."""

    NONE = 0
    LIFETIME_EXPIRED = 1
    UNIDIRECTIONAL_LINK = 2
    TRANSMISSION_CANCELED = 3
    DEPLETED_STORAGE = 4
    DESTINATION_UNAVAILABLE = 5
    NO_KNOWN_ROUTE = 6
    NO_TIMELY_CONTACT = 7
    BLOCK_UNINTELLIGIBLE = 8
    HOP_LIMIT_EXCEEDED = 9
    TRAFFIC_PARED = 10
    BLOCK_UNSUPPORTED = 11
    MISSING_SECURITY = 12
    UNKNOWN_SECURITY = 13
    UNEXPECTED_SECURITY = 14
    FAILED_SECURITY = 15
    CONFLICTING_SECURITY = 16


class BundleId(NamedTuple):
    """What tells a bundle from every other (RFC 9171 section 4.2.7)."""

    source: EndpointId
    created_ms: int
    sequence: int
    fragment_offset: int = 0
    fragment_length: int = 0
    """Bytes of payload in this fragment; 0 in a whole bundle."""

    def __str__(self) -> str:
        """Return source/time/sequence, and offset+length of a fragment."""
        whole = f"{self.source}/{self.created_ms}/{self.sequence}"
        if not self.fragment_length:
            return whole
        return f"{whole}/{self.fragment_offset}+{self.fragment_length}"


@dataclass(frozen=True, slots=True)
class PrimaryBlock:
    """What every bundle begins with (RFC 9171 section 4.3.1)."""

    destination: EndpointId
    source: EndpointId
    report_to: EndpointId
    created_ms: int
    """DTN time: milliseconds since 2000-01-01T00:00:00Z; 0: the source had no clock."""
    sequence: int
    lifetime_ms: int
    flags: int = 0
    """BundleFlag bits."""
    crc_type: CrcType = CrcType.CRC32C
    fragment_offset: int = 0
    total_length: int = 0
    """Bytes of the whole payload that this is a fragment of; 0 in a whole bundle."""
    wire: bytes = field(default=b"", init=False, compare=False, repr=False)
    """The bytes as received, which forwarding sends again; a copy made by replace() has none."""


@dataclass(frozen=True, slots=True)
class CanonicalBlock:
    """Any block but the primary (RFC 9171 section 4.3.2)."""

    type: int
    number: int
    data: bytes
    flags: int = 0
    """BlockFlag bits."""
    crc_type: CrcType = CrcType.NONE
    wire: bytes = field(default=b"", init=False, compare=False, repr=False)
    """The bytes as received, which forwarding sends again; a copy made by replace() has none."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A primary block and the blocks after it, the payload last (RFC 9171 section 4.1)."""

    primary: PrimaryBlock
    blocks: tuple[CanonicalBlock, ...]

    @property
    def payload(self) -> bytes:
        """The application's bytes, or an administrative record (RFC 9171 section 4.3.2)."""
        return self.blocks[-1].data

    @property
    def id(self) -> BundleId:
        """What tells it from every other bundle (RFC 9171 section 4.2.7)."""
        primary = self.primary
        if not self.is_fragment:
            return BundleId(primary.source, primary.created_ms, primary.sequence)
        return BundleId(
            primary.source,
            primary.created_ms,
            primary.sequence,
            primary.fragment_offset,
            len(self.payload),
        )

    @property
    def is_fragment(self) -> bool:
        """It holds a part of a payload (RFC 9171 section 4.2.3)."""
        return bool(self.primary.flags & BundleFlag.IS_FRAGMENT)

    @property
    def is_administrative(self) -> bool:
        """The payload is an administrative record (RFC 9171 section 6.1)."""
        return bool(self.primary.flags & BundleFlag.ADMINISTRATIVE)

    @property
    def reports_wanted(self) -> int:
        """The status reports to send, BundleFlag bits (RFC 9171 sections 4.2.3, 5.1).

        None for an anonymous source, an administrative record, or a null report-to endpoint.
        """
        primary = self.primary
        if self.is_administrative or primary.source.is_null or primary.report_to.is_null:
            return 0
        return primary.flags & REPORT_FLAGS

    def block(self, block_type: int) -> CanonicalBlock | None:
        """Return the first block of a type, or None."""
        for block in self.blocks:
            if block.type == block_type:
                return block
        return None

    def block_numbered(self, number: int) -> CanonicalBlock | None:
        """Return the block of that number, or None; the primary block has no such entry."""
        for block in self.blocks:
            if block.number == number:
                return block
        return None

    def free_number(self) -> int:
        """Return the smallest block number not in use, from 2 on."""
        used = {block.number for block in self.blocks}
        return next(number for number in range(2, len(used) + 3) if number not in used)

    def with_block(self, block: CanonicalBlock) -> "Bundle":
        """Return the bundle with a block in place of the one of its number, or a further one."""
        if self.block_numbered(block.number) is None:
            return Bundle(self.primary, (block, *self.blocks))
        kept = tuple(block if old.number == block.number else old for old in self.blocks)
        return Bundle(self.primary, kept)

    def without_blocks(self, numbers: Sequence[int]) -> "Bundle":
        """Return the bundle without the blocks of those numbers."""
        kept = tuple(block for block in self.blocks if block.number not in numbers)
        return Bundle(self.primary, kept)

    def with_payload(self, payload: bytes) -> "Bundle":
        """Return the bundle with another payload."""
        return Bundle(self.primary, (*self.blocks[:-1], replace(self.blocks[-1], data=payload)))
