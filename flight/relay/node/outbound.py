"""From the queues to the links: blocks, and what became of them."""

from dataclasses import dataclass

from flight.instant import Instant
from flight.relay.bundle import Reason as BundleReason
from flight.relay.bundle import encode_bundle, forwarded_bundle, read_bundle
from flight.relay.node.chooser import Chooser
from flight.relay.node.desk import Desk
from flight.relay.node.keeper import Kept
from flight.relay.node.names import own_id
from flight.relay.node.queues import Held, Stage, is_past
from flight.relay.node.span import Span
from flight.relay.node.values import Forwarded
from flight.relay.status import Status
from flight.relay.store.values import Reason


@dataclass(slots=True)
class Outbound:
    """Feeds each open link with the most urgent bundles whose way leads over it."""

    desk: Desk
    spans: list[Span]
    chooser: Chooser
    _key: int = 0

    def pump(self, link: int, now: Instant) -> None:
        """Hand bundles to a link's engine for as long as it has room."""
        span = self.spans[link]
        if not span.is_open:
            return
        ways = self.chooser.ways_over(link, now)
        while (held := self.desk.queues.first(ways)) is not None:
            if not span.engine.has_room(held.entry.priority):
                return
            kept = self.desk.keeper.get(held.entry.sequence)
            if kept is None:
                for sequence in self.desk.queues.ahead(ways, self.desk.settings.fetch_limit // 2):
                    self.desk.keeper.want(sequence)
                return
            self._send(span, held, kept, now)

    def delivered(self, link: int, key: int, now: Instant) -> None:
        """Let go of the bundles of a block that the peer has accepted."""
        numbers = self.spans[link].blocks.pop(key, ())
        gone = [self.desk.queues.held[n] for n in numbers if n in self.desk.queues.held]
        if gone:
            for held in gone:
                self.desk.report(held, Status.FORWARDED, now)
            self.desk.tally.forwarded += len(gone)
            ids = tuple(held.bundle_id for held in gone)
            self.desk.events.append(Forwarded(link, ids))
            self.desk.finish(tuple(held.entry.sequence for held in gone))

    def failed(self, link: int, key: int, now: Instant) -> None:
        """Put a failed block's bundles back: at rest while the link is open, else in line."""
        span = self.spans[link]
        for sequence in span.blocks.pop(key, ()):
            held = self.desk.queues.held.get(sequence)
            if held is None:
                continue
            held.attempts += 1
            if is_past(held, now):
                self._give_up(held, Reason.EXPIRED)
            elif span.is_open:
                wait_s = self.desk.settings.retry_s << min(held.attempts - 1, 20)
                wait_s = min(wait_s, self.desk.settings.retry_max_s)
                self.desk.queues.rest(held, now.mono_ns + wait_s * 1_000_000_000)
            else:
                self.desk.queues.queue(held)

    def recall(self, link: int, now: Instant, sequence: int | None = None) -> None:
        """Take blocks back from a link: those with one bundle, or all. BlockFailed follows."""
        span = self.spans[link]
        for key, sequences in list(span.blocks.items()):
            if sequence is None or sequence in sequences:
                span.engine.cancel_block(key, now)

    def _send(self, span: Span, held: Held, kept: Kept, now: Instant) -> None:
        leaving = self._leaving(span, held, kept, now)
        if leaving is None:
            return
        sequences = [held.entry.sequence]
        held.stage = Stage.SENDING
        block = leaving
        # Aggregation is for peers that take it (ION, uD3TN): small bundles share a session.
        while len(block) < span.settings.ltp.aggregate_bytes:
            other = self.desk.queues.first((held.way,))
            if other is None or other.entry.priority != held.entry.priority:
                break
            if len(block) + other.entry.length > span.settings.ltp.aggregate_bytes:
                break
            kept_too = self.desk.keeper.get(other.entry.sequence)
            more = None if kept_too is None else self._leaving(span, other, kept_too, now)
            if more is None:
                break
            other.stage = Stage.SENDING
            sequences.append(other.entry.sequence)
            block += more
        self._key += 1
        span.blocks[self._key] = tuple(sequences)
        for sequence in sequences:
            self.desk.keeper.let_go(sequence)
        if not span.engine.send_block(block, key=self._key, priority=held.entry.priority, now=now):
            raise AssertionError("the engine had room a moment ago")

    def _leaving(self, span: Span, held: Held, kept: Kept, now: Instant) -> bytes | None:
        """Return a bundle as it leaves, or None after giving it up."""
        if is_past(held, now):
            self._give_up(held, Reason.EXPIRED)
            return None
        if held.label.is_plain and isinstance(kept, bytes):
            return kept
        is_ours = not held.entry.received
        names_us = span.settings.names_previous_node and not is_ours
        leaving = forwarded_bundle(
            read_bundle(kept, strict=False) if isinstance(kept, bytes) else kept,
            node=own_id(self.desk.settings, 0) if names_us else None,
            resident_ms=(now.mono_ns - held.since.mono_ns) // 1_000_000,
        )
        if isinstance(leaving, BundleReason):
            self._give_up(held, Reason.HOP_LIMIT)
            return None
        return encode_bundle(leaving)

    def _give_up(self, held: Held, reason: Reason) -> None:
        held.stage = Stage.LEAVING
        self.desk.give_up((held.entry.sequence,), reason)
