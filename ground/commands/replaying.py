"""`ground replay`: every decision again, from the journal."""

import argparse

from ground.archive import open_archive
from ground.commands.common import (
    FOUND,
    OK,
    Subparsers,
    add_archive,
    add_command,
    add_json,
    print_json,
)
from ground.console import clean, progress_bar
from ground.library import Library, Trouble
from ground.replay import Check, Outcome, Replay, replay
from ground.verify import FrameCheck, verify_frames

MOST_NAMED = 10
"""Steps that could not be repeated are named up to this many; JSON names all."""


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "replay",
        run,
        about="repeat every decision from the journal; exit 1 unless all are here and all agree",
        example="ground replay --archive station/archive",
    )
    add_archive(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Repeat every decision, and check every whole frame."""
    with open_archive(options.archive) as archive, progress_bar("replay") as progress:
        library = Library(archive)
        result = replay(library, progress)
        frames = verify_frames(library)
    troubles = library.logbook.troubles
    if options.json:
        print_json(replay_json(result, frames))
    else:
        print("\n".join([*_lines(result), *_frame_lines(frames), *_trouble_lines(troubles)]))
    whole = all(check.identical for check in frames)
    return OK if result.identical and whole and not troubles else FOUND


def replay_json(result: Replay, frames: tuple[FrameCheck, ...]) -> dict[str, object]:
    """Return what came of a replay, for scripts."""
    counts = {outcome.value: result.count(outcome) for outcome in Outcome}
    first = result.first_divergence
    unresolved = (Outcome.UNCHECKED, Outcome.MISSING)
    return {
        "decisions": sum(counts.values()),
        **counts,
        "identical": result.identical,
        "first_divergence": _check_json(first) if first else None,
        "unresolved": [_check_json(c) for c in result.checks if c.outcome in unresolved],
        "frames_whole": sum(check.identical for check in frames),
        "frames_unproved": [
            {"product": str(check.product), "fault": check.what}
            for check in frames
            if not check.identical
        ],
    }


def _check_json(check: Check) -> dict[str, object]:
    return {
        "node": check.node,
        "step": check.step,
        "last_step": check.last_step,
        "outcome": check.outcome.value,
        "what": check.what,
        "board": check.board,
        "ground": check.ground,
    }


def _lines(result: Replay) -> list[str]:
    total = sum(check.steps for check in result.checks)
    if not total:
        return ["no decision has arrived"]
    agree = result.count(Outcome.AGREES)
    if result.identical:
        return [f"all {total} decisions agree, and the chained digest vouches for each"]
    lines = [f"{agree} of {total} decisions agree"]
    first = result.first_divergence
    if first is not None:
        diverge = result.count(Outcome.DIVERGES)
        lines += [
            f"{diverge} diverge; the first is {_steps(first)}: {clean(first.what)}",
            f"  board   {clean(first.board)}",
            f"  ground  {clean(first.ground)}",
        ]
    for outcome, words in (
        (Outcome.MISSING, "missing: not here, so nothing is claimed of them"),
        (Outcome.UNCHECKED, "unchecked: something they were made from is not here yet"),
    ):
        found = [check for check in result.checks if check.outcome is outcome]
        if found:
            lines.append(f"{result.count(outcome)} {words}")
            lines += [f"  {_steps(check)}: {clean(check.what)}" for check in found[:MOST_NAMED]]
            lines += [f"  and {len(found) - MOST_NAMED} more"] * (len(found) > MOST_NAMED)
    return lines


def _steps(check: Check) -> str:
    if check.steps == 1:
        return f"node {check.node} step {check.step}"
    return f"node {check.node} steps {check.step}-{check.last_step}"


def _frame_lines(frames: tuple[FrameCheck, ...]) -> list[str]:
    if not frames:
        return ["no whole frame has arrived"]
    whole = sum(check.identical for check in frames)
    lines = [f"{whole} of {len(frames)} whole frames are bit for bit what the sensor gave"]
    return lines + [
        f"  {clean(check.sensor)} frame {check.frame_number}: {clean(check.what)}"
        for check in frames
        if not check.identical
    ]


def _trouble_lines(troubles: list[Trouble]) -> list[str]:
    return [f"product {trouble.product}: {clean(trouble.reason)}" for trouble in troubles]
