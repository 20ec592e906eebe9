"""What the catalogue says of a product, and which products to ask it for."""

from dataclasses import dataclass
from typing import TypeAlias

from flight.instant import Instant
from flight.product.part import Header, ProductId, ProductKind

Cells: TypeAlias = tuple[int | str | bytes, ...]

HEADER_COLUMNS = (
    "node, boot, number, kind, sensor, frame_number, taken_mono_ns, taken_ms, model_digest,"
    " config_digest, codec, codec_version, count"
)
ROW_COLUMNS = (
    f"{HEADER_COLUMNS}, products.priority, group_concat(part), sum(bytes),"
    " min(received_ms), max(received_ms), min(arrival)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One product as the catalogue knows it."""

    header: Header
    priority: int
    """0 to 3, as its first bundle travelled."""
    missing: tuple[int, ...]
    """Indices of the parts that have not arrived."""
    data_bytes: int
    """Of the parts that have arrived."""
    first_received_ms: int
    last_received_ms: int
    first_arrival: int
    """Counts arrivals at the archive, from 1."""

    @property
    def complete(self) -> bool:
        """Whether every part is here."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Filter:
    """Which products to list; None or empty means any."""

    kinds: frozenset[ProductKind] = frozenset()
    priorities: frozenset[int] = frozenset()
    sensors: frozenset[str] = frozenset()
    frame_number: int | None = None
    since_ms: int | None = None
    """Taken at or after, DTN milliseconds; products of an unset clock are left out."""
    until_ms: int | None = None
    """Taken before."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the arrivals were taken."""

    kept: int
    repeated: int
    refused: int
    notices: int
    """Status reports and tombstones."""


def read_header(cells: Cells) -> Header:
    """Return the header in the cells of HEADER_COLUMNS."""
    numbers = [cell if isinstance(cell, int) else 0 for cell in cells]
    model, config = cells[8], cells[9]
    return Header(
        id=ProductId(numbers[0], numbers[1], numbers[2]),
        kind=ProductKind(numbers[3]),
        sensor=str(cells[4]),
        frame_number=numbers[5],
        taken=Instant(numbers[6], numbers[7]),
        model_digest=model if isinstance(model, bytes) else b"",
        config_digest=config if isinstance(config, bytes) else b"",
        codec=numbers[10],
        codec_version=numbers[11],
        count=numbers[12],
    )


def read_row(cells: Cells) -> Row:
    """Return the product in the cells of ROW_COLUMNS."""
    header = read_header(cells)
    priority, present, data_bytes, first_ms, last_ms, arrival = cells[13:]
    arrived = {int(index) for index in str(present).split(",")}
    return Row(
        header=header,
        priority=int(priority),
        missing=tuple(index for index in range(header.count) if index not in arrived),
        data_bytes=int(data_bytes),
        first_received_ms=int(first_ms),
        last_received_ms=int(last_ms),
        first_arrival=int(arrival),
    )


def where_clause(chosen: Filter) -> tuple[str, tuple[int | str, ...]]:
    """Return the SQL condition of a filter, and its values."""
    conditions: list[str] = []
    values: list[int | str] = []
    choices: tuple[tuple[str, frozenset[int] | frozenset[str] | frozenset[ProductKind]], ...] = (
        ("kind", chosen.kinds),
        ("products.priority", chosen.priorities),
        ("sensor", chosen.sensors),
    )
    for column, choice in choices:
        if choice:
            conditions.append(f"{column} IN ({', '.join('?' * len(choice))})")
            values.extend(sorted(int(c) if isinstance(c, int) else c for c in choice))
    limits = (
        ("frame_number = ?", chosen.frame_number),
        ("taken_ms > 0 AND taken_ms >= ?", chosen.since_ms),
        ("taken_ms > 0 AND taken_ms < ?", chosen.until_ms),
    )
    for condition, limit in limits:
        if limit is not None:
            conditions.append(condition)
            values.append(limit)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), tuple(values)
