"""Bytes that came on a line, taken piece by piece."""

from collections.abc import Callable


def take_pieces(heard: bytearray, step: Callable[[int], int | None]) -> None:
    """Let ``step`` take what was heard from one place after the other, until it returns None.

    What it took is forgotten, also when it raises.
    """
    at = 0
    try:
        while (after := step(at)) is not None:
            at = after
    finally:
        del heard[:at]
