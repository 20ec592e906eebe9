"""Bundle Protocol version 7 (RFC 9171)."""

from flight.relay.bundle.extension import (
    HopCount,
    bundle_age_ms,
    hop_count,
    previous_node,
)
from flight.relay.bundle.forward import (
    Admission,
    admit_bundle,
    forwarded_bundle,
    remaining_ms,
)
from flight.relay.bundle.fragment import Reassembler, fragment_bundle
from flight.relay.bundle.make import make_bundle
from flight.relay.bundle.reading import read_bundle, read_bundles
from flight.relay.bundle.values import (
    BlockFlag,
    BlockType,
    Bundle,
    BundleFlag,
    BundleId,
    CanonicalBlock,
    PrimaryBlock,
    Reason,
)
from flight.relay.bundle.wire import encode_bundle

__all__ = [
    "Admission",
    "BlockFlag",
    "BlockType",
    "Bundle",
    "BundleFlag",
    "BundleId",
    "CanonicalBlock",
    "HopCount",
    "PrimaryBlock",
    "Reason",
    "Reassembler",
    "admit_bundle",
    "bundle_age_ms",
    "encode_bundle",
    "forwarded_bundle",
    "fragment_bundle",
    "hop_count",
    "make_bundle",
    "previous_node",
    "read_bundle",
    "read_bundles",
    "remaining_ms",
]
