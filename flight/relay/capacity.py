"""How much the contacts of a plan can carry to a destination before some time."""

from flight.instant import Instant
from flight.relay.bundle import Reason
from flight.relay.contacts import Contact, ContactPlan
from flight.relay.routing import PRIORITIES, Router


def capacity_bytes(
    plan: ContactPlan, *, node: int, destination: int, until_ms: int, now: Instant
) -> int | None:
    """Return the bytes that can leave a node for a destination until then.

    The narrowest hop of the route of earliest arrival counts. None where the clock is unknown: the
    plan says nothing then.
    """
    if not now.dtn_ms:
        return None
    route = Router(plan, node=node).find_route(
        destination, size_bytes=0, priority=PRIORITIES - 1, deadline_ms=until_ms, now=now
    )
    if isinstance(route, Reason):
        return 0
    return min(
        (
            sum(
                _bytes(c, now.dtn_ms, until_ms)
                for c in plan.contacts_between(h.from_node, h.to_node)
            )
            for h in route.contacts
        ),
        default=0,
    )


def _bytes(contact: Contact, from_ms: int, until_ms: int) -> int:
    open_ms = min(contact.end_ms, until_ms) - max(contact.start_ms, from_ms)
    return max(0, open_ms) * contact.rate_bytes_s // 1000
