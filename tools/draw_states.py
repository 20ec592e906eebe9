"""Draw the state tables of the protocol engines: `python -m tools.draw_states`.

An engine's TRANSITIONS is all that moves its state, so the drawing is the behaviour. The text is
Mermaid, which GitHub, GitLab and most editors show as a diagram.
"""

import argparse
import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import Enum
from types import ModuleType

import flight.relay

Table = Mapping[tuple[Enum, Enum], Enum]


def engines() -> Iterator[tuple[str, Table]]:
    """Yield the name and the table of each engine that has one."""
    for found in pkgutil.walk_packages(flight.relay.__path__, "flight.relay."):
        module: ModuleType = importlib.import_module(found.name)
        if hasattr(module, "TRANSITIONS"):
            yield found.name, module.TRANSITIONS


def draw(table: Table) -> str:
    """Return a table as a Mermaid state diagram; signals that do the same share an arrow."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (state, signal), after in table.items():
        arrows[state.name, after.name].append(signal.name.lower().replace("_", " "))
    first, _ = next(iter(table))
    states = {state.name for state, _ in table}
    ends = sorted({after.name for after in table.values()} - states)
    lines = ["stateDiagram-v2", f"    [*] --> {first.name}"]
    lines += [f"    {a} --> {b}: {', '.join(words)}" for (a, b), words in arrows.items()]
    return "\n".join([*lines, *(f"    {end} --> [*]" for end in ends)])


def main() -> None:
    """Print one diagram an engine."""
    parser = argparse.ArgumentParser(
        prog="tools.draw_states",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m tools.draw_states > states.md",
    )
    parser.parse_args()
    for name, table in engines():
        print(f"## {name}\n\n```mermaid\n{draw(table)}\n```\n")


if __name__ == "__main__":
    main()
