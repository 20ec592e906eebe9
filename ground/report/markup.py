"""HTML that cannot be broken out of: whatever is not markup already is escaped.

Sensor names, event words and replies come from the link. They are plain ``str``; only ``tag`` and
``join`` make ``Html``, and both escape every ``str`` they are given.
"""

from collections.abc import Iterable
from html import escape

from ground.console import clean


class Html(str):
    """Text that is markup. Made by ``tag`` and ``join`` alone."""

    __slots__ = ()


Child = str | int | Html
_EMPTY = frozenset(("br", "meta", "input", "image", "rect", "circle", "line", "path"))


def tag(name: str, /, *children: Child, **attributes: str | int | float) -> Html:
    """Return an element. ``class_`` stands for class, and ``_`` in a name for ``-``."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value), quote=True)}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY and not children:
        return Html(f"<{name}{said}/>")
    return Html(f"<{name}{said}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Html:
    """Return pieces one after the other, each escaped unless it is markup."""
    pieces = [c if isinstance(c, Html) else escape(clean(str(c), 4000)) for c in children]
    return Html(escape(between).join(pieces))


def _number(value: str | int | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else clean(str(value), 10_000_000)
