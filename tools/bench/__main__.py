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
        bench = benches.add_parser(name, help=words, description=words)
        bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
        importlib.import_module(f"tools.bench.{name}").add_arguments(bench)
    chosen = parser.parse_args(arguments)
    figures = importlib.import_module(f"tools.bench.{chosen.bench}").run(chosen)
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
