"""Bundles to bytes and back, strictly and with checksums, beside pyD3TN in the same run.

pyD3TN is given an easier task: it does not verify the checksums that it reads.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from flight.relay.bundle import encode_bundle, make_bundle, read_bundle
from flight.relay.endpoint import ipn

CREATED_MS = 816_000_000_000
UNIX_EPOCH_OF_DTN_S = 946_684_800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name this bench's options."""
    parser.add_argument("--payload-bytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7, help="the best of so many is taken")
    parser.add_argument("--bundles", type=int, default=1000, help="bundles in a round")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what measure returns, for the command's options."""
    return measure(
        payload_bytes=arguments.payload_bytes, rounds=arguments.rounds, bundles=arguments.bundles
    )


def measure(*, payload_bytes: int = 1000, rounds: int = 7, bundles: int = 1000) -> dict[str, Any]:
    """Return microseconds a bundle, ours and pyD3TN's, and their ratio.

    The rounds of all take turns, so that a noisy machine is unkind to each alike.
    """
    payload = bytes(i * 31 & 0xFF for i in range(payload_bytes))

    def encode() -> bytes:
        return encode_bundle(
            make_bundle(
                payload,
                source=ipn(1, 1),
                destination=ipn(3, 65),
                created_ms=CREATED_MS,
                sequence=5,
                lifetime_ms=86_400_000,
            )
        )

    data = encode()
    tasks: dict[str, Callable[[], object]] = {"encode": encode, "decode": lambda: read_bundle(data)}
    peer = _pyd3tn(payload, data)
    tasks |= peer
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            best[name] = min(best[name], _seconds(task, bundles))
    figures: dict[str, Any] = {
        "payload_bytes": payload_bytes,
        "overhead_bytes": len(data) - payload_bytes,
        "us": {name: round(best[name] / bundles * 1e6, 2) for name in tasks},
        "codec_over_pyd3tn": None,
    }
    if peer:
        ours = best["encode"] + best["decode"]
        figures["codec_over_pyd3tn"] = round(ours / sum(best[name] for name in peer), 4)
    return figures


def _pyd3tn(payload: bytes, data: bytes) -> dict[str, Callable[[], object]]:
    """Return pyD3TN's two tasks, on the very same bundle; none where it is not installed."""
    try:
        from pyd3tn import bundle7
    except ImportError:
        return {}

    def encode() -> bytes:
        primary = bundle7.PrimaryBlock(
            destination="ipn:3.65",
            source="ipn:1.1",
            creation_time=bundle7.CreationTimestamp(CREATED_MS // 1000 + UNIX_EPOCH_OF_DTN_S, 5),
            lifetime=86_400_000,
            crc_type=bundle7.CRCType.CRC32,
        )
        block = bundle7.PayloadBlock(payload, crc_type=bundle7.CRCType.CRC32)
        return bytes(bundle7.Bundle(primary, block))

    if encode() != data:
        raise AssertionError("pyD3TN encodes another bundle; the comparison would be unfair")
    return {"pyd3tn_encode": encode, "pyd3tn_decode": lambda: bundle7.Bundle.parse(data)}


def _seconds(task: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        task()
    return time.perf_counter() - start
