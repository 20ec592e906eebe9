"""The command `flight`: run a board or a relay, and say whether this machine can."""

import argparse
import sys
from pathlib import Path

from flight.operators import add_commands, run_command
from flight.settings import SettingsError
from flight.settingskeys import ShowKeys

EXIT_OK, EXIT_FINDING, EXIT_USE, EXIT_OURS = 0, 1, 2, 70


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="flight",
        description="Onboard software: look, decide, pack, send.",
        epilog="exit codes: 0 done, 1 something was found wanting, 2 bad use or configuration, "
        "70 an error of the software's own",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a board or a relay from its configuration",
        description="Run one node until SIGTERM or SIGINT. With [[sensors]] it is a board: it "
        "reads frames, decides, and sends products. Without, it is a relay.",
        epilog="example: flight run lander.toml",
    )
    run.add_argument("config", type=Path, help="the node's TOML file")
    run.add_argument(
        "--exit-when-done",
        action="store_true",
        help="exit once every sensor has finished and every bundle is acknowledged",
    )
    run.add_argument(
        "--keys",
        action=ShowKeys,
        nargs=0,
        const="flight.config:Config",
        help="print every key of that file with its default and its meaning, and exit",
    )
    selftest = commands.add_parser(
        "selftest",
        help="say, line by line, whether this machine can fly",
        description="Check Python, runtime, models, store, clock, disk and ports. Exits with 1 "
        "when a line fails.",
        epilog="example: flight selftest lander.toml",
    )
    selftest.add_argument("config", type=Path, nargs="?", help="check this configuration too")
    add_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            from flight.run import run_node

            return run_node(chosen.config, exit_when_done=chosen.exit_when_done)
        if chosen.command in {"link", "bundle"}:
            return run_command(chosen, sys.stdout)
        from flight.check import check

        return check(chosen.config, sys.stdout)
    except SettingsError as error:
        return complain(str(error))


def complain(what: str) -> int:
    """Say what is wrong with what the user gave; return the exit code for it."""
    sys.stderr.write(f"flight: {what}\n")
    return EXIT_USE


if __name__ == "__main__":
    sys.exit(main())
