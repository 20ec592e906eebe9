"""Cutting bundles into fragments and putting them together again (RFC 9171 sections 5.8, 5.9).

Sending fragments is off by default: only ION and uD3TN put them together, and application data
is better cut into bundles. Receiving them always works, in any order and with any overlap.

    whole payload   |-----------------------------|
    received        |======|      |=====|
    new fragment         [============]
    kept of it             |======|                 what came first stays
"""

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from flight.instant import Instant
from flight.relay.bundle.values import BlockFlag, Bundle, BundleFlag, BundleId
from flight.relay.endpoint import EndpointId

PIECE_COST_BYTES = 160
"""What keeping one piece costs beyond its bytes; a flood of one-byte fragments counts."""


@dataclass(frozen=True, slots=True)
class ReassemblyLimits:
    """What incomplete bundles may hold; beyond it, the set touched longest ago is dropped."""

    whole_bytes: int = 16 << 20
    """Longest payload that is put together; fragments of a longer one are dropped."""
    total_bytes: int = 64 << 20
    """All pieces of all sets, with PIECE_COST_BYTES each."""
    sets: int = 256
    """Bundles being put together at one time."""


def fragment_bundle(bundle: Bundle, *, payload_bytes: int) -> tuple[Bundle, ...]:
    """Return fragments with at most that much payload each (RFC 9171 section 5.8).

    Raises:
        ValueError: the bundle must not be fragmented, or payload_bytes is below 1.
    """
    primary = bundle.primary
    if payload_bytes < 1:
        raise ValueError("a fragment holds a byte of payload at least")
    if len(bundle.payload) <= payload_bytes:
        return (bundle,)
    if primary.flags & BundleFlag.MUST_NOT_FRAGMENT or primary.source.is_null:
        raise ValueError("the bundle must not be fragmented")
    total = primary.total_length if bundle.is_fragment else len(bundle.payload)
    fragments = []
    for start in range(0, len(bundle.payload), payload_bytes):
        part = replace(
            primary,
            flags=primary.flags | BundleFlag.IS_FRAGMENT,
            fragment_offset=primary.fragment_offset + start,
            total_length=total,
        )
        kept = tuple(
            block for block in bundle.blocks[:-1] if start == 0 or block.flags & BlockFlag.REPLICATE
        )
        payload = replace(bundle.blocks[-1], data=bundle.payload[start : start + payload_bytes])
        fragments.append(Bundle(part, (*kept, payload)))
    return tuple(fragments)


class Reassembler:
    """Puts fragments together, within limits that hostile fragments cannot stretch."""

    def __init__(self, limits: ReassemblyLimits | None = None) -> None:
        self.limits = limits or ReassemblyLimits()
        self.held_bytes = 0
        self._sets: OrderedDict[_Whole, _Pieces] = OrderedDict()  # touched longest ago first
        self._dropped: list[BundleId] = []

    def add(self, fragment: Bundle, *, remaining_ms: int, now: Instant) -> Bundle | None:
        """Take in a fragment; return the whole bundle when this completes it.

        ``remaining_ms`` is the fragment's; the set expires with the one that lives longest.
        """
        primary = fragment.primary
        if primary.total_length > self.limits.whole_bytes:
            self._dropped.append(fragment.id)
            return None
        key = _Whole(primary.source, primary.created_ms, primary.sequence, primary.total_length)
        pieces = self._sets.setdefault(key, _Pieces())
        self._sets.move_to_end(key)
        deadline_ns = now.mono_ns + remaining_ms * 1_000_000
        pieces.deadline_ns = max(pieces.deadline_ns, deadline_ns)
        self.held_bytes -= pieces.cost()
        if primary.fragment_offset == 0 and pieces.first is None:
            pieces.first = fragment.with_payload(b"")
        pieces.insert(primary.fragment_offset, fragment.payload)
        self.held_bytes += pieces.cost()
        if pieces.length == primary.total_length and pieces.first is not None:
            self._forget(key)
            return _join(pieces.first, pieces)
        while len(self._sets) > self.limits.sets or self.held_bytes > self.limits.total_bytes:
            self._drop(next(iter(self._sets)))
        return None

    def expire(self, now: Instant) -> None:
        """Drop every set whose lifetime is over (RFC 9171 section 5.5)."""
        late = [key for key, pieces in self._sets.items() if pieces.deadline_ns <= now.mono_ns]
        for key in late:
            self._drop(key)

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which the next set expires, or None."""
        return min((pieces.deadline_ns for pieces in self._sets.values()), default=None)

    def take_dropped(self) -> tuple[BundleId, ...]:
        """Return, and forget, the bundles given up since the last call."""
        dropped, self._dropped = tuple(self._dropped), []
        return dropped

    def _drop(self, key: "_Whole") -> None:
        self._forget(key)
        self._dropped.append(BundleId(key.source, key.created_ms, key.sequence))

    def _forget(self, key: "_Whole") -> None:
        self.held_bytes -= self._sets.pop(key).cost()


class _Whole(NamedTuple):
    """What fragments of one bundle have in common; the length too, so that liars part company."""

    source: EndpointId
    created_ms: int
    sequence: int
    total_length: int


@dataclass(slots=True)
class _Pieces:
    """What is there of one payload: pieces in order, none overlapping another."""

    first: Bundle | None = None
    """The fragment with offset 0, less its payload: its blocks become the whole bundle's."""
    deadline_ns: int = 0
    length: int = 0
    offsets: list[int] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)

    def insert(self, offset: int, data: bytes) -> None:
        """Keep what is new of ``data``.

        The lists are changed once, whatever number of gaps is filled: a flood of crumbs with one
        big fragment on top must not stall the loop.
        """
        end = offset + len(data)
        low, high = bisect_left(self.offsets, offset), bisect_left(self.offsets, end)
        at = offset
        if low:
            at = max(at, self.offsets[low - 1] + len(self.parts[low - 1]))
        offsets: list[int] = []
        parts: list[bytes] = []
        for kept_at, kept in zip(self.offsets[low:high], self.parts[low:high], strict=True):
            if at < kept_at:
                offsets.append(at)
                parts.append(data[at - offset : kept_at - offset])
                self.length += kept_at - at
            offsets.append(kept_at)
            parts.append(kept)
            at = kept_at + len(kept)
        if at < end:
            offsets.append(at)
            parts.append(data[at - offset :])
            self.length += end - at
        self.offsets[low:high] = offsets
        self.parts[low:high] = parts

    def cost(self) -> int:
        """Return the bytes that the pieces are counted as."""
        blocks = self.first.blocks if self.first else ()
        carried = sum(2 * len(block.data) + PIECE_COST_BYTES for block in blocks)
        return self.length + len(self.parts) * PIECE_COST_BYTES + carried


def _join(first: Bundle, pieces: _Pieces) -> Bundle:
    """Return the whole bundle, with the blocks of the first fragment (RFC 9171 section 5.9)."""
    primary = replace(
        first.primary,
        flags=first.primary.flags & ~BundleFlag.IS_FRAGMENT,
        fragment_offset=0,
        total_length=0,
    )
    return Bundle(primary, first.blocks).with_payload(b"".join(pieces.parts))
