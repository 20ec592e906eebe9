"""TOML into frozen dataclasses: every key known, every value of its type, every error named.

A settings class is a frozen dataclass. Its field types may be bool, int, float, str, Path, an
Enum (written by its name in lower case), another settings class, ``tuple`` of these, or any of
these ``| None``. A field without a default is required.
"""

import dataclasses
import difflib
import sys
import types
from enum import Enum
from pathlib import Path
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_FILE_BYTES = 1 << 20

SettingsT = TypeVar("SettingsT")


class SettingsError(ValueError):
    """A settings file is wrong; the message names file, key and remedy."""


def read_settings(cls: type[SettingsT], path: Path) -> SettingsT:
    """Return ``cls`` filled from one TOML file; relative paths count from the file's folder.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or does not fit ``cls``.
    """
    return parse_settings(cls, read_text(path), source=str(path), folder=path.resolve().parent)


def read_text(path: Path) -> str:
    """Return a settings file's text, at most MAX_FILE_BYTES of it.

    Raises:
        SettingsError: the file cannot be read, or is larger than any settings file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SettingsError(f"{path}: larger than {MAX_FILE_BYTES} bytes; is it a TOML file?")
        return data.decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"{path}: {reason}; give the path of a TOML file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def parse_settings(cls: type[SettingsT], text: str, *, source: str, folder: Path) -> SettingsT:
    """Return ``cls`` filled from TOML text.

    Raises:
        SettingsError: the text is not TOML or does not fit ``cls``.
    """
    return _Reader(source, folder).table(cls, _toml(text, source), "")


def read_table(path: Path) -> dict[str, object]:
    """Return a TOML file as it stands, for readers that leave some of its keys to people.

    Raises:
        SettingsError: the file cannot be read, or is not TOML.
    """
    return _toml(read_text(path), str(path))


def _toml(text: str, source: str) -> dict[str, object]:
    try:
        table: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: not valid TOML: {error}") from error
    return table


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader:
    source: str
    folder: Path

    def table(self, cls: type[SettingsT], table: object, where: str) -> SettingsT:
        if not isinstance(table, dict):
            raise self.wrong(where, f"must be a table, not {_say(table)}")
        hints = get_type_hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cast("type", cls))}
        for key in table:
            if key not in fields:
                raise self.wrong(_join(where, str(key)), _unknown(str(key), list(fields)))
        values: dict[str, object] = {}
        for name, field in fields.items():
            if name in table:
                values[name] = self.value(hints[name], table[name], _join(where, name))
            elif (
                field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            ):
                raise self.wrong(_join(where, name), "is required; add it")
        try:
            return cls(**values)
        except ValueError as error:
            raise self.wrong(where or "settings", str(error)) from error

    def value(self, hint: object, value: object, where: str) -> object:
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            inner = [kind for kind in get_args(hint) if kind is not type(None)]
            return self.value(inner[0], value, where)
        if origin is tuple:
            if not isinstance(value, list):
                raise self.wrong(where, f"must be a list, not {_say(value)}")
            kind = get_args(hint)[0]
            return tuple(self.value(kind, v, f"{where}[{i}]") for i, v in enumerate(value))
        if dataclasses.is_dataclass(hint):
            return self.table(cast("type[object]", hint), value, where)
        if isinstance(hint, type):
            return self.scalar(hint, value, where)
        raise TypeError(f"{where}: settings cannot hold {hint}")

    def scalar(self, kind: type, value: object, where: str) -> object:
        if issubclass(kind, Enum):
            names = {member.name.lower().replace("_", "-"): member for member in kind}
            if not isinstance(value, str) or value not in names:
                raise self.wrong(where, f"must be one of {', '.join(names)}, not {_say(value)}")
            return names[value]
        if kind is Path and isinstance(value, str):
            return (self.folder / value).resolve() if value else Path()
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise self.wrong(where, f"must be {_NAMES.get(kind, kind.__name__)}, not {_say(value)}")

    def wrong(self, where: str, what: str) -> SettingsError:
        return SettingsError(f"{self.source}: {where}: {what}")


_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    Path: "a path in quotes",
}


def _say(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unknown(key: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(valid)}"
    return f"unknown key; {hint}"
