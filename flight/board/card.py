"""A model's card: what flight must know of a model before it trusts it.

``models/<name>/card.toml`` stands beside ``model.tflite``. Flight reads the keys below and
leaves the others (training data, licence, metrics, failures) to people.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from flight.board.known_answer import KnownAnswer, OutputAnswer
from flight.settings import SettingsError, read_table

PolicyT = TypeVar("PolicyT")

MAX_MODEL_BYTES = 64 << 20


class CardError(ValueError):
    """A card or its model file cannot be used; the message names file, key and remedy."""


@dataclass(frozen=True, slots=True)
class TensorCard:
    """One input or output of a model; real value = scale * (int8 - zero_point)."""

    name: str
    shape: tuple[int, ...]
    """The first number is the batch, which is fixed in the file."""
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one model."""

    name: str
    version: str
    task: str
    """Which module of flight.autonomy prepares its input and reads its outputs."""
    digest: bytes
    """SHA-256 of model.tflite."""
    input: TensorCard
    outputs: tuple[TensorCard, ...]
    known_answer: KnownAnswer
    policy: tuple[tuple[str, int | tuple[int, ...]], ...]
    """Integers for the task's policy, as the training calibrated them."""

    def policy_as(self, cls: type[PolicyT]) -> PolicyT:
        """Return the task's policy class, filled.

        Raises:
            CardError: a key is missing or unknown there, or its value cannot be meant.
        """
        try:
            return cls(**dict(self.policy))
        except (TypeError, ValueError) as error:
            raise CardError(f"card of model {self.name}: [policy]: {error}") from error


def read_card(folder: Path) -> Card:
    """Return the card of the model in ``folder``.

    Raises:
        CardError: the card is missing, is not TOML, or lacks or bends a key.
    """
    path = folder / "card.toml"
    try:
        root = read_table(path)
    except SettingsError as error:
        raise CardError(str(error)) from error
    return _card(_Table(path, "", root))


def read_model(folder: Path, digest: bytes) -> bytes:
    """Return model.tflite, once its SHA-256 is ``digest``; nothing has parsed it yet.

    Raises:
        CardError: the file is missing or too large, or its digest is another.
    """
    path = folder / "model.tflite"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    except OSError as error:
        raise CardError(f"{path}: {error.strerror}; put the model beside its card") from error
    if len(data) > MAX_MODEL_BYTES:
        raise CardError(f"{path}: larger than {MAX_MODEL_BYTES} bytes")
    found = hashlib.sha256(data).digest()
    if found != digest:
        raise CardError(
            f"{path}: SHA-256 is {found.hex()[:16]}…, its card says {digest.hex()[:16]}…; "
            "the file is damaged or is not the card's model: install both again"
        )
    return data


def _card(root: "_Table") -> Card:
    outputs = tuple(_tensor(table, table.text("name")) for table in root.tables("output"))
    known = root.table("known_answer")
    samples = known.tables("output")
    if len(samples) != len(outputs):
        raise root.wrong("known_answer.output", f"must be given {len(outputs)} times, as output is")
    answers = tuple(
        _answer(table, math.prod(output.shape))
        for table, output in zip(samples, outputs, strict=True)
    )
    return Card(
        name=root.text("name"),
        version=root.version("version"),
        task=root.text("task"),
        digest=root.digest("sha256"),
        input=_tensor(root.table("input"), "input"),
        outputs=outputs,
        known_answer=KnownAnswer(known.integer("seed"), answers),
        policy=root.table("policy").policy() if "policy" in root.values else (),
    )


def _tensor(table: "_Table", name: str) -> TensorCard:
    shape = table.integers("shape")
    if not shape or min(shape) < 1:
        raise table.wrong("shape", "must list positive whole numbers, the batch first")
    return TensorCard(name, shape, table.number("scale"), table.int8("zero_point"))


def _answer(table: "_Table", size: int) -> OutputAnswer:
    index, value = table.integers("index"), table.integers("value")
    if not index or len(index) != len(value):
        raise table.wrong("value", f"must be as many as index ({len(index)}), and at least one")
    if min(index) < 0 or max(index) >= size:
        raise table.wrong("index", f"must lie within the output, 0 to {size - 1}")
    if min(value) < -128 or max(value) > 127:
        raise table.wrong("value", "must be from -128 to 127")
    return OutputAnswer(index, value, table.integer("tolerance"))


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that knows where it stands, for errors that say so."""

    path: Path
    where: str
    values: Mapping[str, object]

    def wrong(self, key: str, what: str) -> CardError:
        return CardError(f"{self.path}: {self.where}{key}: {what}")

    def get(self, key: str) -> object:
        if key not in self.values:
            raise self.wrong(key, "is required; a card says it for every model")
        return self.values[key]

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "must be text in quotes")
        return value

    def version(self, key: str) -> str:
        return str(self.signed(key)) if isinstance(self.get(key), int) else self.text(key)

    def signed(self, key: str) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "must be a whole number: integers decide")
        return value

    def integer(self, key: str) -> int:
        value = self.signed(key)
        if value < 0:
            raise self.wrong(key, "must be 0 or more")
        return value

    def int8(self, key: str) -> int:
        value = self.signed(key)
        if not -128 <= value <= 127:
            raise self.wrong(key, "must be from -128 to 127")
        return value

    def number(self, key: str) -> float:
        value = self.get(key)
        if not isinstance(value, float | int) or isinstance(value, bool) or not value > 0:
            raise self.wrong(key, "must be a number above 0")
        return float(value)

    def integers(self, key: str) -> tuple[int, ...]:
        value = self.get(key)
        whole = isinstance(value, list) and all(type(item) is int for item in value)
        if not isinstance(value, list) or not whole:
            raise self.wrong(key, "must be a list of whole numbers")
        return tuple(value)

    def digest(self, key: str) -> bytes:
        text = self.text(key)
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size:
            raise self.wrong(key, "must be 64 hexadecimal digits")
        return digest

    def table(self, key: str) -> "_Table":
        value = self.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, f"must be a table, [{self.where}{key}]")
        return _Table(self.path, f"{self.where}{key}.", value)

    def tables(self, key: str) -> tuple["_Table", ...]:
        value = self.get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, f"must be given at least once, [[{self.where}{key}]]")
        return tuple(
            _Table(self.path, f"{self.where}{key}[{i}].", item if isinstance(item, dict) else {})
            for i, item in enumerate(value)
        )

    def policy(self) -> tuple[tuple[str, int | tuple[int, ...]], ...]:
        return tuple(
            (key, self.integers(key) if isinstance(value, list) else self.signed(key))
            for key, value in self.values.items()
        )
