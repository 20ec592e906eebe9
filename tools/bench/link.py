"""The link: goodput over its limit, bytes on the wire, CPU a megabyte beside raw UDP.

Goodput, serial lines and windows are LTP alone in simulated time, so that the protocol shows and
a run takes two minutes. ``--real S`` repeats the goodput over sockets and the real clock, with
whole nodes. ``loopback`` is LTP without a store; ``durable`` is two nodes with theirs on the
medium, where 1 kB bundles share LTP blocks of up to 16 kB, as ION's do; ``--details`` tells what
one bundle a block costs, and what stands behind the other figures.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.bench import bundle_codec, link_durable, link_loopback, link_real, link_simulated
from tools.bench.link_ends import Role

SIZES = {"1kB": 1_000, "64kB": 64_000, "1MB": 1_000_000}
LOSSES = (0, 0.01, 0.05, 0.2)
BAUDS = (9_600, 115_200, 921_600)
AGGREGATE_BYTES = 16_000
PARTS = ("simulated", "loopback", "durable", "codec")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this bench."""
    parser.add_argument(
        "--real",
        type=float,
        metavar="S",
        help="over real sockets too, for S seconds: 150 is enough",
    )
    parser.add_argument("--only", choices=(*PARTS, "real"), help="one part of it")
    parser.add_argument("--details", action="store_true", help="the figures behind the figures")
    parser.add_argument("--directory", type=Path, help="on the medium for the durable stores")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures."""
    parts = PARTS if arguments.only is None else (arguments.only,)
    figures: dict[str, Any] = {}
    details: dict[str, Any] = {}
    if "simulated" in parts:
        figures |= simulated(details)
    if "loopback" in parts or "durable" in parts:
        figures |= loopback(arguments, details, parts)
    if "codec" in parts:
        _tell("codec")
        codec = bundle_codec.measure()
        figures["codec_over_pyd3tn"] = codec["codec_over_pyd3tn"]
        details["codec_us"] = codec["us"]
    if arguments.real or arguments.only == "real":
        real = link_real.goodput(SIZES, LOSSES, arguments.real or 150)
        details["real_bursts"] = {name: found.pop("bursts") for name, found in real.items()}
        figures["real_goodput_over_limit"] = real
    return figures | ({"details": details} if arguments.details else {})


def simulated(details: dict[str, Any]) -> dict[str, Any]:
    """Return the figures in simulated time."""
    goodput: dict[str, dict[str, float]] = {name: {} for name in SIZES}
    wire: dict[str, dict[str, float]] = {name: {} for name in SIZES}
    details["bursts"] = {}
    for name, size in SIZES.items():
        for loss in LOSSES:
            _tell(f"{name} bundles, loss {loss}")
            found = link_simulated.goodput(size, replace(link_simulated.MOON, loss=loss))
            goodput[name][str(loss)] = found["goodput_over_limit"]
            # As if exactly this share had been lost, and not what chance made of it.
            scale = (1 - found["loss"]) / (1 - loss)
            wire[name][str(loss)] = found["wire_over_payload"] * scale
        found = link_simulated.goodput(size, link_simulated.BURSTS)
        details["bursts"][name] = found["goodput_over_limit"]
    details["wire_over_payload"] = wire
    _tell("serial lines")
    serial = {str(baud): link_simulated.serial_efficiency(baud) for baud in BAUDS}
    _tell("windows")
    windows = link_simulated.windows()
    details["bytes_in_vain"] = windows.pop("bytes_in_vain")
    return {
        "goodput_over_limit": goodput,
        "serial_efficiency": serial,
        **windows,
        "wire_over_payload": {
            str(loss): max(wire[name][str(loss)] for name in SIZES) for loss in LOSSES
        },
    }


def loopback(
    arguments: argparse.Namespace, details: dict[str, Any], parts: tuple[str, ...]
) -> dict[str, Any]:
    """Return what passes between two processes, and what it costs, without a store and with."""
    figures: dict[str, dict[str, Any]] = {part: {} for part in PARTS[1:3] if part in parts}
    details["one_bundle_a_block"] = {}
    for name in ("1kB", "64kB"):
        _tell(f"two processes, {name} bundles")
        pairs: dict[str, tuple[Role, Role]] = {}
        if "loopback" in parts:
            pairs["loopback"] = link_loopback.BLOCKS
        if "durable" in parts:
            pairs["durable"] = link_durable.durable(
                arguments.directory, aggregate_bytes=AGGREGATE_BYTES
            )
            if name == "1kB" and arguments.details:
                pairs["single"] = link_durable.durable(arguments.directory)
        found = link_loopback.measure(pairs, SIZES[name])
        if "single" in found:
            details["one_bundle_a_block"][name] = found.pop("single")
        for part, value in found.items():
            figures[part][name] = value
    return figures


def _tell(what: str) -> None:
    seconds = time.perf_counter() - _STARTED
    print(f"{seconds:5.0f} s  {what}", file=sys.stderr, flush=True)


_STARTED = time.perf_counter()
