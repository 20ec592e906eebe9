"""What the commands share: exit codes, options, and how a wish is read from text."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from flight.product.part import ProductId
from ground.archive import Archive
from ground.console import clean
from ground.notices import loss_words
from ground.times import parse_utc

OK, FOUND, CANNOT = 0, 1, 2
"""Exit codes: all is well; something was found; it cannot be done as asked."""

MOST_LOSSES = 20
"""Named losses printed after a table."""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]


class UsageError(ValueError):
    """What was asked for cannot be done; the message says what to do instead."""


def add_command(
    subparsers: Subparsers, name: str, run: Run, *, about: str, example: str
) -> argparse.ArgumentParser:
    """Return the parser of a new command, which ``run`` carries out."""
    parser = subparsers.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the archive is."""
    parser.add_argument(
        "-a",
        "--archive",
        type=Path,
        default=Path("archive"),
        metavar="DIR",
        help="the archive's folder (default: %(default)s)",
    )


def add_station(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which station's node to use."""
    parser.add_argument(
        "--station",
        type=Path,
        default=Path("station.toml"),
        metavar="CONFIG.toml",
        help="the station's settings (default: %(default)s); where it is not running, it is run"
        " for as long as the command takes",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for scripts."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))


def read_product(text: str) -> ProductId:
    """Return the product that ``NODE.BOOT.NUMBER`` names.

    Raises:
        ArgumentTypeError: it does not name one.
    """
    numbers = text.split(".")
    if len(numbers) != 3 or not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        message = f"{text!r} is no product; write NODE.BOOT.NUMBER as `ground ls` does"
        raise argparse.ArgumentTypeError(message)
    return ProductId(*(int(number) for number in numbers))


def read_time(text: str) -> int:
    """Return the DTN milliseconds of an ISO 8601 time.

    Raises:
        ArgumentTypeError: it is no such time.
    """
    try:
        return parse_utc(text)
    except ValueError as error:
        message = f"{text!r} is no time ({error}); write it as 2026-11-22T14:00"
        raise argparse.ArgumentTypeError(message) from error


def print_losses(archive: Archive) -> None:
    """Print what arrived and is not in any product, what was given up, what rot has taken."""
    tally = archive.catalogue.tally()
    print(
        f"{tally.kept} parts kept, {tally.repeated} came again, {tally.notices} notices,"
        f" {tally.refused} refused"
    )
    losses = archive.catalogue.notices.losses()
    for loss in losses[:MOST_LOSSES]:
        print(f"  lost     {clean(loss_words(loss))}")
    if len(losses) > MOST_LOSSES:
        print(f"  lost     and {len(losses) - MOST_LOSSES} more; `ground ls --losses` has all")
    for bundle, reason in archive.catalogue.refusals()[:5]:
        print(f"  refused  {clean(bundle)}: {clean(reason)}")
    for damage in archive.catalogue.damages():
        print(f"  damaged  {damage.file}: {damage.length} bytes at {damage.offset}")
