"""Measurements of farside, as ratios inside one run.

Each bench is a module of this folder with ``add_arguments(parser)`` and ``run(arguments)``, which
returns a dict of figures. Machines are noisy: trust ratios, not seconds.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from tools.bench.arrays import ArrayFileError

UNUSABLE = 2
"""Exit code where an argument cannot be used, as argparse has it."""
BENCHES = {
    "footprint": "memory of control process and worker, time to first decision, import time",
    "loop": "the longest turn of the control loop while large frames are handled",
    "link": "goodput over the limit, CPU a megabyte, beside raw UDP",
    "store": "the durable store beside append and fdatasync",
    "bundle_codec": "bundle encode and strict decode beside pyD3TN",
    "codecs": "bits a sample and speed, beside the space standards",
    "models": "pipeline over bare invoke, spectra a second",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one bench and print its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description=__doc__.splitlines()[0],
        epilog="example: python -m tools.bench footprint --json",
    )
    benches = parser.add_subparsers(dest="bench", required=True, metavar="NAME")
    for name, words in BENCHES.items():
        if not (Path(__file__).parent / f"{name}.py").exists():
            continue
        module = importlib.import_module(f"tools.bench.{name}")
        example = getattr(module, "EXAMPLE", "--json")
        bench = benches.add_parser(
            name,
            help=words,
            description=words,
            epilog=f"example: python -m tools.bench {name} {example}",
        )
        bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
        module.add_arguments(bench)
    chosen = parser.parse_args(arguments)
    try:
        figures = importlib.import_module(f"tools.bench.{chosen.bench}").run(chosen)
    except ArrayFileError as error:
        print(f"python -m tools.bench {chosen.bench}: {error}", file=sys.stderr)
        return UNUSABLE
    if chosen.json:
        print(json.dumps(figures, indent=1))
    else:
        print("\n".join(_lines(figures)))
    return 0


def _lines(figures: Any, indent: str = "") -> list[str]:
    """Return figures as indented lines for people."""
    lines: list[str] = []
    pairs = figures.items() if isinstance(figures, dict) else enumerate(figures)
    for name, value in pairs:
        if isinstance(value, dict | list):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            lines.append(f"{indent}{name}: {shown}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
