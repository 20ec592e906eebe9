"""A serial line between two processes: two pseudo-terminals with a thread that carries bytes."""

import os
import select
import threading
import tty

CHUNK_BYTES = 4096


class SerialLine:
    """Names two devices; what is written to one can be read from the other."""

    def __init__(self) -> None:
        pairs = [os.openpty() for _ in range(2)]
        self._masters = [master for master, _ in pairs]
        self._slaves = [slave for _, slave in pairs]
        for slave in self._slaves:
            tty.setraw(slave)
        self.devices = (os.ttyname(self._slaves[0]), os.ttyname(self._slaves[1]))
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the line away."""
        os.write(self._stop_write, b"x")
        self._thread.join()
        for descriptor in (*self._masters, *self._slaves, self._stop_read, self._stop_write):
            os.close(descriptor)

    def _carry(self) -> None:
        other = dict(zip(self._masters, reversed(self._masters), strict=True))
        while True:
            ready, _, _ = select.select([*self._masters, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for master in ready:
                data = os.read(master, CHUNK_BYTES)
                # A far end that nobody reads fills up; like a real line, it then loses bytes.
                if select.select([], [other[master]], [], 0)[1]:
                    os.write(other[master], data)
