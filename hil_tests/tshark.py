"""Wireshark's dissectors as an oracle: datagrams in, the fields that it saw out."""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

Tree = dict[str, object]

_WARNING = 0x00600000
_UNDECODED = 0x05000000
"""Expert severities and groups, as epan/proto.h numbers them."""

_RAW_IPV4 = 228
"""Link type: the capture's packets begin with the IPv4 header."""

_CALLER_PORT = 40_000


def require_tshark() -> str:
    """Return tshark's path; skip the test without it, or fail it where CI promises it."""
    path = shutil.which("tshark")
    if path is None:
        reason = "tshark is not installed: apt-get install tshark"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def dissect(datagrams: Sequence[bytes], folder: Path, *, port: int, protocol: str) -> list[Tree]:
    """Return the protocol layers of each UDP datagram, as tshark prints them in JSON."""
    packets = [_ip(17, _udp(datagram, port)) for datagram in datagrams]
    return _dissect(packets, folder, f"udp.port=={port},{protocol}")


def dissect_stream(
    said: Sequence[tuple[bool, bytes]], folder: Path, *, port: int, protocol: str
) -> list[Tree]:
    """Return the layers of a TCP connection's packets: (whether the caller said it, what)."""
    places = {True: 1, False: 1}
    segments = [
        _tcp(b"", port, by_caller=True, flags=0x02, sequence=0, acknowledged=0),
        _tcp(b"", port, by_caller=False, flags=0x12, sequence=0, acknowledged=1),
    ]
    for by_caller, data in said:
        sequence, acknowledged = places[by_caller], places[not by_caller]
        segments.append(
            _tcp(
                data,
                port,
                by_caller=by_caller,
                flags=0x18,
                sequence=sequence,
                acknowledged=acknowledged,
            )
        )
        places[by_caller] += len(data)
    packets = [_ip(6, segment) for segment in segments]
    # Twice over the capture: what is said later explains what was said before.
    return _dissect(packets, folder, f"tcp.port=={port},{protocol}", "-2")[2:]


def _dissect(packets: Sequence[bytes], folder: Path, decode_as: str, *options: str) -> list[Tree]:
    tshark = require_tshark()
    capture = folder / "capture.pcap"
    capture.write_bytes(_pcap(packets))
    command = [tshark, "-n", "-r", str(capture), "-d", decode_as, "-T", "json"]
    command += ["--no-duplicate-keys", *options]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def values(tree: object, name: str) -> list[object]:
    """Return every value of a field, wherever it is in the tree, in order."""
    return [value for key, value in _walk(tree) if key == name]


def complaints(tree: object) -> list[str]:
    """Return what the dissector found wrong: malformed packets, wrong checksums, broken rules.

    That it has no dissector for a payload is no complaint.
    """
    malformed = [key for key, _ in _walk(tree) if key.startswith("_ws.malformed")]
    experts = [value for key, value in _walk(tree) if key == "_ws.expert"]
    return malformed + [
        str(note["_ws.expert.message"])
        for note in experts
        if isinstance(note, dict)
        and int(note["_ws.expert.severity"]) >= _WARNING
        and int(note["_ws.expert.group"]) != _UNDECODED
    ]


def _walk(tree: object) -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            for single in value if isinstance(value, list) else [value]:
                yield key, single
                yield from _walk(single)
    elif isinstance(tree, list):
        for single in tree:
            yield from _walk(single)


def _pcap(packets: Sequence[bytes]) -> bytes:
    """Return a capture file (draft-ietf-opsawg-pcap) of IPv4 packets."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IPV4)]
    for second, packet in enumerate(packets):
        parts.append(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)
    return b"".join(parts)


def _ip(protocol: int, content: bytes) -> bytes:
    local = bytes((127, 0, 0, 1))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0)
    return head + local + local + content


def _udp(datagram: bytes, port: int) -> bytes:
    return struct.pack(">HHHH", port, port, 8 + len(datagram), 0) + datagram


def _tcp(
    data: bytes, port: int, *, by_caller: bool, flags: int, sequence: int, acknowledged: int
) -> bytes:
    ends = (_CALLER_PORT, port) if by_caller else (port, _CALLER_PORT)
    return struct.pack(">HHIIBBHHH", *ends, sequence, acknowledged, 0x50, flags, 65535, 0, 0) + data
