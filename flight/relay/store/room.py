"""Room in the log: files made while what lives fills half of them, cleaned after that.

Spare files are always at hand, so that eviction can commit and the oldest file can be cleaned on
a full file system too: there the store lives in the files that it has, with a quota that fits.
"""

from collections.abc import Callable

from flight.relay.settings import StoreSettings
from flight.relay.store.catalogue import ENTRY_BYTES, Catalogue
from flight.relay.store.files import Files, is_full
from flight.relay.store.holdings import Holdings
from flight.relay.store.log import Log
from flight.relay.store.values import Entry, Kind, Trouble


class Room:
    """Decides when the log grows and when it is cleaned."""

    def __init__(
        self,
        settings: StoreSettings,
        files: Files,
        log: Log,
        catalogue: Catalogue,
        holdings: Holdings,
        *,
        tell: Callable[[Trouble], None],
    ) -> None:
        """Look after a log; ``tell`` hears when the file system is full."""
        self._settings = settings
        self._files = files
        self._log = log
        self._catalogue = catalogue
        self._holdings = holdings
        self._tell = tell
        self._spares = max(_SPARES, -(-settings.reserve_bytes // settings.segment_bytes))
        self._is_tight = False

    def provide(self) -> list[Entry]:
        """Have spare files; return entries that stand in the way as they are damaged.

        Once these are given up, call again.

        Raises:
            OSError: the medium fails.
        """
        if self._is_tight:
            self._loosen()
        left = self._log.generations - 1
        while self._log.spare < self._spares:
            living = self._catalogue.used_bytes + self._catalogue.count(Kind.SEEN) * ENTRY_BYTES
            if left > 0 and (self._is_tight or self._log.filled_bytes > 2 * living):
                left -= 1
                damaged = self._holdings.clean()
                if damaged:
                    return damaged
            elif not self.grow() and left <= 0:
                break
        return []

    def grow(self) -> bool:
        """Make a file; False: the file system is full, and the quota falls to what is there.

        Raises:
            OSError: the medium fails.
        """
        segment_bytes = self._settings.segment_bytes
        try:
            self._log.make(segment_bytes)
        except OSError as error:
            if not is_full(error):
                raise
            if not self._is_tight:
                self._tell(Trouble.DISK_FULL)
            self._is_tight = True
            free = self._log.total_bytes - (1 + self._spares) * segment_bytes
            fits = max(free * 3 // 4, segment_bytes)
            self._catalogue.quota_bytes = min(fits, self._settings.quota_bytes)
            return False
        return True

    def takes(self, length: int) -> bool:
        """Whether a bundle has room in one file; a large one gets a file of its own.

        Raises:
            OSError: the medium fails.
        """
        need = length + _HEAD_ROOM_BYTES
        if need <= self._settings.segment_bytes or need > self._catalogue.quota_bytes:
            return True  # the quota decides
        try:
            self._log.make(need)
        except OSError as error:
            if not is_full(error):
                raise
            return False
        return True

    def _loosen(self) -> None:
        """Take the quota back once the file system has room for files and for others."""
        least = self._settings.reserve_bytes + 2 * self._settings.segment_bytes
        if self._files.free_bytes(self._settings.directory) >= least:
            self._is_tight = False
            self._catalogue.quota_bytes = self._settings.quota_bytes


_SPARES = 3
"""Free files at least: one for a commit, two for what moves while the oldest is cleaned."""

_HEAD_ROOM_BYTES = 1 << 16
"""For both heads of a commit with one large bundle, and the tombstones of whom it displaces."""
