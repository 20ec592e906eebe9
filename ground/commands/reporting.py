"""`ground report`: the run as one HTML file."""

import argparse
from pathlib import Path

from ground.archive import open_archive
from ground.commands.common import OK, Subparsers, add_archive, add_command
from ground.console import progress_bar


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "report",
        run,
        about="write the run as one HTML file, which opens without a network",
        example="ground report --archive station/archive --out report.html",
    )
    add_archive(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the file to write (default: %(default)s)",
    )
    parser.add_argument("--title", default="Run report", help="what stands at its top")


def run(options: argparse.Namespace) -> int:
    """Write the report."""
    # Only who draws needs pillow, which the base install does not bring.
    from ground.report.page import write_report

    with open_archive(options.archive) as archive, progress_bar("report") as progress:
        write_report(archive, options.out, title=options.title, progress=progress)
    print(options.out)
    return OK
