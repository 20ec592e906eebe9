"""How a node's links stood: the telemetry put together with its keys, and in words."""

from dataclasses import dataclass
from itertools import pairwise

from flight.product.errors import WireError
from flight.product.linkstate import LinkRecord, LinkState, state_of
from flight.product.part import ProductId, ProductKind
from ground.console import table
from ground.library import Library
from ground.rows import Filter, Row
from ground.times import data_size, duration, utc


@dataclass(frozen=True, slots=True)
class Reading:
    """One state and the product that brought it."""

    row: Row
    state: LinkState


def link_state_of(library: Library, product: ProductId, record: LinkRecord) -> LinkState:
    """Return what a link record says, with its key from the archive.

    Raises:
        WireError: its key has not arrived.
    """
    if not record.key:
        return state_of(record)
    key = library.record(ProductId(product.node, product.boot, record.key))
    return state_of(record, key if isinstance(key, LinkRecord) else None)


def link_readings(library: Library) -> dict[int, list[Reading]]:
    """Return every state that can be read, by node, oldest first."""
    found: dict[int, list[Reading]] = {}
    for row in library.rows(Filter(kinds=frozenset((ProductKind.LINK,)))):
        record = library.record(row.header.id)
        if not isinstance(record, LinkRecord):
            continue
        try:
            state = link_state_of(library, row.header.id, record)
        except WireError:
            continue  # its key has not come yet
        found.setdefault(row.header.id.node, []).append(Reading(row, state))
    for readings in found.values():
        readings.sort(key=lambda reading: (reading.state.now.dtn_ms, reading.state.now.mono_ns))
    return found


def link_text(state: LinkState) -> str:
    """Return a state as a block of text."""
    node = state.named()
    queued = ", ".join(f"{node[f'queued_p{p}_bundles']} of priority {p}" for p in range(4))
    lines = [
        f"links      at {utc(state.now.dtn_ms)}",
        f"queued     {queued}; {node['sending_bundles']} under way",
        f"oldest     {duration(1000 * node['oldest_s'])}",
        f"store      {node['store_bundles']} bundles, {data_size(node['store_bytes'])}"
        + (", DEGRADED to memory" if node["store_is_degraded"] else ""),
        "bundles    "
        + ", ".join(
            f"{node[f'{what}_bundles']} {what}"
            for what in ("sent", "received", "forwarded", "delivered", "duplicate", "buried")
        ),
    ]
    return "\n".join(lines) + "\n" + table(LINKS_HEAD, link_rows(state), right=" " + "r" * 7)


LINKS_HEAD = ("link", "window", "rate", "sessions out", "in", "sent", "segments again", "loss")


def link_rows(state: LinkState) -> list[tuple[str, ...]]:
    """Return a row for each link."""
    rows: list[tuple[str, ...]] = []
    for link in state.named_links():
        changes_s = link["changes_in_s"]
        until = "" if changes_s < 0 else f" for {duration(1000 * changes_s)}"
        rows.append(
            (
                f"to node {link['peer_node']}",
                ("open" if link["is_open"] else "closed") + until,
                f"{data_size(link['rate_bytes_s'])}/s" if link["is_open"] else "-",
                str(link["sessions_out"]),
                str(link["sessions_in"]),
                data_size(link["sent_bytes"]),
                str(link["repeated_segments"]),
                f"{link['loss_ppm'] / 10_000:.1f} %",
            )
        )
    return rows


def sent_rates(readings: list[Reading], link: int) -> list[tuple[int, float]]:
    """Return (DTN ms, bytes a second sent over a link since the reading before), within a boot."""
    rates = []
    for before, after in pairwise(readings):
        passed_s = (after.state.now.mono_ns - before.state.now.mono_ns) / 1e9
        same_boot = before.row.header.id.boot == after.row.header.id.boot
        if same_boot and passed_s > 0 and link < min(map(_links, (before, after))):
            sent = [r.state.named_links()[link]["sent_bytes"] for r in (before, after)]
            rates.append((after.state.now.dtn_ms, (sent[1] - sent[0]) / passed_s))
    return rates


def _links(reading: Reading) -> int:
    return len(reading.state.links)
