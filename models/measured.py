"""Write what an evaluation found into the model's card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.int8 import card

FORM = "value, low, high: 95 % bootstrap interval"


def record(folder: Path, command: str, report: Mapping[str, Any], *, form: str = FORM) -> None:
    """Put the figures of a report's sets into the card, with the command that gave them."""
    known = card.read(folder)
    known["measured"] = {"command": command, "form": form}
    for name, part in report["sets"].items():
        known["measured"] |= _tables(name, _rows(part))
    card.save(folder, (folder / "model.tflite").read_bytes(), known)


def _tables(name: str, rows: dict[str, Any]) -> dict[str, Any]:
    """Return a set as it is, or, where its metrics are given by oxide, one table a metric."""
    by_metric: dict[str, Any] = {}
    for judge, figures in rows.items():
        if not isinstance(figures, Mapping):
            continue
        for metric, found in figures.items():
            if not isinstance(found, Mapping):
                return {name: rows}
            table = by_metric.setdefault(f"{name}_{metric}", {"n": rows["n"]})
            table[judge] = found
    return by_metric


def _rows(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return one set's figures by judge."""
    judged = {"int8": report["int8"], "float": report["float"], **report["baselines"]}
    short = {name: _short(figures) for name, figures in judged.items()}
    return {"n": report["n"], **{name: figures for name, figures in short.items() if figures}}


def _short(figures: Mapping[str, Any]) -> Any:
    """Return figures with each interval as a list of three; what has no value is left out."""
    if "value" in figures:
        return [round(end, 4) for end in figures.values() if end is not None]
    short = {name: _short(figure) for name, figure in figures.items()}
    return {name: figure for name, figure in short.items() if figure}
