"""Every decoder that takes bytes from the other side, and good bytes to spoil.

A row a decoder: a function of bytes, good inputs, and the one error type that it may raise. What
the value that comes out offers to be asked is asked too: lazy reading is reading.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flight.instant import Instant
from flight.ports.certificate import node_ids
from flight.product.codecs import CODECS, CodecId, Encoded, Integers, decode, encode
from flight.product.errors import WireError as ProductError
from flight.product.events import Event, EventReport, decode_events, encode_events
from flight.product.part import Header, Part, ProductId, ProductKind, decode_part
from flight.relay.bpsec import Demand, SecurityPolicy, SecurityRule, accept_bundle, protect_bundle
from flight.relay.bundle import (
    Bundle,
    CanonicalBlock,
    Reason,
    Reassembler,
    admit_bundle,
    encode_bundle,
    forwarded_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
    read_bundles,
    remaining_ms,
)
from flight.relay.bundle.asb import read_security_block
from flight.relay.bundle.extension import previous_node_block
from flight.relay.bundle.fragment import ReassemblyLimits
from flight.relay.cbor import skip_item
from flight.relay.contactfile import read_ion_plan
from flight.relay.crc import CrcType
from flight.relay.endpoint import encode_endpoint, ipn, parse_endpoint, read_endpoint
from flight.relay.errors import WireError
from flight.relay.ltp.segment import (
    Cancel,
    Report,
    ReportAck,
    SegmentType,
    SessionId,
    read_segment,
    sdnv,
    session_prefix,
    write_cancel,
    write_report,
    write_report_ack,
)
from flight.relay.slip import PacketReader, encode_packet
from flight.relay.status import (
    Status,
    StatusReport,
    encode_status_report,
    read_status_report,
)
from flight.relay.uartframe import FrameReader, encode_frame
from flight.relay.xonxoff import ControlReader, hide_controls
from tools.campaign.streams import (
    certificates,
    hear_mtcp,
    hear_tcpcl3,
    hear_tcpcl4,
    mtcp_streams,
    tcpcl3_streams,
    tcpcl4_streams,
)

NOW = Instant(10**9, 816_000_000_000)


@dataclass(frozen=True)
class Decoder:
    """Something that takes bytes from the other side."""

    decode: Callable[[bytes], object]
    seeds: Callable[[], tuple[bytes, ...]]
    """Good inputs to start from."""
    error: type[Exception] = WireError
    """All that it may raise."""
    cpu_s: float = 0.05
    """Longest that one input of a few kB may take, whatever it says."""
    peak_bytes: int = 1 << 20
    """Most memory that one input may take beyond itself."""


POLICY = SecurityPolicy(
    (
        SecurityRule(
            source="ipn:1.*",
            integrity=Demand.REQUIRE,
            integrity_key=b"0123456789abcdef",
            confidentiality_key=b"fedcba9876543210",
        ),
    )
)
SEALING = SecurityPolicy(
    (
        SecurityRule(
            integrity=Demand.REQUIRE,
            confidentiality=Demand.REQUIRE,
            integrity_key=b"0123456789abcdef",
            confidentiality_key=b"fedcba9876543210",
        ),
    )
)


def _some_bundle(**changes: object) -> Bundle:
    return make_bundle(
        b"payload",
        source=ipn(1, 1),
        destination=ipn(3, 65),
        report_to=parse_endpoint("dtn://ground/reports"),
        created_ms=NOW.dtn_ms,
        sequence=7,
        lifetime_ms=60_000,
        **changes,  # type: ignore[arg-type] # keyword arguments of make_bundle
    )


def _bundles() -> tuple[bytes, ...]:
    """Return bundles of every make; without checksums, spoilt ones get past the first check."""
    bare = _some_bundle(age_ms=3, hop_limit=9, payload_crc=CrcType.NONE)
    bare = bare.with_block(previous_node_block(ipn(2, 0), 9)).with_block(
        CanonicalBlock(200, 10, b"?")
    )
    signed = protect_bundle(bare, POLICY, node=ipn(1, 0), random_bytes=bytes)
    sealed = protect_bundle(bare, SEALING, node=ipn(1, 0), random_bytes=bytes)
    part = fragment_bundle(_some_bundle(), payload_bytes=3)[1]
    unchecked = encode_bundle(_some_bundle(primary_crc=CrcType.NONE, payload_crc=CrcType.NONE))
    extreme = _some_bundle(age_ms=(1 << 64) - 1, hop_limit=255, payload_crc=CrcType.NONE)
    made = (_some_bundle(), bare, extreme, signed, sealed, part)
    return (*map(encode_bundle, made), unchecked, encode_bundle(bare) * 2)


def _take_bundle(data: bytes) -> None:
    """Do what a node does with a bundle that comes in."""
    bundle = read_bundle(data, strict=False)
    admission = admit_bundle(bundle)
    if admission.bundle is None:
        return
    remaining_ms(admission.bundle, resident_ms=5, now=NOW)
    onward = forwarded_bundle(admission.bundle, node=ipn(2, 0), resident_ms=5)
    accept_bundle(bundle, SEALING)
    outcome = accept_bundle(bundle, POLICY)
    for made in (onward, outcome):
        if not isinstance(made, Reason):
            read_bundle(encode_bundle(made), strict=False)
    encode_status_report(StatusReport(bundle.id, ((Status.DELETED, None),)))
    str(bundle.id)


_reassembler = Reassembler(ReassemblyLimits(total_bytes=200_000, sets=20))


def _take_fragment(data: bytes) -> None:
    bundle = read_bundle(data, strict=False)
    if bundle.is_fragment:
        _reassembler.add(bundle, remaining_ms=remaining_ms(bundle, resident_ms=0, now=NOW), now=NOW)
        _reassembler.take_dropped()


def _fragments() -> tuple[bytes, ...]:
    bundle = _some_bundle(primary_crc=CrcType.NONE, payload_crc=CrcType.NONE)
    return tuple(map(encode_bundle, fragment_bundle(bundle, payload_bytes=2)))


def _endpoints() -> tuple[bytes, ...]:
    uris = ("ipn:1.2", "dtn:none", "dtn://node/service", "ipn:977000.100.1")
    three = encode_endpoint(ipn(977000 << 32 | 100, 1, three_elements=True))
    return (*(encode_endpoint(parse_endpoint(uri)) for uri in uris), three)


def _security_blocks() -> tuple[bytes, ...]:
    protected = protect_bundle(_some_bundle(), SEALING, node=ipn(1, 0), random_bytes=bytes)
    signed = protect_bundle(_some_bundle(), POLICY, node=ipn(1, 0), random_bytes=bytes)
    return tuple(block.data for block in (*signed.blocks, *protected.blocks))


def _status_reports() -> tuple[bytes, ...]:
    bundle = _some_bundle()
    part = fragment_bundle(bundle, payload_bytes=3)[1]
    return tuple(
        encode_status_report(StatusReport(subject.id, ((status, NOW.dtn_ms),)))
        for subject in (bundle, part)
        for status in Status
    )


def _plans() -> tuple[bytes, ...]:
    return (
        b"@ 2026/11/22-10:00:00\na contact +0 +600 1 2 125000 0.5\na range +0 +9 1 2 1.35\n",
        b"a contact 2026/11/22-10:00:00 2026/11/22-10:10:00 1 2 125000 1\n",
    )


def _segments() -> tuple[bytes, ...]:
    session = SessionId(1, 2)
    content = sdnv(1) + sdnv(0) + sdnv(7)
    return (
        session_prefix(SegmentType(0), session) + content + b"payload",
        session_prefix(SegmentType(3), session) + content + sdnv(5) + sdnv(0) + b"payload",
        write_report(Report(session, 9, 5, 3000, 0, ((0, 1000), (2000, 3000)))),
        write_report_ack(ReportAck(session, 9)),
        write_cancel(Cancel(session, by_sender=True, reason=0)),
    )


def _parts() -> tuple[bytes, ...]:
    product = ProductId(1, 2, 3)
    header = Header(
        product, ProductKind.BOOT, "camera", 7, NOW, b"12345678", b"87654321", 0, 1, count=2
    )
    return (Part(header, 0, (0, 4), b"data").encode(),)


def _events() -> tuple[bytes, ...]:
    happenings = [event(**dict.fromkeys(event.fields, 1)) for event in Event]
    return tuple(encode_events([EventReport(happening, NOW)]) for happening in happenings)


def _byte_streams() -> tuple[bytes, ...]:
    payloads = (b"", b"payload", bytes(300), bytes(range(256)))
    return (
        b"".join(map(encode_frame, payloads)),
        b"".join(map(encode_packet, payloads)),
    )


def _codec(codec: CodecId, samples: Integers) -> Decoder:
    """Return a row for one codec: good geometry, spoilt data. Its tables take their memory."""
    parts = encode(codec, samples, part_lines=64)
    geometry = parts[0].geometry
    return Decoder(
        lambda data: decode(codec, CODECS[codec].version, (Encoded(geometry, data),)),
        lambda: tuple(part.data for part in parts if part.geometry == geometry),
        ProductError,
        cpu_s=0.5,
        peak_bytes=16 << 20,
    )


_SLOPE = np.add.outer(np.arange(24) * 9, np.arange(20) * 5).astype(np.uint16)

DECODERS: dict[str, Decoder] = {
    "bundle": Decoder(_take_bundle, _bundles),
    "bundles": Decoder(read_bundles, _bundles),
    "fragments": Decoder(_take_fragment, _fragments),
    "cbor": Decoder(lambda data: skip_item(data, 0), _status_reports),
    "endpoint": Decoder(lambda data: read_endpoint(data, 0), _endpoints),
    "security_block": Decoder(read_security_block, _security_blocks),
    "status_report": Decoder(read_status_report, _status_reports),
    "ltp_segment": Decoder(read_segment, _segments),
    "uart_frames": Decoder(lambda data: FrameReader().feed(data), _byte_streams),
    "slip_packets": Decoder(lambda data: PacketReader(2000).feed(data), _byte_streams),
    "xonxoff": Decoder(
        lambda data: FrameReader().feed(ControlReader().feed(data)),
        lambda: tuple(map(hide_controls, _byte_streams())),
    ),
    "tcpcl4": Decoder(hear_tcpcl4, tcpcl4_streams),
    "tcpcl3": Decoder(hear_tcpcl3, tcpcl3_streams),
    "mtcp": Decoder(hear_mtcp, mtcp_streams),
    "certificate": Decoder(node_ids, certificates),
    "product_part": Decoder(decode_part, _parts, ProductError),
    "product_events": Decoder(decode_events, _events, ProductError),
    "codec_raw": _codec(CodecId.RAW, _SLOPE),
    "codec_image": _codec(CodecId.IMAGE, _SLOPE),
    "codec_cube": _codec(CodecId.CUBE, np.stack([_SLOPE, _SLOPE + 1, _SLOPE + 2])),
    "codec_spectra": _codec(CodecId.SPECTRA, (_SLOPE[:4] % 7).astype(np.uint32)),
    "contact_plan": Decoder(
        lambda data: read_ion_plan(data.decode("latin-1"), reference_ms=NOW.dtn_ms),
        _plans,
        ValueError,
    ),
}
