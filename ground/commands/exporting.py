"""`ground export`: tables for other programs."""

import argparse
import sys
from pathlib import Path

from ground.archive import open_archive
from ground.commands.common import OK, Subparsers, add_archive, add_command
from ground.export import TABLES, write_csv
from ground.library import Library


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "export",
        run,
        about="write events, decisions, housekeeping, links or losses as CSV",
        example="ground export decisions --archive station/archive --out decisions.csv",
    )
    parser.add_argument("table", choices=sorted(TABLES), help="what to write")
    add_archive(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def run(options: argparse.Namespace) -> int:
    """Write one table."""
    table = TABLES[options.table]
    with open_archive(options.archive) as archive:
        library = Library(archive)
        if options.out is None:
            write_csv(table, library, sys.stdout)
            return OK
        with options.out.open("w", newline="", encoding="utf-8") as file:
            count = write_csv(table, library, file)
    print(f"{count} {options.table} in {options.out}")
    return OK
