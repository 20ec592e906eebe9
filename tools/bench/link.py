"""The link: goodput over its limit, bytes on the wire, CPU a megabyte beside raw UDP.

Without a store and without bundles, so that the protocol shows; ``--real`` repeats one goodput
figure over real sockets and the real clock.
"""

import argparse
from dataclasses import replace
from typing import Any

from tools.bench import link_loopback, link_simulated

SIZES = {"1kB": 1_000, "64kB": 64_000, "1MB": 1_000_000}
LOSSES = (0, 0.01, 0.05, 0.2)
BAUDS = (9_600, 115_200, 921_600)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this bench."""
    parser.add_argument("--real", type=float, metavar="S", help="seconds over real sockets, too")
    parser.add_argument("--only", choices=("simulated", "loopback"), help="one half of it")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures."""
    figures: dict[str, Any] = {}
    if arguments.only != "loopback":
        figures |= simulated()
    if arguments.only != "simulated":
        figures["loopback"] = {
            name: link_loopback.loopback(SIZES[name]) for name in ("1kB", "64kB")
        }
    if arguments.real:
        figures["real_goodput_over_limit"] = {
            str(loss): link_loopback.real_goodput(64_000, loss, arguments.real)
            for loss in (0, 0.05)
        }
    return figures


def simulated() -> dict[str, Any]:
    """Return the figures in simulated time."""
    goodput: dict[str, dict[str, float]] = {}
    wire: dict[str, dict[str, float]] = {}
    for name, size in SIZES.items():
        goodput[name], wire[name] = {}, {}
        channels = {str(loss): replace(link_simulated.MOON, loss=loss) for loss in LOSSES}
        for loss, channel in (channels | {"bursts": link_simulated.BURSTS}).items():
            found = link_simulated.goodput(size, channel)
            goodput[name][loss] = found["goodput_over_limit"]
            wire[name][loss] = found["wire_over_payload"] * (1 - found["loss"])
    return {
        "goodput_over_limit": goodput,
        "wire_over_payload_times_arriving": wire,
        "wire_over_payload": {
            str(loss): max(wire[name][str(loss)] for name in SIZES) / (1 - loss) for loss in LOSSES
        },
        "serial_efficiency": {str(baud): link_simulated.serial_efficiency(baud) for baud in BAUDS},
        **link_simulated.windows(),
    }
