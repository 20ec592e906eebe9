"""`ground trace`: the way of a bundle, hop by hop, as the nodes on it report."""

import argparse
import base64
import re
from dataclasses import dataclass
from pathlib import Path

from flight.ports.localsocket import Message
from flight.relay.status import Status
from ground.archive import open_archive
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
from ground.commands.pinging import read_endpoint
from ground.config import read_station
from ground.console import clean, table
from ground.notices import Report, reason_words
from ground.times import span, utc

_BUNDLE = re.compile(r"ipn:[0-9.]+/[0-9]+/[0-9]+")
PROBE = b"farside trace"
_LAST = {Status.DELIVERED, Status.DELETED}


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a bundle's way."""

    bundle: str
    sent_ms: int
    """Its creation time, DTN milliseconds; 0: its source had no clock."""
    reports: tuple[Report, ...]

    @property
    def was_delivered(self) -> bool:
        """Whether its destination said so."""
        return any(report.status is Status.DELIVERED for report in self.reports)


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "trace",
        run,
        about="show the way of a bundle hop by hop: a probe to an endpoint, or one sent before",
        example="ground trace ipn:20.2047 --station station.toml\n"
        "  ground trace ipn:30.1/848612345678/17\n\n"
        "The probe asks each node for reports of reception, forwarding and delivery. A node that\n"
        "makes no reports is a gap in the list. exit codes: 0 delivered, 1 not (yet), 2 it cannot\n"
        "be done as asked",
    )
    parser.add_argument(
        "target", metavar="ENDPOINT|BUNDLE", help="where to send a probe, or a bundle's id"
    )
    add_station(parser)
    add_json(parser)
    parser.add_argument(
        "-t",
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the reports on a probe (default: 60)",
    )


def run(options: argparse.Namespace) -> int:
    """Trace."""
    if not 0 < options.timeout < 1e8:
        raise UsageError("--timeout is seconds, above 0")
    if _BUNDLE.fullmatch(options.target):
        trace = _look_up(options.target, options.station)
    else:
        destination = str(read_endpoint(options.target))
        with station_node(options.station) as node:
            trace = _probe(node, destination, options)
    if options.json:
        print_json(_as_json(trace))
    else:
        print(_text(trace))
    return OK if trace.was_delivered else FOUND


def _look_up(bundle: str, station: Path) -> Trace:
    config, _ = read_station(station, reference_ms=GroundClock().now().dtn_ms)
    with open_archive(config.archive) as archive:
        reports = archive.catalogue.notices.reports(bundle)
    return Trace(bundle, int(bundle.split("/")[1]), reports)


def _probe(node: StationNode, destination: str, options: argparse.Namespace) -> Trace:
    clock = GroundClock()
    service = node.ask({"do": "receive"}, "receiving")["receiving"]
    request: Message = {
        "do": "send",
        "to": destination,
        "from": service,
        "payload": base64.b64encode(PROBE).decode(),
        "lifetime_s": max(1, round(options.timeout)),
        "reports": True,
    }
    bundle = str(node.ask(request, "stored")["stored"])
    if not options.json:
        print(f"sent {bundle} to {destination}", flush=True)
    until_ns = clock.now().mono_ns + round(options.timeout * 1e9)
    reports: list[Report] = []
    while (now_ns := clock.now().mono_ns) < until_ns and not _is_over(reports):
        heard = node.hear((until_ns - now_ns) / 1e9)
        if heard is None:
            break
        if isinstance(answer := heard[1].get("bundle"), dict):
            node.release(answer)  # an echo: not what was asked for
        elif isinstance(told := heard[1].get("report"), dict) and told.get("bundle") == bundle:
            reports += _read(told, received_ms=clock.now().dtn_ms)
    return Trace(bundle, int(bundle.split("/")[1]), tuple(reports))


def _is_over(reports: list[Report]) -> bool:
    """Whether the last report has come: reports overtake each other, so the hops before count."""
    ended = any(report.status in _LAST for report in reports)
    received = {report.reporter for report in reports if report.status is Status.RECEIVED}
    handed_on = sum(report.status is Status.FORWARDED for report in reports)
    return ended and handed_on >= len(received)


def _read(told: Message, *, received_ms: int) -> list[Report]:
    reporter, bundle, reason = str(told.get("by")), str(told.get("bundle")), told.get("reason")
    said = told.get("said")
    return [
        Report(
            reporter=reporter,
            bundle=bundle,
            status=Status[str(name).upper()],
            at_ms=at_ms or 0,
            reason=reason if isinstance(reason, int) else 0,
            received_ms=received_ms,
        )
        for name, at_ms in (said if isinstance(said, list) else ())
    ]


def _ordered(trace: Trace) -> list[Report]:
    """Return the reports as things happened, by the reporters' clocks where they have one."""
    return sorted(trace.reports, key=lambda r: (r.at_ms or r.received_ms, int(r.status)))


def _text(trace: Trace) -> str:
    rows = [
        (
            _after(trace, report.at_ms),
            clean(report.reporter),
            report.status.name.lower(),
            utc(report.at_ms),
            _after(trace, report.received_ms),
            reason_words(report.reason),
        )
        for report in _ordered(trace)
    ]
    head = ("after", "node", "what", "when, by its clock (UTC)", "told after", "why")
    lines = [table(head, rows, right="r   r")] if rows else ["no node has reported on it"]
    last = next((r for r in reversed(_ordered(trace)) if r.status in _LAST), None)
    if last is None:
        lines.append(f"{trace.bundle}: not known to have arrived")
    else:
        lines.append(f"{trace.bundle}: {last.status.name.lower()} by {clean(last.reporter)}")
    return "\n".join(lines)


def _since(trace: Trace, at_ms: int) -> int | None:
    return at_ms - trace.sent_ms if at_ms and trace.sent_ms else None


def _after(trace: Trace, at_ms: int) -> str:
    after_ms = _since(trace, at_ms)
    return "-" if after_ms is None else span(after_ms * 1_000_000)


def _as_json(trace: Trace) -> dict[str, object]:
    return {
        "bundle": trace.bundle,
        "delivered": trace.was_delivered,
        "hops": [
            {
                "node": report.reporter,
                "what": report.status.name.lower(),
                "at_dtn_ms": report.at_ms or None,
                "after_ms": _since(trace, report.at_ms),
                "told_after_ms": _since(trace, report.received_ms),
                "reason": report.reason,
            }
            for report in _ordered(trace)
        ],
    }
