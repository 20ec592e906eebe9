from dataclasses import dataclass
from pathlib import Path

import pytest

from flight.relay.bpsec import Demand, SecuritySettings, read_policy
from flight.relay.bpsec.integrity import Sha
from flight.settings import SettingsError, parse_settings

KEY = "00112233445566778899aabbccddeeff"


@dataclass(frozen=True)
class Table:
    security: tuple[SecuritySettings, ...] = ()


def key_file(folder: Path, text: str = KEY + "\n", mode: int = 0o600) -> Path:
    path = folder / "some.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_rule_is_read_from_toml_and_its_key_from_the_file_beside_it(tmp_path: Path) -> None:
    key_file(tmp_path)
    text = """
        [[security]]
        source = "ipn:1.*"
        integrity = "require"
        integrity_key_file = "some.key"
        confidentiality = "refuse"
        variant = "sha384"
    """
    table = parse_settings(Table, text, source="test", folder=tmp_path)
    (rule,) = read_policy(table.security).rules
    assert rule.source == "ipn:1.*"
    assert (rule.integrity, rule.confidentiality) == (Demand.REQUIRE, Demand.REFUSE)
    assert rule.integrity_key == bytes.fromhex(KEY)
    assert rule.confidentiality_key == b""
    assert rule.variant is Sha.SHA384


def test_no_rows_ask_for_nothing() -> None:
    assert read_policy(()).rules == ()


@pytest.mark.parametrize(
    ("text", "mode", "say"),
    [
        (KEY, 0o644, "chmod 600"),
        ("no digits", 0o600, "hexadecimal"),
        ("", 0o600, "hexadecimal"),
        ("0011", 0o600, "too short"),
    ],
)
def test_a_key_that_is_no_secret_is_refused(tmp_path: Path, text: str, mode: int, say: str) -> None:
    row = SecuritySettings(integrity_key_file=key_file(tmp_path, text, mode))
    with pytest.raises(SettingsError, match=say):
        read_policy((row,))


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="absent"):
        read_policy((SecuritySettings(integrity_key_file=tmp_path / "absent.key"),))


def test_a_rule_that_could_not_be_kept_is_named() -> None:
    with pytest.raises(SettingsError, match=r"ipn:7\.1.*integrity_key"):
        read_policy((SecuritySettings(source="ipn:7.1", integrity=Demand.REQUIRE),))


def test_a_seal_key_has_the_length_of_an_aes_key(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY + "00")
    with pytest.raises(SettingsError, match="16 or 32"):
        read_policy((SecuritySettings(confidentiality_key_file=path),))
