"""The node's counters, and the status drawn from them."""

from dataclasses import dataclass

from flight.instant import Instant
from flight.relay.node.queues import Queues, Stage
from flight.relay.node.span import Span
from flight.relay.node.values import NodeStatus
from flight.relay.store import Store


@dataclass(slots=True)
class Tally:
    """Totals since the start; see NodeStatus."""

    sent: int = 0
    received: int = 0
    forwarded: int = 0
    delivered: int = 0
    duplicates: int = 0
    buried: int = 0
    blocks_refused: int = 0
    malformed: int = 0
    rejected: int = 0


def describe(
    tally: Tally, queues: Queues, spans: list[Span], store: Store, now: Instant
) -> NodeStatus:
    """Return everything that operators see of a node."""
    stages = [held.stage for held in queues.held.values()]
    oldest = next(iter(queues.held.values()), None)
    age_ns = 0 if oldest is None else now.mono_ns - oldest.since.mono_ns
    return NodeStatus(
        queued=queues.count_queued(),
        sending=stages.count(Stage.SENDING),
        held_deliveries=stages.count(Stage.FOR_HERE),
        oldest_s=age_ns // 1_000_000_000,
        sent=tally.sent,
        received=tally.received,
        forwarded=tally.forwarded,
        delivered=tally.delivered,
        duplicates=tally.duplicates,
        buried=tally.buried,
        blocks_refused=tally.blocks_refused,
        malformed=tally.malformed,
        rejected=tally.rejected,
        links=tuple(span.engine.counts() for span in spans),
        windows=tuple(span.window(now) for span in spans),
        store=store.status(),
    )
