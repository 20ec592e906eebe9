"""Every key of a settings class, as an operator reads it: TOML with what each key means.

The words are the docstrings in the source, so there is no second text to keep true.
"""

import argparse
import ast
import dataclasses
import importlib
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Union, cast, get_args, get_origin, get_type_hints

_WIDTH = 96


class ShowKeys(argparse.Action):
    """An option like --help: print the keys of a settings class, and exit.

    ``const`` is "module:Class": what that module needs is loaded only when it is asked for.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 - as argparse wants it
        values: object,  # noqa: ARG002 - as above
        option_string: str | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Print and exit."""
        module, _, name = str(self.const).partition(":")
        cls: type = getattr(importlib.import_module(module), name)
        sys.stdout.write("".join(f"{line}\n" for line in key_lines(cls)))
        parser.exit()


def key_lines(cls: type, table: str = "") -> Iterator[str]:
    """Yield the lines of a settings class: its keys, then its tables."""
    hints, docs = get_type_hints(cls), _docs(cls)
    tables = []
    for field in dataclasses.fields(cls):
        kind, is_list = _kind(hints[field.name])
        if dataclasses.is_dataclass(kind):
            tables.append((field.name, cast("type", kind), is_list))
            continue
        yield f"{field.name} = {_default(field, kind, is_list=is_list)}"
        yield from _comment(docs.get(field.name, ""))
    for name, kind, is_list in tables:
        path = f"{table}.{name}" if table else name
        yield ""
        yield f"[[{path}]]" if is_list else f"[{path}]"
        yield from _comment(docs.get(name, "") or (kind.__doc__ or ""))
        yield from key_lines(kind, path)


def _kind(hint: object) -> tuple[object, bool]:
    """Return what a value is, or each of a list's, and whether it is a list."""
    if get_origin(hint) in (Union, types.UnionType):
        return _kind(next(kind for kind in get_args(hint) if kind is not type(None)))
    if get_origin(hint) is tuple:
        return _kind(get_args(hint)[0])[0], True
    return hint, False


def _default(field: "dataclasses.Field[object]", kind: object, *, is_list: bool) -> str:
    choices = ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = "  # one of " + ", ".join(_say(member) for member in kind)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        name = "list" if is_list else _NAMES.get(cast("type", kind), "text")
        return f"...  # required, {name}" if not choices else f"...{choices}; required"
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    return _say(value) + choices


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return f'"{value.name.lower().replace("_", "-")}"'
    if isinstance(value, str | Path):
        return f'"{value}"' if value != Path() else '""'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_say, value))}]"
    return '""' if value is None else str(value)


_NAMES = {bool: "true or false", int: "whole number", float: "number", Path: "path"}


def _comment(text: str) -> Iterator[str]:
    words = " ".join(text.split())
    yield from textwrap.wrap(words, _WIDTH, initial_indent="    # ", subsequent_indent="    # ")


def _docs(cls: type) -> dict[str, str]:
    """Return the docstring below each field."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[cast("ast.Name", cast("ast.AnnAssign", field).target).id] = str(below.value.value)
    return docs
