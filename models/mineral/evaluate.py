"""Measure the mineral model on spectra it never saw.

    python -m models.mineral.evaluate [--data DIR] [--json]
        its own held-out sets: returned lunar samples; every specimen of the library by a model
        that had not seen it; minerals and Martian meteorites that no training held; eight
        minerals of another library in 15 bands
    python -m models.mineral.evaluate --spectra FILE.npz [--json]
        your spectra: wavelength_nm (B) float, at least 6 bands over 400 nm between 450 and 2500
        (bands outside are not looked at); reflectance (N, B) float, 0 to about 1; phase (N)
        text: low-ca-pyroxene, high-ca-pyroxene, olivine, plagioclase, other, anomaly; and, when
        spectra are not independent, group (N) text: the parent specimen

For the int8 model on the flight runtime, its float twin and the classical methods, with 95 %
bootstrap intervals over specimens:

    balanced_accuracy         mean over the classes of the share named right
    ece                       expected calibration error, ten bins; 0 is best
    anomaly_auroc             chance that an anomaly is found stranger than a known mineral
    anomaly_tpr_at_5pct_fpr   share of anomalies found when 5 % of the known raise an alarm

The classical methods learn from the library at run time, so --spectra needs the data as well.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.measured import record
from models.mineral import held_out
from models.mineral.held_out import FOLDS, folder_of, folds_of
from models.mineral.judges import BASELINES, Judge, float_model, int8_model
from models.mineral.library import MARTIAN, RETURNED, Library, find_data, read_library
from models.mineral.metrics import ANOMALY, Said, Truth, metrics
from models.mineral.spectrafile import FormError, Spectra, read_spectra

FOLDER = Path(__file__).resolve().parent
FOREIGN = FOLDER / "foreign_minerals.csv"
FOREIGN_HEADER = 4
"""Lines above the numbers."""
COMMAND = "python -m models.mineral.evaluate"
Report = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the evaluation that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spectra", type=Path, metavar="FILE.npz", help="your own spectra")
    parser.add_argument("--data", type=Path, help="folder of real data; default ../shared/data")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--card", action="store_true", help="write its own sets' figures there")
    options = parser.parse_args(arguments)
    try:
        library = read_library(find_data(options.data))
        if options.spectra:
            report = report_on(read_spectra(options.spectra), FOLDER, library.training())
        else:
            report = own_sets(library)
    except (FormError, FileNotFoundError, ValueError) as error:
        print(f"models.mineral.evaluate: {error}", file=sys.stderr)
        return 2
    if options.card and "sets" in report:
        record(FOLDER, COMMAND, report)
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return 0


def own_sets(library: Library) -> Report:
    """Return the report on the held-out sets; the first one stands at the top as well."""
    known = library.training()
    returned = report_on(returned_samples(library), FOLDER, known)
    sets = {"returned_samples": returned, "held_out_specimens": on_folds(known)}
    sets |= {
        f"without_{mineral}": report_on(*without(known, mineral)) for mineral in held_out.ABSENT
    }
    sets["foreign_minerals"] = report_on(*foreign(known))
    return {**returned, "sets": sets}


def returned_samples(library: Library) -> Spectra:
    """Return the lunar samples, and the Martian meteorites as anomalies."""
    chosen = library.where(np.isin(library.source, (RETURNED, MARTIAN)))
    label = np.where(chosen.source == MARTIAN, ANOMALY, chosen.label)
    return Spectra(chosen.wavelength_nm, chosen.reflectance, Truth(label, chosen.specimen))


def without(known: Library, mineral: str) -> tuple[Spectra, Path, Library]:
    """Return what a model that never saw a mineral is asked, its folder, and what it saw."""
    seen, unseen = held_out.absent(known, mineral)
    label = np.where(held_out.is_absent(unseen, mineral), ANOMALY, unseen.label)
    spectra = Spectra(unseen.wavelength_nm, unseen.reflectance, Truth(label, unseen.specimen))
    return spectra, held_out.FOLDER / f"without_{mineral}", seen


def foreign(known: Library) -> tuple[Spectra, Path, Library]:
    """Return minerals of another library and kind, among known ones that a fold's model never saw.

    All in the few bands in which the strangers were published.
    """
    fold = folds_of(known)
    new, seen = known.where(fold == 0), known.where(fold != 0)
    table = np.loadtxt(FOREIGN, delimiter=",", skiprows=FOREIGN_HEADER)
    table = table[table[:, 0] >= known.wavelength_nm[0]]
    bands, strangers = table[:, 0], table[:, 1:].T
    familiar = np.stack([np.interp(bands, known.wavelength_nm, row) for row in new.reflectance])
    label = np.concatenate([new.label, np.full(len(strangers), ANOMALY)])
    specimen = np.concatenate([new.specimen, -1 - np.arange(len(strangers))])
    spectra = Spectra(bands, np.concatenate([familiar, strangers]), Truth(label, specimen))
    return spectra, folder_of(0), seen


def report_on(spectra: Spectra, folder: Path, library: Library) -> Report:
    """Return every judge's metrics on spectra that the model in ``folder`` has not seen."""
    given: dict[str, Judge] = {"int8": int8_model(folder), "float": float_model(folder)}
    given |= {name: learn(library) for name, learn in BASELINES.items()}
    said = {
        name: judge(spectra.wavelength_nm, spectra.reflectance) for name, judge in given.items()
    }
    return _report(spectra.truth, said)


def on_folds(library: Library) -> Report:
    """Return every judge's metrics on all specimens, each judged by one who had not seen it."""
    fold = folds_of(library)
    parts: dict[str, list[Said]] = {}
    for number in range(FOLDS):
        seen, new = library.where(fold != number), library.where(fold == number)
        folder = folder_of(number)
        given: dict[str, Judge] = {"int8": int8_model(folder), "float": float_model(folder)}
        given |= {name: learn(seen) for name, learn in BASELINES.items()}
        for name, judge in given.items():
            parts.setdefault(name, []).append(judge(new.wavelength_nm, new.reflectance))
    order = np.argsort(np.concatenate([np.flatnonzero(fold == n) for n in range(FOLDS)]))
    said = {name: _joined(pieces, order) for name, pieces in parts.items()}
    return _report(Truth(library.label, library.specimen), said)


def _joined(pieces: list[Said], order: np.ndarray) -> Said:
    return Said(
        np.concatenate([piece.label for piece in pieces])[order],
        np.concatenate([piece.confidence for piece in pieces])[order],
        np.concatenate([piece.strangeness for piece in pieces])[order],
    )


def _report(truth: Truth, said: dict[str, Said]) -> Report:
    figures = {
        name: {metric: interval.plain() for metric, interval in metrics(truth, answer).items()}
        for name, answer in said.items()
    }
    int8, float_ = figures.pop("int8"), figures.pop("float")
    return {"n": len(truth.label), "int8": int8, "float": float_, "baselines": figures}


def as_text(report: Report) -> str:
    """Return the report as tables for people."""
    sets = report.get("sets", {"spectra": report})
    return "\n\n".join(_table(name, part) for name, part in sets.items())


def _table(name: str, report: Report) -> str:
    judged = {"int8": report["int8"], "float": report["float"], **report["baselines"]}
    columns = list(report["int8"])
    lines = [f"{name}, n = {report['n']}", " " * 24 + "".join(f"{c:>26}" for c in columns)]
    for judge, figures in judged.items():
        cells = (figures[c] for c in columns)
        lines.append(f"{judge:24}" + "".join(f"{_cell(cell):>26}" for cell in cells))
    return "\n".join(lines)


def _cell(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    return "{value:.3f} ({low:.3f}-{high:.3f})".format(**figure)


if __name__ == "__main__":
    sys.exit(main())
