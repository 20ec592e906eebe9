"""What the store keeps of a bundle in its own terms: its identity, its way, its priority."""

import struct
from typing import NamedTuple

from flight.relay.bundle import BlockType, Bundle, BundleFlag, BundleId
from flight.relay.cbor import encode_uint, read_uint
from flight.relay.endpoint import NONE, EndpointId, Scheme, encode_endpoint, read_endpoint

FIRST_PRIORITY_SERVICE = 64
"""Services 64 to 67 of a destination mean priority 0 to 3, so that no private block is needed."""

DEFAULT_PRIORITY = 1
LOWEST_PRIORITY = 3

ADMINISTRATIVE_SERVICE = 0
"""Of every node: status reports go to it (RFC 9171 section 6.1, RFC 9758)."""

_NUMBERS = struct.Struct(">QQQQ")
_PLAIN = 1 << 40


class Label(NamedTuple):
    """What routing and reporting need to know without reading the bundle."""

    destination: EndpointId
    """In numbers, also where the bundle has a dtn name that is known here."""
    report_to: EndpointId
    flags: int
    """BundleFlag bits of the reports that are wanted, and whether with their time."""
    is_plain: bool
    """Made here, with no block that changes with time: it leaves as it is."""
    came_from: int | None = None
    """Node number of the neighbour that sent it; None: made here."""


def priority_of(destination: EndpointId) -> int:
    """Return the priority that a destination's service means, 0 to 3."""
    priority = destination.service - FIRST_PRIORITY_SERVICE
    is_marked = destination.scheme == Scheme.IPN and 0 <= priority <= 3
    return priority if is_marked else DEFAULT_PRIORITY


def label_from(bundle: Bundle, *, destination: EndpointId, came_from: int | None) -> Label:
    """Return a bundle's label; ``destination`` is its own, in numbers where it has any."""
    primary = bundle.primary
    wanted = bundle.reports_wanted
    flags = wanted | primary.flags & BundleFlag.STATUS_TIME if wanted else 0
    report_to = primary.report_to if wanted else NONE
    is_plain = came_from is None and bundle.block(BlockType.BUNDLE_AGE) is None
    return Label(destination, report_to, flags, is_plain, came_from)


def encode_label(label: Label) -> bytes:
    """Return a label as bytes for the store."""
    return (
        encode_uint(label.flags | (_PLAIN if label.is_plain else 0))
        + encode_endpoint(label.destination)
        + encode_endpoint(label.report_to)
        + (b"" if label.came_from is None else encode_uint(label.came_from))
    )


def read_label(label: bytes) -> Label:
    """Return what encode_label wrote; the store's CRC has vouched for it."""
    bits, at = read_uint(label, 0)
    destination, at = read_endpoint(label, at)
    report_to, at = read_endpoint(label, at)
    came_from = read_uint(label, at)[0] if at < len(label) else None
    return Label(destination, report_to, bits & ~_PLAIN, bool(bits & _PLAIN), came_from)


def identity_of(bundle_id: BundleId) -> bytes:
    """Return a bundle's identity for the store."""
    numbers = _NUMBERS.pack(
        bundle_id.created_ms,
        bundle_id.sequence,
        bundle_id.fragment_offset,
        bundle_id.fragment_length,
    )
    return encode_endpoint(bundle_id.source) + numbers


def read_identity(identity: bytes) -> BundleId:
    """Return what identity_of wrote; the store's CRC has vouched for it."""
    source, at = read_endpoint(identity, 0)
    return BundleId(source, *_NUMBERS.unpack_from(identity, at))
