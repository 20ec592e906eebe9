"""The listing of all keys: it is TOML, it is whole, and it says what the source says."""

import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from flight.__main__ import main as flight
from flight.config import Config
from flight.settingskeys import key_lines
from ground.__main__ import main as ground
from ground.config import StationConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Colour(Enum):
    DARK_RED = "r"
    BLUE = "b"


@dataclass(frozen=True, slots=True)
class Inner:
    """What is inside."""

    name: str
    """Its name,
    on two lines."""
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True, slots=True)
class Outer:
    """What is outside."""

    place: Path
    colour: Colour = Colour.DARK_RED
    """Its colour."""
    is_on: bool = False
    one: Inner | None = None
    many: tuple[Inner, ...] = field(default=())
    """Each of them."""


def test_keys_defaults_choices_and_meanings():
    assert list(key_lines(Outer)) == [
        "place = ...  # required, path",
        'colour = "dark-red"  # one of "dark-red", "blue"',
        "    # Its colour.",
        "is_on = false",
        "",
        "[one]",
        "    # What is inside.",
        "name = ...  # required, text",
        "    # Its name, on two lines.",
        "sizes = [1, 2]",
        "",
        "[[many]]",
        "    # Each of them.",
        "name = ...  # required, text",
        "    # Its name, on two lines.",
        "sizes = [1, 2]",
    ]


@pytest.mark.parametrize("cls", [Config, StationConfig])
def test_the_listing_is_toml_and_every_key_says_what_it_means(cls: type):
    lines = list(key_lines(cls))
    text = "\n".join(lines).replace("= ...", '= ""')
    table = tomllib.loads(text)
    assert table["node"]["links"][0]["ltp"]["segment_bytes"] == 1400
    silent = [
        line
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
        if "=" in line and not line.startswith(" ") and not below.startswith("    # ")
    ]
    assert len(silent) < 10


@pytest.mark.parametrize(
    ("command", "name"), [(flight, ["run"]), (ground, ["receive"])], ids=["flight", "ground"]
)
def test_the_commands_print_it(command, name: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        command([*name, "--keys"])
    assert end.value.code in {0, None}
    assert "[[node.links]]" in capsys.readouterr().out
