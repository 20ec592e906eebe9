from pathlib import Path

import pytest

from flight.instant import Instant
from flight.loop import Loop
from flight.product.events import Event
from flight.watch import RECENT_EVENTS, Recent, take_last_words, write_last_words


class Clock:
    """A clock that moves by one second each time it is read."""

    def __init__(self) -> None:
        self.mono_ns = 0

    def now(self) -> Instant:
        self.mono_ns += 1_000_000_000
        return Instant(self.mono_ns, 0)


class Member:
    """Counts its turns; always due."""

    def __init__(self) -> None:
        self.turns: list[int] = []

    def filenos(self) -> tuple[int, ...]:
        return ()

    def next_deadline_ns(self) -> int | None:
        return 0

    def turn(self, now: Instant) -> None:
        self.turns.append(now.mono_ns)


def test_every_member_gets_the_same_instant_of_a_turn():
    first, second = Member(), Member()
    seen: list[int] = []
    loop = Loop(Clock(), [first, second])
    loop.run(stop=lambda _: len(seen) == 3, after_turn=lambda now: seen.append(now.mono_ns))
    assert first.turns == second.turns == seen
    assert len(set(seen)) == 3


def test_what_ended_a_life_is_told_once_in_the_next(tmp_path: Path, capsys):
    try:
        raise ZeroDivisionError("our own mistake")
    except ZeroDivisionError as error:
        write_last_words(tmp_path, error)
    assert "our own mistake" in capsys.readouterr().err
    words = take_last_words(tmp_path)
    assert "our own mistake" in words
    assert "test_watch.py" in words
    assert take_last_words(tmp_path) == ""


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"one line"])
def test_damaged_last_words_are_still_words(tmp_path: Path, data: bytes):
    (tmp_path / "last-words").write_bytes(data)
    assert take_last_words(tmp_path) == "unknown"


def test_only_the_last_events_are_listed():
    recent = Recent()
    for number in range(RECENT_EVENTS + 3):
        recent.note(Event.SENSOR_DONE(sensor="a", frames=number), Instant(1, 2))
    listed = recent.listed()
    assert len(listed) == RECENT_EVENTS
    assert listed[-1]["words"] == f"a: no more frames after {RECENT_EVENTS + 2}"
