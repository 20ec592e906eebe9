"""The clocks of one session: its begin, the silence on both sides, the answers owed, its end."""

from flight.relay.stream.session import NS_PER_S, PARTING_NS


class Vigil:
    """Deadlines of one session; all are absolute."""

    __slots__ = (
        "_answer_ns",
        "_awaited_ns",
        "_begin_ns",
        "_end_ns",
        "_heard_ns",
        "_keep_ns",
        "_said_ns",
    )

    def __init__(self, now_ns: int, *, handshake_s: int, answer_ns: int) -> None:
        self._begin_ns: int | None = now_ns + handshake_s * NS_PER_S
        self._heard_ns = self._said_ns = now_ns
        self._keep_ns = 0
        self._answer_ns = answer_ns
        self._awaited_ns: int | None = None
        self._end_ns: int | None = None

    def established(self, keepalive_s: int) -> None:
        """Leave the handshake; 0: no keepalives."""
        self._begin_ns = None
        self._keep_ns = keepalive_s * NS_PER_S

    def heard(self, now_ns: int) -> None:
        """Note that something came."""
        self._heard_ns = now_ns

    def said(self, now_ns: int) -> None:
        """Note that something leaves."""
        self._said_ns = now_ns

    def awaits(self, now_ns: int | None) -> None:
        """Note that an answer is owed since now, or with None that none is."""
        self._awaited_ns = None if now_ns is None else now_ns + self._answer_ns

    @property
    def is_awaiting(self) -> bool:
        """Whether an answer is owed."""
        return self._awaited_ns is not None

    def ends(self, now_ns: int) -> None:
        """Note that the session is about to end."""
        if self._end_ns is None:
            self._end_ns = now_ns + PARTING_NS

    def is_hopeless(self, now_ns: int) -> bool:
        """Say whether the peer has let a deadline of its own pass."""
        silent = self._keep_ns and now_ns >= self._heard_ns + 2 * self._keep_ns
        limits = (self._begin_ns, self._awaited_ns, self._end_ns)
        return bool(silent) or any(ns is not None and now_ns >= ns for ns in limits)

    def owes_word(self, now_ns: int) -> bool:
        """Say whether this side has been silent too long."""
        return bool(self._keep_ns) and now_ns >= self._said_ns + self._keep_ns

    def next_ns(self) -> int | None:
        """Return the earliest deadline."""
        times = [self._begin_ns, self._awaited_ns, self._end_ns]
        if self._keep_ns:
            times += [self._said_ns + self._keep_ns, self._heard_ns + 2 * self._keep_ns]
        return min((ns for ns in times if ns is not None), default=None)
