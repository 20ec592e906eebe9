"""Measure the X-ray model on spectra it never saw.

    python -m models.xrf.evaluate [--data DIR] [--json]
        its own held-out sets: each mission's samples by a model trained without that mission, at
        1e5 and 1e7 counts (simulated spectra); the measured glass BCR-2G; metal beside the
        sample (simulated), and the measured metal cross-hair beside the measured basalt puck
    python -m models.xrf.evaluate --spectra FILE.msa --composition FILE.toml [--json]
        one measured spectrum in the EMSA/MAS format, XPERCHAN, OFFSET and XUNITS given, channels
        covering 960-8640 eV; and what the sample is made of, as TOML:
            [oxides_wt_percent]
            SiO2 = 54.1
            FeO = 12.4
        of SiO2, TiO2, Al2O3, FeO, MgO, CaO, Na2O, K2O, any that are known

For the int8 model on the flight runtime, its float twin and two least-squares peak fits (by
sensitivities of BHVO-2G; by inverting fundamental parameters): by oxide

    rmse_wt_percent      root mean square error in mass percent, bootstrap 95 % over samples
    relative_error       (found - true) / true; its median where there are many samples
    contamination_auroc  chance that a spectrum with metal shows a larger share of metal lines

The peak fits are calibrated at run time, so --spectra needs the data as well.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flight.board.sensors.reading import FrameError
from models.measured import record
from models.mineral.library import find_data
from models.xrf import sets
from models.xrf.compositions import ANSWERED
from models.xrf.judges import Judge, judges_of
from models.xrf.response import calibrate
from models.xrf.sets import FormError, Sample

FOLDER = Path(__file__).resolve().parent
COMMAND = "python -m models.xrf.evaluate"
Report = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the evaluation that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spectra", type=Path, metavar="FILE.msa", help="a measured spectrum")
    parser.add_argument("--composition", type=Path, metavar="FILE.toml", help="what it is of")
    parser.add_argument("--data", type=Path, help="folder of real data; default ../shared/data")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--card", action="store_true", help="write its own sets' figures there")
    options = parser.parse_args(arguments)
    if (options.spectra is None) != (options.composition is None):
        parser.error("--spectra and --composition belong together")
    try:
        data = find_data(options.data)
        if options.spectra:
            sample = sets.read_sample(options.spectra, options.composition)
            report = report_on(sample, judges_of(FOLDER, calibrate(data)))
        else:
            report = own_sets(data)
    except (FormError, FrameError, OSError, ValueError) as error:
        print(f"models.xrf.evaluate: {error}", file=sys.stderr)
        return 2
    if options.card and "sets" in report:
        record(FOLDER, COMMAND, report)
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return 0


def own_sets(data: Path) -> Report:
    """Return the report on the held-out sets; the short dwell stands at the top as well."""
    response = calibrate(data)
    short = on_missions(data, response, sets.SHORT_DWELL)
    parts = {
        "missions_1e5_counts": short,
        "missions_1e7_counts": on_missions(data, response, sets.LONG_DWELL),
        "measured_bcr_2g": report_on(sets.bcr(data), judges_of(FOLDER, response)),
    }
    metal = {
        "metal_simulated": sets.simulated_contamination(data, response),
        "metal_measured": sets.measured_contamination(data),
    }
    parts |= {name: {"n": n, "int8": {"contamination_auroc": found}, "float": {}, "baselines": {}}
              for name, (n, found) in metal.items()}  # fmt: skip
    found = parts["metal_simulated"]["int8"]["contamination_auroc"]
    return {**short, "int8": {**short["int8"], "contamination_auroc": found}, "sets": parts}


def on_missions(data: Path, response: Any, total: float) -> Report:
    """Return every judge's metrics on all missions, each by a model that had not seen it."""
    pieces = sets.missions(data, response, total)
    said: dict[str, list[np.ndarray]] = {}
    for mission, sample in pieces.items():
        for name, judge in judges_of(FOLDER / "held_out" / mission, response).items():
            said.setdefault(name, []).append(judge(sample.binned))
    truth = np.concatenate([sample.percent for sample in pieces.values()])
    return _report(truth, {name: np.concatenate(rows) for name, rows in said.items()})


def report_on(sample: Sample, judges: dict[str, Judge]) -> Report:
    """Return every judge's metrics on some spectra."""
    return _report(sample.percent, {name: judge(sample.binned) for name, judge in judges.items()})


def _report(truth: np.ndarray, said: dict[str, np.ndarray]) -> Report:
    figures = {name: sets.metrics(truth, percent) for name, percent in said.items()}
    int8, float_ = figures.pop("int8"), figures.pop("float")
    return {"n": len(truth), "int8": int8, "float": float_, "baselines": figures}


def as_text(report: Report) -> str:
    """Return the report as tables for people."""
    tables = []
    for name, part in report.get("sets", {"spectra": report}).items():
        if "contamination_auroc" in part["int8"] and "rmse_wt_percent" not in part["int8"]:
            cell = _cell(part["int8"]["contamination_auroc"])
            tables.append(f"{name}, contamination_auroc, n = {part['n']}: {cell}")
            continue
        tables += [_table(name, m, part) for m in ("rmse_wt_percent", "relative_error")]
    return "\n\n".join(tables)


def _table(name: str, metric: str, report: Report) -> str:
    judged = {"int8": report["int8"], "float": report["float"], **report["baselines"]}
    lines = [
        f"{name}, {metric}, n = {report['n']}",
        " " * 18 + "".join(f"{o:>22}" for o in ANSWERED),
    ]
    for judge, figures in judged.items():
        cells = (figures[metric].get(oxide) for oxide in ANSWERED)
        lines.append(f"{judge:18}" + "".join(f"{_cell(cell):>22}" for cell in cells))
    return "\n".join(lines)


def _cell(figure: dict[str, float | None] | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return "{value:.3f} ({low:.3f}, {high:.3f})".format(**figure)


if __name__ == "__main__":
    sys.exit(main())
