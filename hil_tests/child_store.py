"""A process with a durable store, to be killed: it says on its output what became durable.

    python -m hil_tests.child_store DIRECTORY FIRST

Each line is the number of one bundle that is ours from then on.
"""

import select
import sys
from pathlib import Path

from flight.relay.store import open_store
from flight.relay.store.values import Put, Stored
from hil_tests.workload import small_settings


def content_of(number: int) -> bytes:
    """Return the data of a bundle; every third is large enough for a segment file."""
    return number.to_bytes(8, "big") * (600 if number % 3 == 0 else 60)


def main() -> None:
    directory, number = Path(sys.argv[1]), int(sys.argv[2])
    store = open_store(small_settings(directory, quota_bytes=64 << 20))
    poll = select.poll()
    poll.register(store.fileno(), select.POLLIN)
    asked: dict[int, int] = {}
    while True:
        while len(asked) < 8:
            name = b"%d" % number
            ticket = store.submit(Put(content_of(number), name, b"", 1, 0, 1, created=number))
            if ticket is None:
                raise AssertionError("the queue holds more than eight")
            asked[ticket] = number
            number += 1
        poll.poll()
        durable = [asked.pop(r.ticket) for r in store.take_done() if isinstance(r, Stored)]
        sys.stdout.write("".join(f"{one}\n" for one in durable))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
