"""Waiting for the medium twice at once: one file is synced while the next is being written."""

import threading
from queue import SimpleQueue

from flight.relay.store.files import Files


class Syncer:
    """A thread that syncs files; a plain queue each way, since a blob waits for both.

    An executor's futures and locks cost as much as a fast medium's whole sync.
    """

    def __init__(self, files: Files) -> None:
        """Wait for work; the thread is started with the first."""
        self._files = files
        self._asked: SimpleQueue[list[int] | None] = SimpleQueue()
        self._answers: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_busy = False

    def start(self, descriptors: list[int]) -> None:
        """Begin to bring these files' bytes onto the medium."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-sync", daemon=True)
            self._thread.start()
        self._asked.put(descriptors)
        self._is_busy = True

    def finish(self) -> None:
        """Return once what was begun is done.

        Raises:
            OSError: it cannot be done; which of the bytes are on the medium is unknown.
        """
        if self._is_busy:
            self._is_busy = False
            error = self._answers.get()
            if error is not None:
                raise error

    def close(self) -> None:
        """End the thread, after what it does now."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (descriptors := self._asked.get()) is not None:
            error: BaseException | None = None
            try:
                for descriptor in descriptors:
                    self._files.sync(descriptor)
            except BaseException as caught:  # noqa: BLE001  who waits must see it and die of it
                error = caught
            self._answers.put(error)
