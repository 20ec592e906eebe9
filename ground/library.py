"""The library: products by what they belong to, decoded when asked for.

A product names its frame; the journal's entry of that frame says the rest (wavelengths, scale,
where a region lies). Whoever draws or replays asks here for what goes together.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from flight.autonomy.downlink import sent_ahead
from flight.product.errors import WireError
from flight.product.journal import JournalEntry
from flight.product.part import Header, Part, ProductId, ProductKind
from flight.product.status import Boot
from ground.archive import Archive
from ground.content import Content, Record, decode_product
from ground.notices import NamedLoss
from ground.rows import Filter, Row
from ground.words import FRAMELESS

FrameKey: TypeAlias = tuple[int, str, int]
"""(node, sensor, frame number): numbers go on across boots, so this names one frame."""

MOST_KEPT_BYTES = 256 << 20
"""Samples of decoded arrays that are kept at once: decoding is most of what a report costs."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A product that could not be decoded, and why."""

    product: ProductId
    reason: str


@dataclass(slots=True)
class Logbook:
    """What the boards said of themselves, in one place."""

    boots: dict[tuple[int, int], Boot] = field(default_factory=dict)
    """By (node, boot)."""
    entries: dict[int, dict[int, JournalEntry]] = field(default_factory=dict)
    """By node, then by step number."""
    headers: dict[tuple[int, int], Header] = field(default_factory=dict)
    """Of each entry's product, by (node, step number)."""
    troubles: list[Trouble] = field(default_factory=list)


class Library:
    """Reads an archive; holds the logbook, which everything else is looked up by."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.logbook = Logbook()
        self._steps: dict[FrameKey, int] = {}
        self._rows = {row.header.id: row for row in archive.products()}
        self._by_frame: dict[FrameKey, list[Row]] = {}
        self._decoded: dict[ProductId, Content] = {}
        for row in self._rows.values():
            key = (row.header.id.node, row.header.sensor, row.header.frame_number)
            self._by_frame.setdefault(key, []).append(row)
            if row.complete and row.header.kind in (ProductKind.BOOT, ProductKind.DECISION):
                self._log(row.header)

    def rows(self, chosen: Filter | None = None) -> tuple[Row, ...]:
        """Return the products that a filter lets through, in the order they were made."""
        if chosen is None:
            return tuple(self._rows.values())
        return self._archive.products(chosen)

    def row(self, product: ProductId) -> Row | None:
        """Return what is known of a product, or None where nothing of it arrived."""
        return self._rows.get(product)

    def read(self, product: ProductId) -> Content:
        """Return what a product says; arrays are kept for who asks next, and are read only.

        Raises:
            WireError: nothing of it arrived, or what did cannot be decoded.
        """
        row = self._rows.get(product)
        if row is None:
            raise WireError(f"product {product} has not arrived")
        content = self._decoded.pop(product, None)
        if content is None:
            parts = self._archive.parts(product)
            content = decode_product(row.header, (*parts, *self._ahead(row.header, parts)))
        self._keep(content)
        return content

    def _keep(self, content: Content) -> None:
        """Keep what was costly to decode, the latest last; the oldest give way."""
        if content.array is None:
            return
        content.array.samples.setflags(write=False)
        self._decoded[content.header.id] = content
        kept = sum(c.array.samples.nbytes for c in self._decoded.values() if c.array is not None)
        while kept > MOST_KEPT_BYTES:
            oldest = self._decoded.pop(next(iter(self._decoded)))
            kept -= 0 if oldest.array is None else oldest.array.samples.nbytes

    def record(self, product: ProductId) -> Record | None:
        """Return the record that a product carries; None: it is none, or cannot be decoded."""
        try:
            return self.read(product).record
        except WireError:
            return None

    def losses(self) -> tuple[NamedLoss, ...]:
        """Return every bundle that a node gave up and named."""
        return self._archive.catalogue.notices.losses()

    def entry_of(self, header: Header) -> JournalEntry | None:
        """Return the journal's entry of the frame that a product belongs to, or None."""
        step = self._steps.get((header.id.node, header.sensor, header.frame_number))
        return None if step is None else self.logbook.entries[header.id.node][step]

    @property
    def nodes(self) -> tuple[int, ...]:
        """The boards that anything has come from."""
        return tuple(sorted({product.node for product in self._rows}))

    def unlogged(self, node: int) -> tuple[Header, ...]:
        """Return one header of each frame that was decided after the last entry that is here.

        Whole frames do not count: the ground may ask for one at any time.
        """
        last = max(
            (
                (entry.step.boot, entry.step.first_product)
                for entry in self.logbook.entries.get(node, {}).values()
            ),
            default=(-1, -1),
        )
        later = {
            (header.sensor, header.frame_number): header
            for row in self._rows.values()
            if (header := row.header).id.node == node
            and header.kind not in FRAMELESS
            and header.kind is not ProductKind.FRAME
            and (header.id.boot, header.id.number) > last
            and self.entry_of(header) is None
        }
        return tuple(sorted(later.values(), key=lambda header: header.id))

    def of_frame(self, header: Header, kind: ProductKind) -> Row | None:
        """Return a product of this kind of the same frame: a complete one if there is any."""
        rows = self._by_frame.get((header.id.node, header.sensor, header.frame_number), [])
        found = [row for row in rows if row.header.kind is kind]
        return next((row for row in found if row.complete), found[0] if found else None)

    def _ahead(self, header: Header, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Return the parts of a whole frame that came first, as evidence."""
        region = self._rows.get(sent_ahead(header.id)) if header.kind is ProductKind.FRAME else None
        if region is None or region.header.kind is not ProductKind.REGION or not parts:
            return ()
        found = region.header
        if (found.sensor, found.frame_number) != (header.sensor, header.frame_number):
            return ()
        # A region cut out of the frame is an array of its own: other type or shape.
        whole = parts[0].geometry[:3]
        return tuple(p for p in self._archive.parts(found.id) if p.geometry[:3] == whole)

    def _log(self, header: Header) -> None:
        node, logbook = header.id.node, self.logbook
        try:
            record = decode_product(header, self._archive.parts(header.id)).record
        except WireError as error:
            logbook.troubles.append(Trouble(header.id, str(error)))
            return
        if isinstance(record, Boot):
            logbook.boots[(node, record.boot)] = record
        elif isinstance(record, JournalEntry):
            self._log_entry(header, record)

    def _log_entry(self, header: Header, entry: JournalEntry) -> None:
        node, step = header.id.node, entry.step
        entries = self.logbook.entries.setdefault(node, {})
        if entries.setdefault(step.number, entry) != entry:
            reason = f"a second, different entry for step {step.number}; the first is used"
            self.logbook.troubles.append(Trouble(header.id, reason))
            return
        self.logbook.headers[(node, step.number)] = header
        self._steps[(node, step.sensor, step.frame_number)] = step.number
