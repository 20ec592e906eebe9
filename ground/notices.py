"""What nodes say of bundles: status reports, and tombstones of those that were given up.

Both travel as bundles of their own and are archived raw like every arrival; these tables say what
is in them. The same notice taken in twice is one row.
"""

import re
import sqlite3
from dataclasses import dataclass
from typing import TypeAlias

from flight.product.names import PRODUCT_SERVICE, named_part
from flight.relay.bundle import BundleId
from flight.relay.bundle import Reason as BundleReason
from flight.relay.node import Tombstone, read_tombstone_payload
from flight.relay.status import Status, StatusReport, read_status_report
from flight.relay.store.values import Reason
from ground.raw import Arrival
from ground.times import data_size, utc

Notice: TypeAlias = StatusReport | Tombstone

NOTICES_SCHEMA = """
CREATE TABLE reports (
    arrival INTEGER NOT NULL, reporter TEXT NOT NULL, bundle TEXT NOT NULL,
    status INTEGER NOT NULL, at_ms INTEGER NOT NULL, reason INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    UNIQUE (bundle, reporter, status, at_ms, reason));
CREATE TABLE losses (
    arrival INTEGER NOT NULL, reporter TEXT NOT NULL, told_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL, bundle TEXT NOT NULL, source_node INTEGER NOT NULL,
    source_service INTEGER NOT NULL, created_ms INTEGER NOT NULL, sequence INTEGER NOT NULL,
    priority INTEGER NOT NULL, bytes INTEGER NOT NULL,
    UNIQUE (bundle, reporter, reason));
"""

LOSS_REASONS = {
    Reason.DONE: "done",
    Reason.EXPIRED: "its lifetime had ended",
    Reason.EVICTED: "the store was full",
    Reason.CORRUPT: "its bytes were damaged in the store",
    Reason.HOP_LIMIT: "it had passed too many nodes",
    Reason.DROPPED: "an operator dropped it",
    Reason.REFUSED: "its bytes or its security did not stand a check",
}

_ADMINISTRATIVE = r"ipn:[0-9.]+\.0"
"""What status reports are sent to (RFC 9758)."""
_TOMBSTONE_START = b"\x83"
"""An array of three in CBOR; a part, which is msgpack, never begins with it."""
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that a node said of a bundle."""

    reporter: str
    """Endpoint of the node."""
    bundle: str
    status: Status
    at_ms: int
    """DTN time by the reporter's clock; 0: it gave none."""
    reason: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class NamedLoss:
    """A bundle that a node gave up, and said so."""

    reporter: str
    told_ms: int
    """When the node wrote the tombstone, DTN time by its clock; 0: it had none."""
    reason: Reason
    bundle: str
    source_node: int
    source_service: int
    created_ms: int
    sequence: int
    priority: int
    length: int
    """Bytes of the bundle."""


def read_notice(arrival: Arrival) -> Notice | None:
    """Return the notice that an arrival is; None: it is something else.

    Raises:
        WireError: it is a broken one.
    """
    if re.fullmatch(_ADMINISTRATIVE, arrival.destination):
        return read_status_report(arrival.payload)
    if arrival.payload[:1] == _TOMBSTONE_START:
        return read_tombstone_payload(arrival.payload)
    return None


class Notices:
    """The tables of notices in a catalogue."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, notice: Notice, arrival: Arrival, number: int) -> None:
        """Note what an arrival says."""
        if isinstance(notice, StatusReport):
            self._add_report(notice, arrival, number)
        else:
            self._add_losses(notice, arrival, number)

    def reports(self, bundle: str = "") -> tuple[Report, ...]:
        """Return what was said of a bundle, or of all, by the reporters' clocks."""
        rows = self._database.execute(
            "SELECT reporter, bundle, status, at_ms, reason, received_ms FROM reports"
            " WHERE ? IN ('', bundle) ORDER BY bundle, at_ms, arrival, status",
            (bundle,),
        )
        return tuple(Report(r[0], r[1], Status(r[2]), r[3], r[4], r[5]) for r in rows)

    def losses(self) -> tuple[NamedLoss, ...]:
        """Return every bundle that was given up, in the order in which the ground was told."""
        rows = self._database.execute(
            "SELECT reporter, told_ms, reason, bundle, source_node, source_service, created_ms,"
            " sequence, priority, bytes FROM losses ORDER BY arrival, rowid"
        )
        return tuple(NamedLoss(r[0], r[1], Reason(r[2]), *r[3:]) for r in rows)

    def _add_report(self, report: StatusReport, arrival: Arrival, number: int) -> None:
        whole = BundleId(*report.subject[:3])
        for status, at_ms in report.asserted:
            self._database.execute(
                "INSERT OR IGNORE INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(number, arrival.source, str(whole), int(status)),
                    *(min(at_ms or 0, _MOST), min(report.reason, _MOST)),
                    min(arrival.received_ms, _MOST),
                ),
            )

    def _add_losses(self, tombstone: Tombstone, arrival: Arrival, number: int) -> None:
        for loss in tombstone.losses:
            lost = loss.bundle_id
            self._database.execute(
                "INSERT OR IGNORE INTO losses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(number, arrival.source, min(arrival.created_ms, _MOST)),
                    *(int(tombstone.reason), str(lost)),
                    *(min(lost.source.node, _MOST), min(lost.source.service, _MOST)),
                    *(min(lost.created_ms, _MOST), min(lost.sequence, _MOST)),
                    *(min(loss.priority, _MOST), min(loss.length, _MOST)),
                ),
            )


def loss_name(loss: NamedLoss) -> str:
    """Return what was lost: the part of a product, where the bundle was to carry one."""
    if loss.source_service != PRODUCT_SERVICE:
        return f"bundle {loss.bundle}"
    product, index = named_part(loss.source_node, loss.sequence)
    return f"part {index} of product {product}"


def loss_words(loss: NamedLoss) -> str:
    """Return what was given up, by whom, when and why, as a line."""
    why = LOSS_REASONS[loss.reason]
    return (
        f"{loss_name(loss)} ({data_size(loss.length)}, priority {loss.priority}) was given up by"
        f" {loss.reporter} at {utc(loss.told_ms)}: {why}"
    )


def tombstone_words(tombstone: Tombstone, reporter: str) -> str:
    """Return what a tombstone says, as a line."""
    size = sum(loss.length for loss in tombstone.losses)
    return (
        f"{reporter} gave up {len(tombstone.losses)} bundles, {data_size(size)}:"
        f" {LOSS_REASONS[tombstone.reason]}"
    )


def reason_words(reason: int) -> str:
    """Return a status report's reason in words; empty where it gives none."""
    if reason == BundleReason.NONE:
        return ""
    known = reason in {int(one) for one in BundleReason}
    return BundleReason(reason).name.lower().replace("_", " ") if known else f"reason {reason}"
