"""The import table of the README, enforced: data runs one way."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = {
    "flight.instant",
    "flight.settings",
    "flight.settingskeys",
    "flight.product",
    "flight.relay",
    "flight.autonomy",
}
MAY_IMPORT = {
    "flight.instant": set[str](),
    "flight.settings": set[str](),
    "flight.settingskeys": set[str](),
    "flight.product": {"flight.instant"},
    "flight.relay": {"flight.instant", "flight.settings"},
    "flight.autonomy": {"flight.instant", "flight.product"},
    "flight.ports": {"flight.instant", "flight.relay"},
    "flight.board": PURE | {"flight.ports"},
    "ground": PURE | {"flight.ports"},
    "models": PURE
    | {
        "flight.board.runtime",
        "flight.board.sensors",
        "flight.board.card",
        "flight.board.known_answer",
        "tools.sim",
    },
}
OUTSIDE = {
    "flight.instant": set[str](),
    "flight.settings": {"tomli"},
    "flight.settingskeys": set[str](),
    "flight.product": {"numpy", "msgpack"},
    "flight.relay": {"google_crc32c", "cryptography"},
    "flight.autonomy": {"numpy"},
    "flight.ports": {"numpy", "serial"},
    "flight.board": {"numpy", "msgpack", "tflite_runtime", "ai_edge_litert"},
}
HOUSE = {"flight", "ground", "models", "hil_tests", "tools"}


def layer_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "flight" else parts[0]


def cases() -> list[tuple[str, Path]]:
    files = [
        *ROOT.glob("flight/**/*.py"),
        *ROOT.glob("ground/**/*.py"),
        *ROOT.glob("models/**/*.py"),
    ]
    names = [(".".join(f.relative_to(ROOT).with_suffix("").parts), f) for f in files]
    return [(name, f) for name, f in names if layer_of(name) in MAY_IMPORT]


def imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.append(node.module or "")
    return names


@pytest.mark.parametrize(("module", "path"), cases(), ids=lambda v: v if isinstance(v, str) else "")
def test_imports_point_inwards(module: str, path: Path) -> None:
    layer = layer_of(module)
    for name in imports(path):
        if name.split(".")[0] in HOUSE:
            inside = layer_of(name) == layer or any(
                name == allowed or name.startswith(allowed + ".") for allowed in MAY_IMPORT[layer]
            )
            assert inside, f"{module} may not import {name}"


@pytest.mark.parametrize(
    ("module", "path"),
    [(name, path) for name, path in cases() if layer_of(name) in OUTSIDE],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_layer_of_flight_keeps_to_its_libraries(module: str, path: Path) -> None:
    allowed = OUTSIDE[layer_of(module)] | sys.stdlib_module_names | HOUSE | {"tomllib"}
    for name in imports(path):
        assert name.split(".")[0] in allowed, f"{module} may not import {name}"
