"""One link of a node: its engine, and the contact plan's word on when it is open."""

from hashlib import blake2b

from flight.instant import Instant
from flight.relay.contacts import Contact, ContactPlan
from flight.relay.convergence import make_engine
from flight.relay.node.values import WindowState
from flight.relay.settings import LinkSettings

_NS_PER_MS = 1_000_000


class Span:
    """Opens and closes an engine at the plan's times, and knows which bundles are with it."""

    def __init__(self, settings: LinkSettings, node: int, *, seed: int) -> None:
        """Make the engine; it is closed until the first ``follow``."""
        self.settings = settings
        self.engine = make_engine(settings, node, seed=seed)
        self.is_open = False
        self._rate_bytes_s = 0
        self.blocks: dict[int, tuple[int, ...]] = {}
        """The store's numbers of the bundles in each block under way, by the block's key."""
        self._node = node
        self._boundary_ns: int | None = None

    def follow(self, plan: ContactPlan, now: Instant) -> bool:
        """Push the plan's state for now into the engine; True: the link opened or closed."""
        was_open = self.is_open
        peer = self.settings.peer_node
        if not now.dtn_ms:
            self._follow_without_clock(now)
            return self.is_open != was_open
        out = plan.next_contact(self._node, peer, now)
        back = plan.next_contact(peer, self._node, now)
        self.is_open = _is_open(out, now) and out is not None and out.rate_bytes_s > 0
        self._rate_bytes_s = 0 if out is None else out.rate_bytes_s
        self._boundary_ns = _next_boundary_ns((out, back), now)
        if out is not None and self.is_open:
            return_rate = back.rate_bytes_s if back is not None and _is_open(back, now) else 0
            self.engine.set_contact(
                True,
                rate_bytes_s=out.rate_bytes_s,
                one_way_ns=plan.one_way_ms(self._node, peer, now) * _NS_PER_MS,
                ends_mono_ns=now.mono_ns + (out.end_ms - now.dtn_ms) * _NS_PER_MS,
                return_rate_bytes_s=return_rate or None,
                now=now,
            )
        else:
            self.engine.set_contact(False, now=now)
        return self.is_open != was_open

    def window(self, now: Instant) -> WindowState:
        """Return whether it is open, how fast, and when that changes."""
        boundary_ns = self._boundary_ns
        left_s = -1 if boundary_ns is None else max(0, boundary_ns - now.mono_ns) // 1_000_000_000
        return WindowState(self.is_open, self._rate_bytes_s if self.is_open else 0, left_s)

    def is_over(self, plan: ContactPlan, now: Instant) -> bool:
        """Say whether the plan has no further contact: what is under way must go another way."""
        peer = self.settings.peer_node
        return bool(now.dtn_ms) and plan.next_contact(self._node, peer, now) is None

    def is_due(self, now: Instant) -> bool:
        """Say whether a contact begins or ends by now."""
        return self._boundary_ns is not None and self._boundary_ns <= now.mono_ns

    def next_deadline_ns(self) -> int | None:
        """Return when the engine or the plan wants attention."""
        deadlines = (self.engine.next_deadline_ns(), self._boundary_ns)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def _follow_without_clock(self, now: Instant) -> None:
        rate = self.settings.rate_without_clock_bytes_s
        self.is_open, self._rate_bytes_s = rate > 0, rate
        self._boundary_ns = None
        one_way_ns = self.settings.one_way_without_clock_ms * _NS_PER_MS
        self.engine.set_contact(self.is_open, rate_bytes_s=rate, one_way_ns=one_way_ns, now=now)


def _is_open(contact: Contact | None, now: Instant) -> bool:
    return contact is not None and contact.start_ms <= now.dtn_ms < contact.end_ms


def _next_boundary_ns(contacts: tuple[Contact | None, ...], now: Instant) -> int | None:
    times = (
        contact.end_ms if contact.start_ms <= now.dtn_ms else contact.start_ms
        for contact in contacts
        if contact is not None
    )
    soonest = min(times, default=None)
    if soonest is None:
        return None
    return now.mono_ns + (soonest - now.dtn_ms) * _NS_PER_MS


def mix_seed(seed: int, boots: int, index: int) -> int:
    """Return a seed that no other boot and no other link has."""
    name = f"{seed} {boots} {index}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
