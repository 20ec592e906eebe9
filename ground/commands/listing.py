"""`ground ls`: the products that arrived."""

import argparse
from dataclasses import asdict

from flight.product.part import ProductKind
from ground.archive import open_archive
from ground.commands.common import (
    FOUND,
    OK,
    Subparsers,
    add_archive,
    add_command,
    add_json,
    print_json,
    print_losses,
    read_time,
)
from ground.console import table
from ground.notices import LOSS_REASONS, loss_name
from ground.rows import Filter, Row
from ground.times import data_size, utc
from ground.words import FRAMELESS, kind_name, ranges

_KINDS = {kind_name(kind): kind for kind in ProductKind}
_HEAD = (
    "product", "kind", "priority", "sensor", "frame", "taken (UTC)", "received (UTC)", "parts",
    "size", "missing parts",
)  # fmt: skip

_LOSSES_HEAD = ("lost", "priority", "size", "made (UTC)", "given up by", "told (UTC)", "why")


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "ls",
        run,
        about="list the products that arrived, and what is missing of them",
        example="ground ls --archive station/archive --kind hazard-map --since 2026-11-22",
    )
    add_archive(parser)
    add_json(parser)
    parser.add_argument(
        "--kind",
        action="append",
        choices=sorted(_KINDS),
        default=[],
        metavar="KIND",
        help=f"only this kind; may be repeated: {', '.join(sorted(_KINDS))}",
    )
    parser.add_argument(
        "--priority",
        action="append",
        type=int,
        choices=range(4),
        default=[],
        help="only this priority; may be repeated",
    )
    parser.add_argument(
        "--sensor", action="append", default=[], help="only this sensor's; may be repeated"
    )
    parser.add_argument("--frame", type=int, metavar="NUMBER", help="only this frame's")
    parser.add_argument("--since", type=read_time, metavar="UTC", help="taken at or after")
    parser.add_argument("--until", type=read_time, metavar="UTC", help="taken before")
    parser.add_argument(
        "--missing", action="store_true", help="only products with missing parts; exit 1 if any"
    )
    parser.add_argument(
        "--losses",
        action="store_true",
        help="instead, what nodes on the way gave up and named in tombstones; exit 1 if any",
    )


def run(options: argparse.Namespace) -> int:
    """List products, or losses."""
    if options.losses:
        return _list_losses(options)
    chosen = Filter(
        kinds=frozenset(_KINDS[name] for name in options.kind),
        priorities=frozenset(options.priority),
        sensors=frozenset(options.sensor),
        frame_number=options.frame,
        since_ms=options.since,
        until_ms=options.until,
    )
    with open_archive(options.archive) as archive:
        rows = archive.products(chosen)
        if options.missing:
            rows = tuple(row for row in rows if row.missing)
        if options.json:
            print_json([row_json(row) for row in rows])
        else:
            print(table(_HEAD, [_cells(row) for row in rows], right="  r r  rr"))
            incomplete = sum(bool(row.missing) for row in rows)
            print(f"\n{len(rows)} products, {incomplete} incomplete")
            print_losses(archive)
    return FOUND if options.missing and rows else OK


def _list_losses(options: argparse.Namespace) -> int:
    with open_archive(options.archive) as archive:
        losses = archive.catalogue.notices.losses()
    if options.json:
        print_json([asdict(loss) | {"reason": loss.reason.name.lower()} for loss in losses])
    else:
        rows = [
            (
                loss_name(loss),
                str(loss.priority),
                data_size(loss.length),
                utc(loss.created_ms),
                loss.reporter,
                utc(loss.told_ms),
                LOSS_REASONS[loss.reason],
            )
            for loss in losses
        ]
        print(table(_LOSSES_HEAD, rows, right=" rr"))
        print(f"\n{len(losses)} bundles were given up")
    return FOUND if losses else OK


def row_json(row: Row) -> dict[str, object]:
    """Return what the catalogue knows of a product, for scripts."""
    header = row.header
    return {
        "product": str(header.id),
        "kind": kind_name(header.kind),
        "priority": row.priority,
        "sensor": header.sensor,
        "frame_number": header.frame_number,
        "taken_dtn_ms": header.taken.dtn_ms,
        "taken_utc": utc(header.taken.dtn_ms),
        "first_received_dtn_ms": row.first_received_ms,
        "last_received_dtn_ms": row.last_received_ms,
        "first_arrival": row.first_arrival,
        "parts": header.count,
        "missing": list(row.missing),
        "data_bytes": row.data_bytes,
        "model_digest": header.model_digest.hex(),
        "config_digest": header.config_digest.hex(),
        "codec": header.codec,
    }


def _cells(row: Row) -> tuple[str, ...]:
    header = row.header
    return (
        str(header.id),
        kind_name(header.kind),
        str(row.priority),
        header.sensor,
        "-" if header.kind in FRAMELESS else str(header.frame_number),
        utc(header.taken.dtn_ms),
        utc(row.last_received_ms),
        f"{header.count - len(row.missing)}/{header.count}",
        data_size(row.data_bytes),
        ranges(row.missing),
    )
