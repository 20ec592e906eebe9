"""Bundles that came over a stream link and are on their way to the store."""

from flight.relay.ltp.segment import SessionId
from flight.relay.stream.settings import TcpSettings


class Inbox:
    """Bundles received and not yet durable here, by size."""

    __slots__ = ("_bytes", "_settings", "_sizes")

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._sizes: dict[SessionId, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def is_full(self) -> bool:
        """Whether the peer should wait."""
        settings = self._settings
        return len(self) >= settings.receive_blocks_max or self._bytes >= settings.receive_bytes_max

    def add(self, session: SessionId, size: int) -> None:
        """Take one in."""
        self._sizes[session] = size
        self._bytes += size

    def remove(self, session: SessionId) -> None:
        """Let one go."""
        self._bytes -= self._sizes.pop(session, 0)
