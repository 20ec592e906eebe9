"""The node: bundles between links, store and services (RFC 9171 section 5)."""

from flight.relay.node.node import Node
from flight.relay.node.tombstone import Tombstone, read_tombstone_payload
from flight.relay.node.values import (
    BlockRefused,
    BundleRejected,
    Buried,
    ContactChanged,
    Delivery,
    Forwarded,
    NodeEvent,
    NodeStatus,
    ReportReceived,
    SendRefused,
    Stored,
    StoreTrouble,
    WindowState,
)

__all__ = [
    "BlockRefused",
    "BundleRejected",
    "Buried",
    "ContactChanged",
    "Delivery",
    "Forwarded",
    "Node",
    "NodeEvent",
    "NodeStatus",
    "ReportReceived",
    "SendRefused",
    "StoreTrouble",
    "Stored",
    "Tombstone",
    "WindowState",
    "read_tombstone_payload",
]
