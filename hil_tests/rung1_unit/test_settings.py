from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import pytest

from flight.settings import SettingsError, parse_settings, read_settings


class Colour(IntEnum):
    DARK_RED = 1


@dataclass(frozen=True)
class Inner:
    rate_s: float = 1.0
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.rate_s < 0:
            raise ValueError("rate_s must be 0 or more")


@dataclass(frozen=True)
class Outer:
    number: int
    colour: Colour = Colour.DARK_RED
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()


def parse(text: str) -> Outer:
    return parse_settings(Outer, text, source="mission.toml", folder=Path("/mission"))


def test_every_type_is_read_and_paths_count_from_the_file():
    text = (
        'number = 3\ncolour = "dark-red"\nwords = ["a"]\n'
        '[inner]\nrate_s = 2\nfile = "x/y"\n[[rows]]\n'
    )
    assert parse(text) == Outer(
        3, Colour.DARK_RED, Inner(2.0, Path("/mission/x/y")), (Inner(),), ("a",)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number = 3\nnumbr = 4", "numbr: unknown key; did you mean 'number'"),
        ("number = 3\n[inner]\nrate = 4", "inner.rate: unknown key; did you mean 'rate_s'"),
        ("", "number: is required"),
        ('number = "3"', "number: must be a whole number, not '3'"),
        ("number = true", "number: must be a whole number, not True"),
        ('number = 3\ncolour = "blue"', "colour: must be one of dark-red, not 'blue'"),
        ("number = 3\ninner = 4", "inner: must be a table"),
        ("number = 3\nrows = 4", "rows: must be a list"),
        ("number = 3\n[[rows]]\nrate_s = -1", "rows[0]: rate_s must be 0 or more"),
        ("number = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_key_and_remedy(text: str, said: str):
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert str(caught.value).startswith("mission.toml: ")
    assert said in str(caught.value)


def test_a_missing_or_binary_file_is_a_settings_error(tmp_path: Path):
    with pytest.raises(SettingsError, match="No such file"):
        read_settings(Outer, tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_settings(Outer, tmp_path / "binary.toml")
