"""One product for people: its words, and its picture in a file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flight.product.codecs import Decoded
from flight.product.errors import WireError
from flight.product.journal import JournalEntry
from flight.product.linkstate import LinkRecord
from flight.product.part import ProductId
from flight.product.status import Boot, Health, Reply
from ground.content import Record
from ground.library import Library
from ground.linkwords import link_state_of, link_text
from ground.soils import comparison_text
from ground.words import (
    boot_text,
    entry_text,
    events_text,
    health_text,
    reply_text,
    row_text,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a product."""

    product: ProductId
    text: str
    picture: Path | None = None
    """Where its picture was written."""


def show(library: Library, product: ProductId, folder: Path | None) -> Shown:
    """Return a product in words, and write its picture to a folder where one is given.

    Raises:
        WireError: nothing of it arrived, or what did cannot be decoded.
    """
    row = library.row(product)
    if row is None:
        raise WireError(f"product {product} has not arrived; `ground ls` lists those that have")
    content = library.read(product)
    blocks = [row_text(row)]
    blocks += [f"broken     {fault}" for fault in content.broken]
    if content.record is not None:
        blocks.append(record_text(library, product, content.record))
    picture = None
    if content.array is not None:
        blocks.append(_array_text(content.array))
        if folder is not None:
            # Only who draws needs matplotlib, which the base install does not bring.
            from ground.drawings import draw

            folder.mkdir(parents=True, exist_ok=True)
            picture = draw(library, content, folder)
    return Shown(product, "\n".join(blocks), picture)


def record_text(library: Library, product: ProductId, record: Record) -> str:
    """Return a product's record as a block of text.

    Raises:
        WireError: it says what is different from a key that has not arrived.
    """
    if isinstance(record, LinkRecord):
        return link_text(link_state_of(library, product, record))
    if isinstance(record, JournalEntry):
        compared = comparison_text(record.decision.findings)
        return entry_text(record) + ("\n\n" + compared if compared else "")
    if isinstance(record, Boot):
        return boot_text(record)
    if isinstance(record, Health):
        return health_text(record)
    if isinstance(record, Reply):
        return reply_text(record)
    return events_text(record)


def _array_text(array: Decoded) -> str:
    shape = " x ".join(str(length) for length in array.samples.shape)
    known = array.samples[array.present]
    here = "" if array.complete else f", {100 * array.present.mean():.1f} % of it here"
    if not known.size:
        return f"samples    {shape} {array.samples.dtype}, none here"
    low, middle, high = known.min(), np.median(known), known.max()
    span = f"{low} to {high}, median {middle:g}"
    return f"samples    {shape} {array.samples.dtype}{here}; {span}"
