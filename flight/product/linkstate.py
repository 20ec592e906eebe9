"""How the links of a node stand, small enough to be sent often.

A key record holds every figure; those after it hold only what is different from the key, so that
one that is lost costs nobody but itself. A new key comes every so many records.

    LINK := [now mono, now dtn, key, links, figures]

``key`` is 0 in a key record, else the number of the product that is the key. In a key record
``figures`` are all figures, the node's and then each link's; else they are pairs of a figure's
place and its difference from the key.
"""

from dataclasses import dataclass

from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.records import Schema, pack_record, read_record

NODE_FIGURES = (
    "queued_p0_bundles", "queued_p1_bundles", "queued_p2_bundles", "queued_p3_bundles",
    "sending_bundles", "for_here_bundles", "oldest_s", "sent_bundles", "received_bundles",
    "forwarded_bundles", "delivered_bundles", "duplicate_bundles", "buried_bundles",
    "refused_blocks", "malformed_blocks", "rejected_bundles", "store_bundles", "store_bytes",
    "store_is_degraded",
)  # fmt: skip
"""Of the node: add at the end with a new version, never renumber."""
LINK_FIGURES = (
    "peer_node", "is_open", "rate_bytes_s", "changes_in_s", "sessions_out", "sessions_in",
    "sent_bytes", "repeated_segments", "loss_ppm",
)  # fmt: skip
"""Of each link. ``rate_bytes_s`` is the contact's, 0 while it is closed; ``changes_in_s`` says when
it closes or opens next, -1: never by the plan."""
MAX_LINKS = 64

_LEAST = -(2**63)


@dataclass(frozen=True, slots=True)
class LinkState:
    """Every figure of a node at an instant."""

    now: Instant
    node: tuple[int, ...]
    """In the order of NODE_FIGURES."""
    links: tuple[tuple[int, ...], ...]
    """Each in the order of LINK_FIGURES."""

    def named(self) -> dict[str, int]:
        """Return the node's figures by their names."""
        return dict(zip(NODE_FIGURES, self.node, strict=True))

    def named_links(self) -> tuple[dict[str, int], ...]:
        """Return each link's figures by their names."""
        return tuple(dict(zip(LINK_FIGURES, link, strict=True)) for link in self.links)


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One record as it travels."""

    now: Instant
    key: int
    """Product number of its key; 0: it is one."""
    links: int
    figures: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the LINK record."""
        fields: list[object] = [*self.now, self.key, self.links, list(self.figures)]
        return pack_record(Schema.LINK, 1, fields)

    @classmethod
    def decode(cls, data: bytes) -> "LinkRecord":
        """Return the record in a LINK record, or raise WireError."""
        fields = read_record(data, Schema.LINK, 1, 5)
        now, key, links = fields.instant("now"), fields.integer("key"), fields.integer("links")
        if links > MAX_LINKS:
            raise WireError(f"a node has at most {MAX_LINKS} links, not {links}")
        count = _count(links)
        figures = fields.integers("figures", _LEAST, most=count if not key else 2 * count)
        record = cls(now, key, links, figures)
        if len(figures) != count if not key else len(figures) % 2:
            raise WireError("a link record has too few figures")
        if key and not all(0 <= place < count for place in figures[::2]):
            raise WireError("a link record changes a figure that is not there")
        return record


def key_record(state: LinkState) -> LinkRecord:
    """Return a record that stands alone."""
    return LinkRecord(state.now, 0, len(state.links), _flat(state))


def difference_record(state: LinkState, key: LinkState, number: int) -> LinkRecord:
    """Return a record that says what has changed since a key, the product of that number."""
    pairs = enumerate(zip(_flat(state), _flat(key), strict=True))
    changed = ((place, _wrapped(new - old)) for place, (new, old) in pairs if new != old)
    return LinkRecord(
        state.now, number, len(state.links), tuple(n for pair in changed for n in pair)
    )


def state_of(record: LinkRecord, key: LinkRecord | None = None) -> LinkState:
    """Return the state that a record says, with the help of its key where it needs one.

    Raises:
        WireError: it needs a key and this is none, or of another shape.
    """
    figures = list(record.figures)
    if record.key:
        if key is None or key.key or key.links != record.links:
            raise WireError("a link record whose key is not here")
        figures = list(key.figures)
        for place, change in zip(record.figures[::2], record.figures[1::2], strict=True):
            figures[place] = _wrapped(figures[place] + change)
    node, rest = figures[: len(NODE_FIGURES)], figures[len(NODE_FIGURES) :]
    size = len(LINK_FIGURES)
    links = tuple(tuple(rest[at : at + size]) for at in range(0, len(rest), size))
    return LinkState(record.now, tuple(node), links)


def _flat(state: LinkState) -> tuple[int, ...]:
    return (*state.node, *(figure for link in state.links for figure in link))


def _wrapped(figure: int) -> int:
    """Return a figure modulo 2 to the 64th, so that any difference has a place in 64 bits."""
    return (figure - _LEAST) % (1 << 64) + _LEAST


def _count(links: int) -> int:
    return len(NODE_FIGURES) + links * len(LINK_FIGURES)
