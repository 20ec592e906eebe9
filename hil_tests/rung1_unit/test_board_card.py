"""Cards, models and known answers: what is checked before anything parses a model."""

from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from flight.board.card import Card, CardError, read_card, read_model
from flight.board.known_answer import KnownAnswer, OutputAnswer, disagreement, pattern

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(copytree(TINY, tmp_path / "tiny"))


def edited(folder: Path, old: str, new: str) -> Path:
    card = folder / "card.toml"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new, 1))
    return folder


def test_a_card_says_what_flight_must_know() -> None:
    card = read_card(TINY)
    assert (card.name, card.version, card.task) == ("tiny", "1", "mineral")
    assert card.input.shape == (4, 1, 16, 1)
    assert [output.name for output in card.outputs] == ["classes", "features"]
    assert card.policy == (("threshold", -12), ("table", (1, 2, 3)))


def test_a_model_whose_digest_is_its_cards_is_read() -> None:
    assert read_model(TINY, read_card(TINY).digest)[4:8] == b"TFL3"


def test_one_flipped_bit_refuses_the_model(folder: Path) -> None:
    path = folder / "model.tflite"
    data = bytearray(path.read_bytes())
    data[700] ^= 4
    path.write_bytes(data)
    with pytest.raises(CardError, match="SHA-256"):
        read_model(folder, read_card(folder).digest)


def test_a_missing_model_is_named(folder: Path) -> None:
    (folder / "model.tflite").unlink()
    with pytest.raises(CardError, match=r"model\.tflite: No such file"):
        read_model(folder, read_card(folder).digest)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('task = "mineral"\n', "", "task: is required"),
        ("version = 1", "version = true", "version: must be a whole number"),
        ('sha256 = "0d', 'sha256 = "zz', "sha256: must be 64 hexadecimal digits"),
        ("shape = [4, 1, 16, 1]", "shape = [4, 0, 16, 1]", "input.shape: must list positive"),
        ("scale = 0.02", "scale = -1", "input.scale: must be a number above 0"),
        ("zero_point = -3", "zero_point = -129", "zero_point: must be from -128 to 127"),
        ("index = [0, 1", "index = [20, 1", "index: must lie within the output, 0 to 19"),
        ("value = [14, 16", "value = [14", r"value: must be as many as index \(20\)"),
        ("value = [14, 16", "value = [140, 16", "value: must be from -128 to 127"),
        ("threshold = -12", "threshold = 0.5", "policy.threshold: must be a whole number"),
        ("[known_answer]", "[known", "not valid TOML"),
    ],
)
def test_a_bent_card_is_refused_by_key(folder: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CardError, match=message):
        read_card(edited(folder, old, new))


def test_a_missing_card_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"card\.toml: No such file"):
        read_card(tmp_path)


@dataclass(frozen=True)
class Policy:
    threshold: int
    table: tuple[int, ...]
    extra: int = 5


def test_a_policy_class_is_filled_from_the_card() -> None:
    assert read_card(TINY).policy_as(Policy) == Policy(-12, (1, 2, 3))


def test_an_unknown_policy_key_is_refused(folder: Path) -> None:
    card = read_card(edited(folder, "threshold", "treshold"))
    with pytest.raises(CardError, match="treshold"):
        card.policy_as(Policy)


def test_the_pattern_is_the_formula() -> None:
    shape = (3, 5, 7)
    want = [((i * 2654435761 + 9 * 40503) >> 13 & 0xFF) - 128 for i in range(105)]
    assert pattern(shape, 9).reshape(-1).tolist() == want
    assert pattern(shape, 9).shape == shape


def test_the_pattern_holds_every_int8_value() -> None:
    assert len(np.unique(pattern((1, 64, 64, 1), 1))) == 256


KNOWN = KnownAnswer(seed=1, outputs=(OutputAnswer(index=(0, 3), value=(10, -5), tolerance=2),))


def test_fast_kernels_may_stray_by_the_tolerance_and_reference_kernels_not_at_all() -> None:
    output = np.array([12, 0, 0, -5], np.int8)
    assert disagreement(KNOWN, [output], exact=False) is None
    assert disagreement(KNOWN, [output], exact=True) == "output 0: 1 of 2 samples off, by up to 2"


def test_a_known_answer_does_not_wrap_around() -> None:
    output = np.array([10, 0, 0, 127], np.int8)
    assert (
        disagreement(KNOWN, [output], exact=False) == "output 0: 1 of 2 samples off, by up to 132"
    )


def test_a_known_answer_counts_outputs_and_their_elements() -> None:
    assert disagreement(KNOWN, [], exact=False) == "0 outputs, the card knows 1"
    short = np.zeros(3, np.int8)
    assert "samples beyond them" in str(disagreement(KNOWN, [short], exact=False))


def test_a_card_is_a_value() -> None:
    assert read_card(TINY) == read_card(TINY)
    assert isinstance(hash(read_card(TINY)), int)
    assert isinstance(read_card(TINY), Card)
