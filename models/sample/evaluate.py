"""Measure the sample model on cases it never saw.

    python -m models.sample.evaluate [--cases N] [--json]
        its own held-out regimes of the simulator, N cases each (default 3000): lighting, fine and
        coarse grains, friction, sensors, kinds of fault, and most of these together; none of them
        was trained or calibrated on
    python -m models.sample.evaluate --frames FILE.npz [--json]
        your own cases: frames (N, rows + 11, columns) unsigned integers, a picture of the open
        canister of at least 96 x 96 pixels and below it the eleven rows of telemetry that
        flight/autonomy/sample.py lists, time along the columns, 0 where a value was lost;
        gap_um (N) the widest gap between lid and seal in micrometres, infinite where the lid
        jammed on its way; mass_g (N) in the canister; spilled_g (N) beside it; jammed (N) bool,
        scoop or lid

For the int8 model on the flight runtime, its float twin, the same network shown only one half of a
case, and classical methods on hand-made features, each with thresholds from the same calibration
cases, and with exact 95 % intervals (Clopper and Pearson):

    false_sealed_rate     share of the canisters that are not tight which are called sealed
    no_answer_rate        share of all cases without an answer, unusable frames among them
    accuracy              share of the answered cases named right: sealed, seal obstructed, jam,
                          or nothing acquired, the gravest where several are so
    false_open_rate       share of the tight canisters that are called open
    false_acquired_rate   share of the answered cases without a sample in which one is reported
    amount_accuracy       share of the answered cases whose bracket of the amount is right
    spill_accuracy        share of the answered cases in which a spill is rightly told
    jam_recall            share of the answered cases with a jam in which it is told
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.measured import record
from models.sample import data
from models.sample.casefile import FormError, read_cases
from models.sample.data import Cases
from models.sample.judges import Judged, calibrated
from models.sample.scoring import Heads, metrics

FOLDER = Path(__file__).resolve().parent
CASES = 3000
COMMAND = "python -m models.sample.evaluate"
EXACT = "value, low, high: exact 95 % interval (Clopper and Pearson)"
Report = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the evaluation that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=Path, metavar="FILE.npz", help="your own cases")
    parser.add_argument("--cases", type=int, default=CASES, help="cases a regime (default 3000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--model", type=Path, default=FOLDER, help="folder of model and card")
    parser.add_argument("--card", action="store_true", help="write its own sets' figures there")
    options = parser.parse_args(arguments)
    try:
        judged = calibrated(options.model)
        if options.frames:
            report = report_on(judged, read_cases(options.frames))
        else:
            report = own_regimes(judged, options.cases)
    except FormError as error:
        print(f"models.sample.evaluate: {error}", file=sys.stderr)
        return 2
    if options.card and not options.frames:
        record(options.model, f"{COMMAND} --cases {options.cases}", report, form=EXACT)
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return 0


def own_regimes(judged: list[Judged], count: int) -> Report:
    """Return the report on all held-out regimes together, and on each."""
    regimes = data.held_out(count)
    said = {name: [j.judge(cases) for j in judged] for name, cases in regimes.items()}
    every = [np.concatenate(heads) for heads in zip(*said.values(), strict=True)]
    whole = _report(judged, every, data.together(regimes.values()))
    parts = {name: _report(judged, said[name], cases) for name, cases in regimes.items()}
    return {**whole, "sets": {"all_regimes": whole, **parts}}


def report_on(judged: list[Judged], cases: Cases) -> Report:
    """Return every judge's metrics on some cases."""
    return _report(judged, [j.judge(cases) for j in judged], cases)


def _report(judged: list[Judged], heads: list[Heads], cases: Cases) -> Report:
    figures = {
        j.name: metrics(said, cases, j.policy) for j, said in zip(judged, heads, strict=True)
    }
    int8, float_ = figures.pop("int8"), figures.pop("float")
    opened = int((~cases.sealed).sum())
    return {
        "n": len(cases.inputs), "n_open": opened,
        "int8": int8, "float": float_, "baselines": figures,
    }  # fmt: skip


def as_text(report: Report) -> str:
    """Return the report as tables for people."""
    lines = []
    for name, part in report.get("sets", {"cases": report}).items():
        lines.append(f"\n{name}: n = {part['n']}, {part['n_open']} of them not tight")
        rows = {"int8": part["int8"], "float": part["float"], **part["baselines"]}
        for judge, figures in rows.items():
            cells = "  ".join(f"{metric} {_cell(f)}" for metric, f in figures.items())
            lines.append(f"  {judge:15s} {cells}")
    return "\n".join(lines)


def _cell(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    return "{value:.4f} ({low:.4f}-{high:.4f})".format(**figure)


if __name__ == "__main__":
    sys.exit(main())
