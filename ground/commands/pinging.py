"""`ground ping`: how long a bundle takes to an endpoint and back."""

import argparse
import base64
import secrets
import statistics
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from flight.ports.localsocket import Message
from flight.relay.endpoint import EndpointId, parse_endpoint
from ground.beside import StationNode, station_node
from ground.clock import GroundClock
from ground.commands.common import (
    FOUND,
    OK,
    Subparsers,
    UsageError,
    add_command,
    add_json,
    add_station,
    print_json,
)
from ground.times import span

_HEAD = struct.Struct(">8s8sI")
_MARK = b"farside?"
LEAST_BYTES = _HEAD.size
MOST_BYTES = 1 << 20
INTERRUPTED = 130
"""Exit code of a command that was stopped by hand, as shells have it."""


@dataclass
class Tally:
    """What was sent and what came back."""

    sent_ns: dict[int, int] = field(default_factory=dict)
    """When each left, by number."""
    round_trips_ns: dict[int, int] = field(default_factory=dict)
    strangers: int = 0
    """Bundles that were no answer to any of ours."""


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "ping",
        run,
        about="send bundles to an echo service and say how long they take there and back",
        example="ground ping ipn:20.2047 --count 5 --station station.toml\n\n"
        "exit codes: 0 every answer came, 1 some or all did not, 2 it cannot be done as asked",
    )
    parser.add_argument("endpoint", metavar="ENDPOINT", help="an echo service, as ipn:20.2047")
    add_station(parser)
    add_json(parser)
    parser.add_argument(
        "-c", "--count", type=int, default=4, help="how many; 0: until ^C (default: %(default)s)"
    )
    parser.add_argument(
        "-s", "--size", type=int, default=64, help="payload bytes (default: %(default)s)"
    )
    parser.add_argument(
        "-i", "--interval", type=float, default=1.0, metavar="SECONDS", help="between two of them"
    )
    parser.add_argument(
        "-t",
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for an answer; it is the bundles' lifetime too (default: 30)",
    )


def run(options: argparse.Namespace) -> int:
    """Ping."""
    endpoint = read_endpoint(options.endpoint)
    _check(options)
    tally = Tally()
    interrupted = False
    with station_node(options.station) as node:
        try:
            _ping(node, endpoint, options, tally)
        except KeyboardInterrupt:
            interrupted = True
    _print(endpoint, tally, options)
    if interrupted and options.count:
        return INTERRUPTED
    return OK if tally.sent_ns.keys() == tally.round_trips_ns.keys() else FOUND


def read_endpoint(text: str) -> EndpointId:
    """Return an endpoint that bundles can be sent to.

    Raises:
        UsageError: it is none.
    """
    try:
        endpoint = parse_endpoint(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no endpoint ({error}); write ipn:NODE.SERVICE") from error
    if endpoint.is_null:
        raise UsageError(f"{text!r} is nobody's endpoint")
    return endpoint


def _check(options: argparse.Namespace) -> None:
    if options.count < 0:
        raise UsageError("--count is 0 or more")
    if not LEAST_BYTES <= options.size <= MOST_BYTES:
        raise UsageError(f"--size is from {LEAST_BYTES} to {MOST_BYTES} bytes")
    if not (0 <= options.interval < 1e6 and 0 < options.timeout < 1e8):
        raise UsageError("--interval and --timeout are seconds, the timeout above 0")


def _ping(
    node: StationNode, endpoint: EndpointId, options: argparse.Namespace, tally: Tally
) -> None:
    clock = GroundClock()
    service = node.ask({"do": "receive"}, "receiving")["receiving"]
    name = secrets.token_bytes(8)
    due_ns = clock.now().mono_ns
    for number in _numbers(options.count):
        payload = _HEAD.pack(_MARK, name, number).ljust(options.size, b"\0")
        request: Message = {
            "do": "send",
            "to": str(endpoint),
            "from": service,
            "payload": base64.b64encode(payload).decode(),
            "lifetime_s": max(1, round(options.timeout)),
        }
        tally.sent_ns[number] = clock.now().mono_ns
        node.ask(request, "stored")
        due_ns += round(options.interval * 1e9)
        is_last = number == options.count
        until_ns = tally.sent_ns[number] + round(options.timeout * 1e9) if is_last else due_ns
        while (now_ns := clock.now().mono_ns) < until_ns:
            if is_last and tally.sent_ns.keys() == tally.round_trips_ns.keys():
                return
            heard = node.hear((until_ns - now_ns) / 1e9)
            bundle = None if heard is None else heard[1].get("bundle")
            if heard is not None and isinstance(bundle, dict):
                node.release(bundle)
                _take(bundle, name, heard[0], tally, quiet=options.json)


def _numbers(count: int) -> Iterator[int]:
    number = 1
    while not count or number <= count:
        yield number
        number += 1


def _take(bundle: Message, name: bytes, now_ns: int, tally: Tally, *, quiet: bool) -> None:
    payload = base64.b64decode(str(bundle.get("payload", "")))
    head = payload[: _HEAD.size]
    number = _HEAD.unpack(head)[2] if head[:16] == _MARK + name and len(head) == _HEAD.size else 0
    if number not in tally.sent_ns or number in tally.round_trips_ns:
        tally.strangers += 1
        return
    round_trip_ns = now_ns - tally.sent_ns[number]
    tally.round_trips_ns[number] = round_trip_ns
    if not quiet:
        source = bundle.get("from")
        print(f"answer {number} from {source}: {len(payload)} bytes in {span(round_trip_ns)}")
        sys.stdout.flush()


def _print(endpoint: EndpointId, tally: Tally, options: argparse.Namespace) -> None:
    times = list(tally.round_trips_ns.values())
    sent, lost = len(tally.sent_ns), len(tally.sent_ns) - len(times)
    if options.json:
        print_json(
            {
                "endpoint": str(endpoint),
                "size_bytes": options.size,
                "sent": sent,
                "answered": len(times),
                "round_trips_ms": {
                    str(number): round(ns / 1e6, 3) for number, ns in tally.round_trips_ns.items()
                },
            }
        )
        return
    for number in sorted(tally.sent_ns.keys() - tally.round_trips_ns.keys())[:20]:
        print(f"no answer to {number}")
    print(
        f"{sent} sent to {endpoint}, {len(times)} answered, {100 * lost / max(sent, 1):.0f} % lost"
    )
    if times:
        print(
            f"round trip: least {span(min(times))}, mean {span(round(statistics.mean(times)))},"
            f" most {span(max(times))}, deviation {span(round(statistics.pstdev(times)))}"
        )
