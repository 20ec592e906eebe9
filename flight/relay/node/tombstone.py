"""What a tombstone says on the link: which bundles were given up, and why.

payload := [1, reason, [[source, created ms, sequence, offset, length, priority, bytes]*]]
"""

from dataclasses import dataclass

from flight.relay.bundle import BundleId
from flight.relay.cbor import encode_array, encode_uint, read_array, read_uint
from flight.relay.endpoint import encode_endpoint, read_endpoint
from flight.relay.errors import WireError
from flight.relay.node.labels import read_identity
from flight.relay.store.records import TOMBSTONE_ITEMS, read_tombstone
from flight.relay.store.values import Reason

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Loss:
    """One bundle that was given up."""

    bundle_id: BundleId
    priority: int
    length: int
    """Bytes of the bundle."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Bundles that a node gave up together."""

    reason: Reason
    losses: tuple[Loss, ...]


def tombstone_of(data: bytes) -> Tombstone:
    """Return what a tombstone of the store says."""
    reason, buried = read_tombstone(data)
    losses = (Loss(read_identity(one.identity), one.priority, one.length) for one in buried)
    return Tombstone(reason, tuple(losses))


def encode_tombstone(tombstone: Tombstone) -> bytes:
    """Return a tombstone as the payload of a bundle."""
    items = [
        encode_array(
            encode_endpoint(loss.bundle_id.source),
            *map(encode_uint, (*loss.bundle_id[1:], loss.priority, loss.length)),
        )
        for loss in tombstone.losses
    ]
    return encode_array(encode_uint(_VERSION), encode_uint(tombstone.reason), encode_array(*items))


def read_tombstone_payload(payload: bytes) -> Tombstone:
    """Return the tombstone in a bundle's payload.

    Raises:
        WireError: it is none, or of another version.
    """
    three, at = read_array(payload, 0)
    version, at = read_uint(payload, at)
    if three != 3 or version != _VERSION:
        raise WireError("not a tombstone of this version")
    reason, at = read_uint(payload, at)
    count, at = read_array(payload, at)
    if reason not in set(Reason) or count > TOMBSTONE_ITEMS:
        raise WireError("a tombstone of an unknown reason, or too long")
    losses = []
    for _ in range(count):
        loss, at = _read_loss(payload, at)
        losses.append(loss)
    if at != len(payload):
        raise WireError("bytes follow the tombstone")
    return Tombstone(Reason(reason), tuple(losses))


def _read_loss(payload: bytes, at: int) -> tuple[Loss, int]:
    seven, at = read_array(payload, at)
    if seven != 7:
        raise WireError("a loss has seven elements")
    source, at = read_endpoint(payload, at)
    numbers = []
    for _ in range(6):
        number, at = read_uint(payload, at)
        numbers.append(number)
    created_ms, sequence, offset, length, priority, size = numbers
    return Loss(BundleId(source, created_ms, sequence, offset, length), priority, size), at
