"""What an engine asks of a session, whatever the protocol on the line."""

from typing import NamedTuple, Protocol, TypeAlias

from flight.relay.stream.outgoing import Outgoing

NS_PER_S = 1_000_000_000
PARTING_NS = 2 * NS_PER_S
"""Longest time from the word that a session ends to its end."""


class Arrived(NamedTuple):
    """A bundle is here whole; the peer learns of it when the engine accepts it."""

    number: int
    block: bytes


class Taken(NamedTuple):
    """The peer has a bundle of ours, or without acknowledgements, the kernel has."""

    key: int


class Declined(NamedTuple):
    """The peer does not want a bundle of ours, for a reason of its own numbers."""

    key: int
    reason: int


SessionEvent: TypeAlias = Arrived | Taken | Declined


class Session(Protocol):
    """One protocol on one line. Raises WireError where the peer breaks it: then hang up."""

    outgoing: Outgoing
    events: list[SessionEvent]
    wants_tls: bool
    """Both sides want TLS and have said all that is said without it."""

    @property
    def is_ready(self) -> bool:
        """Whether transfers may begin."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether to hang up as soon as all is said."""
        ...

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take in what came on the line."""
        ...

    def secured(self, node_ids: tuple[str, ...], now_ns: int) -> None:
        """Go on: TLS is up, and the peer's certificate holds these node ids."""
        ...

    def begin(self, key: int, block: bytes) -> None:
        """Send a bundle; only while ``outgoing`` is idle."""
        ...

    def wrote(self, total: int) -> None:
        """Note how many bytes the kernel has taken in all."""
        ...

    def accept(self, number: int) -> None:
        """Acknowledge a bundle that arrived."""
        ...

    def refuse(self, number: int, *, for_good: bool) -> None:
        """Refuse a bundle that arrived: for good, or because there is no room now."""
        ...

    def unfinished(self) -> list[int]:
        """Return the keys of the bundles whose fate is not known, the oldest first."""
        ...

    def end(self, now_ns: int) -> None:
        """Say that the session ends, and finish what can be finished soon."""
        ...

    def spoke(self, now_ns: int) -> None:
        """Note that something leaves for the peer."""
        ...

    def expire(self, now_ns: int) -> None:
        """Act on every deadline that has been reached."""
        ...

    def next_ns(self) -> int | None:
        """Return when to call expire."""
        ...
