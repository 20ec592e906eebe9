"""Tombstones on the link."""

import pytest

from flight.relay.bundle import BundleId
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from flight.relay.node.labels import identity_of
from flight.relay.node.tombstone import (
    Loss,
    Tombstone,
    encode_tombstone,
    read_tombstone_payload,
    tombstone_of,
)
from flight.relay.store.records import pack_tombstone
from flight.relay.store.values import Entry, Kind, Reason

LOSSES = (Loss(BundleId(ipn(1, 2), 3, 4), 0, 5), Loss(BundleId(ipn(6, 7), 8, 9, 10, 11), 3, 12))
TOMBSTONE = Tombstone(Reason.EXPIRED, LOSSES)


def test_a_tombstone_comes_back() -> None:
    assert read_tombstone_payload(encode_tombstone(TOMBSTONE)) == TOMBSTONE


def test_the_store_s_record_becomes_the_same_tombstone() -> None:
    entries = tuple(
        Entry(1, Kind.BUNDLE, False, loss.priority, identity_of(loss.bundle_id), b"", loss.length)
        for loss in LOSSES
    )
    assert tombstone_of(pack_tombstone(Reason.EXPIRED, entries)) == TOMBSTONE


def test_every_cut_and_every_following_byte_is_refused() -> None:
    payload = encode_tombstone(TOMBSTONE)
    for wrong in (*(payload[:end] for end in range(len(payload))), payload + b"\0"):
        with pytest.raises(WireError):
            read_tombstone_payload(wrong)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x83\x02\x01\x80",  # another version
        b"\x83\x01\x18\x63\x80",  # reason 99
        b"\x83\x01\x01\x99\xff\xff",  # 65,535 losses announced
        b"\x83\x01\x01\x81\x86\x82\x02\x82\x01\x02\x03\x04\x00\x00\x00",  # a loss of six elements
    ],
)
def test_what_is_no_tombstone_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        read_tombstone_payload(payload)
