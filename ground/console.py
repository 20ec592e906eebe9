"""Words for the terminal: tables, progress, and text that came from the link made harmless."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from ground.archive import Progress

try:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
except ImportError:  # the `ground` extra is not installed: plain lines do
    RichProgress = None  # type: ignore[assignment, misc]  # a class that may be absent

_WORTH_TELLING = 20
"""Without a terminal, shorter work is done before anybody asks."""
_PLAIN_STEP = 10
"""Without a terminal, a line each this many per cent."""


def clean(text: str, most: int = 500) -> str:
    """Return text from the link with everything a terminal would act on replaced."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in cut)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> str:
    """Return rows in aligned columns under a head, as lines.

    ``right``: one character a column, ``r`` where it is flush right.
    """
    cells = [list(head), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    sides = right.ljust(len(head))

    def line(row: list[str]) -> str:
        aligned = (
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        )
        return "  ".join(aligned).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


@contextmanager
def progress_bar(
    title: str, *, shown: bool = True, stream: TextIO | None = None
) -> Iterator[Progress]:
    """Show how far long work is: a bar on a terminal, a line every tenth part elsewhere."""
    out = stream or sys.stderr
    if not shown:
        yield lambda _done, _total: None
    elif RichProgress is not None and out.isatty():
        with _rich(title) as show:
            yield show
    else:
        yield _plain(title, out)


@contextmanager
def _rich(title: str) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with RichProgress(*columns, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def _plain(title: str, out: TextIO) -> Progress:
    shown = -_PLAIN_STEP

    def show(done: int, total: int) -> None:
        nonlocal shown
        if total < _WORTH_TELLING:
            return
        percent = 100 * done // max(total, 1)
        if percent >= shown + _PLAIN_STEP:
            shown = percent - percent % _PLAIN_STEP
            print(f"{title}: {percent} %", file=out, flush=True)

    return show
