"""Command line of the ground: what arrived, what it means, and whether it can be believed."""

import argparse
import sys
from collections.abc import Sequence

from flight.product.errors import WireError
from flight.settings import SettingsError
from ground.catalogue import CatalogueError
from ground.commands import (
    contacting,
    exporting,
    indexing,
    listing,
    pinging,
    receiving,
    replaying,
    reporting,
    requesting,
    showing,
    tracing,
)
from ground.commands.common import CANNOT, OK, Run, UsageError

_COMMANDS = (
    receiving,
    listing,
    showing,
    replaying,
    exporting,
    reporting,
    requesting,
    pinging,
    tracing,
    contacting,
    indexing,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    run: Run = options.run
    try:
        return run(options)
    except (SettingsError, CatalogueError, UsageError, WireError) as error:
        print(f"ground {options.command}: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Who read our output has seen enough (`ground ls | head`).
        sys.stderr.close()
        return OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"ground {options.command}: {where}{error.strerror or error}", file=sys.stderr)
    return CANNOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ground",
        description="The ground's end of the link: it keeps what arrives and says what it means.",
        epilog="Exit codes: 0 all is well, 1 something was found (a divergence, a loss), 2 it"
        " cannot be done as asked.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
