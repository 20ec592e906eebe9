"""Write models/README.md from the cards: what each model is for, what it scored, where it fails.

python -m models.readme
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.int8 import card

FOLDER = Path(__file__).parent

HEAD = """# Models

Generated from the cards by `python -m models.readme`; do not edit. A card (`card.toml`, beside
`model.tflite`) holds what flight checks before it trusts a file (digest, shapes, quantisation,
known answers), the thresholds that calibration gave it, and everything below. Figures are
`value (low-high)`, the range a 95 % interval; the card says of which kind.
"""

PROSE = (
    ("purpose", "For"),
    ("input", "Input"),
    ("classes", "Classes"),
    ("hazard", "A hazard is"),
    ("training_data", "Trained on"),
    ("test_only", "Kept for tests"),
    ("data_licence", "Licence of the data"),
    ("calibration", "Calibrated on"),
    ("abundance", "Abundance"),
    ("command", "Trained by"),
    ("reproducible", "Reproducible"),
)


def main() -> None:
    """Write the file."""
    cards = [card.read(path.parent) for path in sorted(FOLDER.glob("*/card.toml"))]
    text = HEAD + "".join("\n" + "\n".join(section(known)) + "\n" for known in cards)
    (FOLDER / "README.md").write_text(text, encoding="utf-8")


def section(known: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines that describe one model."""
    yield f"## {known['name']}, version {known['version']}"
    yield ""
    shape = " x ".join(str(size) for size in known["input"]["shape"])
    yield f"{known['bytes']:,} bytes, input {shape} int8, SHA-256 `{known['sha256'][:16]}...`"
    yield ""
    about = known.get("about", {})
    for key, label in PROSE:
        if key in about:
            text = about[key] if isinstance(about[key], str) else ", ".join(about[key])
            yield f"- {label}: {f'`{text}`' if key == 'command' else text}"
    measured = known.get("measured", {})
    for name, part in measured.items():
        if isinstance(part, Mapping):
            yield from table(name, part, str(part.get("command", measured.get("command", ""))))
    failures = known.get("known_failures", [])
    if failures:
        yield ""
        yield "Known failures:"
        yield ""
        yield from (f"- {failure}" for failure in failures)


def table(name: str, part: Mapping[str, Any], command: str) -> Iterator[str]:
    """Give one test set's figures as a table, a scorer a row."""
    rows = {key: value for key, value in part.items() if isinstance(value, Mapping)}
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    yield ""
    yield f"**{name.replace('_', ' ')}**, n = {part['n']}" + (f", `{command}`" if command else "")
    yield ""
    yield "| | " + " | ".join(metric.replace("_", " ") for metric in metrics) + " |"
    yield "|---" * (len(metrics) + 1) + "|"
    for scorer, row in rows.items():
        cells = [figure(row.get(metric)) for metric in metrics]
        yield f"| {scorer.replace('_', ' ')} | " + " | ".join(cells) + " |"


def figure(interval: Any) -> str:
    """Return a [value, low, high] for people."""
    if not isinstance(interval, list) or not interval:
        return "-"
    # A rate that must be small needs its digits.
    digits = 4 if interval[0] < 0.01 else 3
    value, *ends = (f"{number:.{digits}f}" for number in interval)
    return f"{value} ({'-'.join(ends)})" if ends else value


if __name__ == "__main__":
    main()
