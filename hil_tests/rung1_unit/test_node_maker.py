"""What a node writes into the bundles that it makes."""

import pytest

from flight.instant import Instant
from flight.relay.bundle import BlockType, encode_bundle, read_bundle
from flight.relay.crc import CrcType
from flight.relay.endpoint import ipn
from flight.relay.node.maker import Maker
from flight.relay.settings import NodeSettings


@pytest.mark.parametrize(("wanted", "crc"), [(True, CrcType.CRC32C), (False, CrcType.NONE)])
def test_a_payload_has_a_checksum_unless_the_peer_is_one_that_deletes_such(
    wanted: bool, crc: CrcType
):
    maker = Maker(NodeSettings(1, payload_checksum=wanted), 0)
    now = Instant(0, 770_000_000_000)
    made = maker.make(b"x", source_service=1, destination=ipn(2, 64), lifetime_ms=1_000, now=now)
    bundle = read_bundle(encode_bundle(made))
    payload = bundle.block(BlockType.PAYLOAD)
    assert payload is not None
    assert (payload.data, payload.crc_type) == (b"x", crc)
    assert bundle.primary.crc_type == CrcType.CRC32C
