"""A model's card: what the flight side needs to trust the file, and what people should know.

``facts`` gives the part that flight reads (digest, shapes, grids, known answers); training adds
``policy`` and the prose; ``save`` writes model and card side by side.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flight.board.known_answer import pattern
from models.int8 import oracle
from models.int8.graph import Graph, Value

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KNOWN_ANSWER_SEED = 1
KNOWN_ANSWER_SAMPLES = 192
"""Output samples listed for each output tensor; flight compares each one."""
KNOWN_ANSWER_TOLERANCE = 2
"""Steps: the fast kernels of the runtimes differ from the reference kernels by this much."""

_PLAIN_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def facts(
    graph: Graph,
    model: bytes,
    *,
    name: str,
    version: int,
    task: str,
    output_names: Sequence[str],
) -> dict[str, Any]:
    """Return the part of the card that flight reads, apart from its ``policy``."""
    (source,) = graph.inputs
    answers = oracle.run(graph, pattern(source.shape, KNOWN_ANSWER_SEED))
    return {
        "name": name,
        "version": version,
        "task": task,
        "sha256": hashlib.sha256(model).hexdigest(),
        "bytes": len(model),
        "input": _tensor_facts(source),
        "output": [
            {"name": output_name, **_tensor_facts(value)}
            for output_name, value in zip(output_names, graph.outputs, strict=True)
        ],
        "known_answer": {
            "seed": KNOWN_ANSWER_SEED,
            "output": [_samples(answer) for answer in answers],
        },
    }


def save(folder: Path, model: bytes, card: Mapping[str, Any]) -> None:
    """Write model.tflite and card.toml into a model's folder."""
    (folder / "model.tflite").write_bytes(model)
    (folder / "card.toml").write_text(toml(card), encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """Return a model's card as it stands, all keys."""
    return tomllib.loads((folder / "card.toml").read_text(encoding="utf-8"))


def toml(table: Mapping[str, Any]) -> str:
    """Return a nested mapping as TOML text; its own plain keys come before its tables."""
    return "\n".join(_table_lines(table, ())).strip() + "\n"


def _tensor_facts(value: Value) -> dict[str, Any]:
    if value.grid is None:
        raise ValueError(f"{value.name} is float32; a card describes int8 models")
    return {
        "shape": list(value.shape),
        "scale": value.grid.scale,
        "zero_point": value.grid.zero_point,
    }


def _samples(answer: NDArray[np.int8]) -> dict[str, Any]:
    count = min(answer.size, KNOWN_ANSWER_SAMPLES)
    index = [i * answer.size // count for i in range(count)]
    return {
        "index": index,
        "value": [int(number) for number in answer.reshape(-1)[index]],
        "tolerance": KNOWN_ANSWER_TOLERANCE,
    }


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [
        f"{_key(key)} = {_scalar(value)}" for key, value in table.items() if not _is_table(value)
    ]
    for key, value in table.items():
        if not _is_table(value):
            continue
        inner = (*path, key)
        header = ".".join(_key(part) for part in inner)
        if isinstance(value, Mapping):
            lines += ["", f"[{header}]", *_table_lines(value, inner)]
        else:
            for item in value:
                lines += ["", f"[[{header}]]", *_table_lines(item, inner)]
    return lines


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _key(key: str) -> str:
    return key if key and set(key) <= _PLAIN_KEY else _text(key)


def _scalar(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return _array(value)
    raise TypeError(f"no TOML for {type(value).__name__}")


def _array(values: Sequence[Any]) -> str:
    """Return an array, one text a line or as many numbers a line as fit."""
    items = [_scalar(value) for value in values]
    line = f"[{', '.join(items)}]"
    if len(line) <= 90:
        return line
    if any(isinstance(value, str) for value in values):
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    rows, row = [], "   "
    for item in items:
        if len(row) + len(item) > 94:
            rows.append(row)
            row = "   "
        row += f" {item},"
    return "\n".join(["[", *rows, row, "]"])


def _text(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'
