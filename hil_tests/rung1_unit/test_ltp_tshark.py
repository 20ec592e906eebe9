"""An independent reader of what we send: Wireshark's LTP dissector."""

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockReceived
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Report,
    ReportAck,
    Segment,
    read_segment,
)
from flight.relay.ltp.settings import LtpSettings

PORT = 1113
TSHARK = shutil.which("tshark")
if TSHARK is None and os.environ.get("CI") != "true":
    pytest.skip("no tshark: apt-get install tshark", allow_module_level=True)


def conversation() -> list[bytes]:
    """Every kind of segment that an engine sends, in both directions."""
    engines = [LtpEngine(LtpSettings(1, 2), seed=1), LtpEngine(LtpSettings(2, 1), seed=2)]
    for engine in engines:
        engine.set_contact(True, rate_bytes_s=10**15, one_way_ns=10**9, now=Instant(0, 0))
    sender, receiver = engines
    said: list[bytes] = []

    def turn(second: int, lose: tuple[int, ...] = ()) -> None:
        for source, target in ((sender, receiver), (receiver, sender)):
            source.expire(Instant(second * 10**9, 0))
            datagrams = source.take_datagrams()
            said.extend(datagrams)
            for index, datagram in enumerate(datagrams):
                if index not in lose:
                    target.receive(datagram, Instant(second * 10**9, 0))

    now = Instant(0, 0)
    sender.send_block(bytes(range(256)) * 40, key=1, priority=1, now=now)
    sender.send_block(bytes(3000), key=2, priority=1, now=now, red_bytes=1000)
    turn(0, lose=(2, 5))
    turn(2)
    for event in receiver.take_events():
        if isinstance(event, BlockReceived):
            receiver.accept(event.session, Instant(2 * 10**9, 0))
    turn(4)
    turn(6)
    sender.send_block(bytes(5000), key=3, priority=1, now=Instant(7 * 10**9, 0))
    turn(7, lose=(4,))
    sender.cancel_block(3, Instant(8 * 10**9, 0))
    turn(8)
    turn(9)
    sender.send_block(b"unwanted", key=4, priority=1, now=Instant(10 * 10**9, 0))
    turn(10)
    for event in receiver.take_events():
        if isinstance(event, BlockReceived):
            receiver.refuse(event.session, 4, Instant(11 * 10**9, 0))
    turn(11)
    turn(12)
    return said


def write_capture(path: Path, datagrams: list[bytes]) -> None:
    """Write a pcap file (link type 101, raw IP) of UDP datagrams to PORT."""
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 101)
    for second, datagram in enumerate(datagrams):
        udp = struct.pack(">HHHH", PORT, PORT, 8 + len(datagram), 0) + datagram
        address = bytes([127, 0, 0, 1])
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address * 2
        packet = ip + udp
        capture += struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet
    path.write_bytes(capture)


def dissect(path: Path) -> list[dict]:
    command = [TSHARK or "tshark", "-r", str(path), "-d", f"udp.port=={PORT},ltp", "-T", "json"]
    done = subprocess.run(
        [*command, "--no-duplicate-keys", "-J", "ltp"], capture_output=True, check=True
    )
    packets = json.loads(done.stdout)
    return [packet["_source"]["layers"] for packet in packets]


def numbers(tree: object, name: str) -> list[int]:
    """Return every value of a field, in order, wherever it is in the tree."""
    found: list[int] = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                values = value if isinstance(value, list) else [value]
                found += [int(str(text), 0) for text in values]
            else:
                found += numbers(value, name)
    elif isinstance(tree, list):
        for branch in tree:
            found += numbers(branch, name)
    return found


def expected(segment: Segment) -> dict[str, list[int]]:
    fields = {
        "ltp.session.orig": [segment.session.engine],
        "ltp.session.number": [segment.session.number],
    }
    if isinstance(segment, DataSegment):
        fields |= {
            "ltp.data.client.id": [segment.client_service],
            "ltp.data.offset": [segment.offset],
            "ltp.data.length": [len(segment.data)],
        }
        if segment.checkpoint:
            fields |= {"ltp.data.chkp": [segment.checkpoint], "ltp.data.rpt": [segment.report]}
    elif isinstance(segment, Report):
        fields |= {
            "ltp.rpt.sno": [segment.serial],
            "ltp.rpt.chkp": [segment.checkpoint],
            "ltp.rpt.ub": [segment.upper],
            "ltp.rpt.lb": [segment.lower],
            "ltp.rpt.clm.cnt": [len(segment.claims)],
            "ltp.rpt.clm.off": [start - segment.lower for start, _ in segment.claims],
            "ltp.rpt.clm.len": [end - start for start, end in segment.claims],
        }
    elif isinstance(segment, ReportAck):
        fields |= {"ltp.rpt.ack.sno": [segment.serial]}
    elif isinstance(segment, Cancel):
        fields |= {"ltp.cancel.code": [segment.reason]}
    return fields


def test_wireshark_reads_every_kind_of_segment_as_we_mean_it(tmp_path: Path):
    said = conversation()
    segments = [read_segment(datagram) for datagram in said]
    kinds = {type(segment) for segment in segments}
    assert kinds == {DataSegment, Report, ReportAck, Cancel, CancelAck}
    assert {0, 1, 2, 3, 4, 7, 8, 9, 12, 13, 14, 15} <= {datagram[0] for datagram in said}
    # A cancel acknowledgement has no content (section 3.2.4); tshark 4.0 calls a segment malformed
    # when nothing follows its header, so the capture has a byte more there.
    said = [datagram + b"\x00" * (datagram[0] in {13, 15}) for datagram in said]
    write_capture(tmp_path / "ltp.pcap", said)
    packets = dissect(tmp_path / "ltp.pcap")
    assert len(packets) == len(said)
    for segment, layers in zip(segments, packets, strict=True):
        assert "_ws.malformed" not in json.dumps(layers)
        for name, values in expected(segment).items():
            assert numbers(layers, name) == values, (name, segment)
