"""A lander whose loop is timed, turn by turn: ``python -m tools.bench.loop_turns CONFIG.toml``.

It ends when every product is in the store, and prints the figures.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import flight.run
from flight.board.sealedvalues import SealedFrame
from flight.board.sensorhost import HostedSensor, SealedDelivery
from flight.craft import Craft
from flight.instant import Clock, Instant
from flight.loop import Loop, Member


class Turns:
    """All members of a loop as one, timed."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self.walls: list[float] = []
        self.processors: list[float] = []
        self.words: list[str] = []

    def filenos(self) -> tuple[int, ...]:
        """Return all their descriptors."""
        return tuple(fileno for member in self._members for fileno in member.filenos())

    def next_deadline_ns(self) -> int | None:
        """Return the earliest of their deadlines."""
        deadlines = [member.next_deadline_ns() for member in self._members]
        return min((due for due in deadlines if due is not None), default=None)

    def turn(self, now: Instant) -> None:
        """Turn each of them and note what it took."""
        spent, started_s = {}, time.thread_time()
        for member in self._members:
            began_s = time.perf_counter()
            member.turn(now)
            spent[type(member).__name__] = time.perf_counter() - began_s
        self.processors.append(time.thread_time() - started_s)
        self.walls.append(sum(spent.values()))
        self.words.append(f"{Latest.words}: {max(spent, key=lambda name: spent[name])}")


class Latest:
    """The frame that came last."""

    words = "before the first frame"


def _watched(
    poll: Callable[[HostedSensor, Instant], tuple[SealedDelivery, ...]],
) -> Callable[[HostedSensor, Instant], tuple[SealedDelivery, ...]]:
    def watched(sensor: HostedSensor, now: Instant) -> tuple[SealedDelivery, ...]:
        found = poll(sensor, now)
        for one in found:
            if isinstance(one, SealedFrame):
                Latest.words = f"{sensor.name} frame {one.frame.number}"
        return found

    return watched


class TimedLoop(Loop):
    """The loop, its members timed; it ends when the craft is idle."""

    def __init__(self, clock: Clock, members: Sequence[Member]) -> None:
        self.turns = Turns(members)
        (self._craft,) = (member for member in members if isinstance(member, Craft))
        super().__init__(clock, [self.turns])

    def run(
        self, *, stop: Callable[[Instant], bool], after_turn: Callable[[Instant], None]
    ) -> Instant:
        """Turn until all is in the store; print the figures."""
        now = super().run(stop=lambda at: stop(at) or self._craft.idle, after_turn=after_turn)
        turns = self.turns
        longest = int(np.argmax(turns.walls))
        figures = {
            "longest_turn_ms": max(turns.walls) * 1e3,
            "p99_turn_ms": float(np.percentile(turns.walls, 99)) * 1e3,
            "longest_turn_processor_ms": max(turns.processors) * 1e3,
            "p99_turn_processor_ms": float(np.percentile(turns.processors, 99)) * 1e3,
            "turns": len(turns.walls),
            "steps": self._craft.payload.steps_made,
            "while": turns.words[longest],
            "while_processor": turns.words[int(np.argmax(turns.processors))],
        }
        print(json.dumps(figures))
        return now


if __name__ == "__main__":
    HostedSensor.poll = _watched(HostedSensor.poll)  # type: ignore[method-assign] # to be told
    flight.run.Loop = TimedLoop  # type: ignore[misc] # the composition root takes it from there
    sys.exit(flight.run.run_node(Path(sys.argv[1]), exit_when_done=False))
