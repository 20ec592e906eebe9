import socket
from collections.abc import Iterator

import pytest

from flight.ports.udpbatch import UdpBatch, _runs

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as left,
        socket.socket(type=socket.SOCK_DGRAM) as right,
    ):
        for end in (left, right):
            end.bind(("127.0.0.1", 0))
            end.settimeout(5)
        yield left, right


def receive(batch: UdpBatch, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        found += batch.receive()
    return found


@pytest.mark.parametrize("can_join", [True, False])
@pytest.mark.parametrize("can_split", [True, False])
def test_datagrams_of_any_sizes_arrive_as_they_were(ends: Ends, can_join: bool, can_split: bool):
    left, right = ends
    sizes = [1400] * 70 + [57, 20, 20, 20, 1400, 1400, 3, 1, 0, 5, 60_000]
    datagrams = [bytes([i % 256]) * size for i, size in enumerate(sizes)]
    sender, receiver = UdpBatch(left), UdpBatch(right)
    sender._can_join = can_join
    if not can_split:
        right.setsockopt(17, 104, 0)
        receiver._can_split = False
    for first in range(0, len(datagrams), 20):
        part = datagrams[first : first + 20]
        sender.send(part, right.getsockname())
        assert receive(receiver, len(part)) == part


def test_a_run_has_one_size_and_at_most_a_shorter_end():
    sizes = [10] * 65 + [9, 10, 10, 11, 0]
    runs = [[len(d) for d in run] for run in _runs([bytes(size) for size in sizes])]
    assert runs == [[10] * 64, [10, 9], [10, 10], [11], [0]]


def test_a_kernel_that_cannot_join_is_asked_once(ends: Ends):
    class Old(socket.socket):
        asked = 0

        def sendmsg(self, *_: object) -> int:  # type: ignore[override]
            type(self).asked += 1
            raise OSError(22, "Invalid argument")

    _, right = ends
    with Old(type=socket.SOCK_DGRAM) as old:
        sender = UdpBatch(old)
        for _ in range(2):
            sender.send([b"one", b"two"], right.getsockname())
        assert receive(UdpBatch(right), 4) == [b"one", b"two"] * 2
        assert Old.asked == 1
