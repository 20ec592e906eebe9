"""The queue in front of the medium: one thread writes, the control thread never waits.

Whatever waits when the writer is free becomes one transaction (group commit): the busier the
node, the more bundles share one wait for the medium.
"""

import os
import threading
from collections import deque
from concurrent.futures import Future
from itertools import chain
from queue import SimpleQueue

from flight.relay.settings import StoreSettings
from flight.relay.store.values import Entry, Medium, Operation, Result, StoreStatus


class ThreadedStore:
    """A medium with one writer thread; completion is told through an eventfd."""

    def __init__(self, settings: StoreSettings, medium: Medium) -> None:
        """Start the writer; ``medium`` is its alone from here on."""
        self._settings = settings
        self._medium = medium
        self._entries = medium.load()
        self.boots = medium.boots
        self.created = medium.created
        self._status = medium.status()
        self._ticket = 0
        self._waiting: deque[tuple[int, Operation]] = deque()
        self._is_asleep = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._is_closing = False
        self._done: deque[list[Result]] = deque([medium.tidy()])
        self._failure: Future[None] = Future()
        self._eventfd = os.eventfd(len(self._done[0]), os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def load(self) -> tuple[Entry, ...]:
        """Return the bundles and tombstones found at open, oldest first; call it once."""
        entries, self._entries = self._entries, ()
        return entries

    def submit(self, operation: Operation) -> int | None:
        """Queue one operation and return its ticket, or None when the queue is full."""
        waiting = self._waiting
        if len(waiting) >= self._settings.queue_limit:
            return None
        self._ticket = ticket = self._ticket + 1
        waiting.append((ticket, operation))
        if self._is_asleep:
            self._is_asleep = False
            self._wake.put(None)
        return ticket

    def fileno(self) -> int:
        """Return a descriptor that is readable while results wait."""
        return self._eventfd

    def take_done(self) -> tuple[Result, ...]:
        """Return, and forget, the results so far, in order.

        Raises:
            Exception: the writer died of a fault of its own; the process must restart.
        """
        if self._failure.done():
            self._failure.result()
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return ()
        return tuple(chain.from_iterable(self._done.popleft() for _ in range(len(self._done))))

    def status(self) -> StoreStatus:
        """Return the counters; those of a commit follow soon after its results."""
        return self._status

    def close(self) -> None:
        """Finish what is queued and let the medium go."""
        self._is_closing = True
        self._wake.put(None)
        self._thread.join()
        os.close(self._eventfd)

    def _run(self) -> None:
        try:
            while batch := self._take_batch():
                self._tell(self._medium.apply(batch))
                self._tell(self._medium.tidy())
                self._status = self._medium.status()
        except BaseException as error:  # noqa: BLE001  the control thread must see it and die of it
            self._failure.set_exception(error)
            os.eventfd_write(self._eventfd, 1)
        finally:
            self._medium.close()

    def _take_batch(self) -> tuple[tuple[int, Operation], ...]:
        """Wait for work and return all there is, up to the limit; empty: the end."""
        waiting = self._waiting
        while not waiting:
            if self._is_closing:
                return ()
            # Asleep before looking once more: what comes after the look finds it so, and wakes.
            self._is_asleep = True
            if not waiting and not self._is_closing:
                self._wake.get()
            self._is_asleep = False
        count = min(len(waiting), self._settings.batch_limit)
        return tuple(waiting.popleft() for _ in range(count))

    def _tell(self, results: list[Result]) -> None:
        if results:
            self._done.append(results)
            os.eventfd_write(self._eventfd, 1)


class InlineStore:
    """The same without a thread: what waits is committed when the results are asked for.

    For simulations, where the same seed must give the same events.
    """

    def __init__(self, settings: StoreSettings, medium: Medium) -> None:
        """Use ``medium`` from the calling thread."""
        self._settings = settings
        self._medium = medium
        self.boots = medium.boots
        self.created = medium.created
        self._ticket = 0
        self._waiting: deque[tuple[int, Operation]] = deque()
        self._early = medium.tidy()

    def load(self) -> tuple[Entry, ...]:
        """Return the bundles and tombstones found at open, oldest first."""
        return self._medium.load()

    def submit(self, operation: Operation) -> int | None:
        """Queue one operation and return its ticket, or None when the queue is full."""
        if len(self._waiting) >= self._settings.queue_limit:
            return None
        self._ticket += 1
        self._waiting.append((self._ticket, operation))
        return self._ticket

    def fileno(self) -> int:
        """Return -1: nothing to wait for."""
        return -1

    def take_done(self) -> tuple[Result, ...]:
        """Commit what waits, and return the results."""
        results, self._early = self._early, []
        while self._waiting:
            count = min(len(self._waiting), self._settings.batch_limit)
            batch = tuple(self._waiting.popleft() for _ in range(count))
            results.extend(self._medium.apply(batch))
            results.extend(self._medium.tidy())
        return tuple(results)

    def status(self) -> StoreStatus:
        """Return the counters."""
        return self._medium.status()

    def close(self) -> None:
        """Commit what waits and let the medium go."""
        self.take_done()
        self._medium.close()
