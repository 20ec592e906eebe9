"""What control process and children say to each other over a socket, with sealed memory.

    message := msgpack array [Say, field, ...], one packet; arrays go beside it as descriptors

A packet is whole or not there, and carries its own descriptors: a child that is killed in the
middle of a word has said nothing.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgpack

from flight.board.sealed import Sealed
from flight.product.errors import WireError
from flight.product.records import Fields

MAX_MESSAGE_BYTES = 128 << 10
"""Below what a socket's buffer holds by default, so that any message fits."""
MAX_MEMORIES = 4
MOST_HEARD = 64
"""Messages of one child that are heard in one turn: one that never stops talking must not hold up
the loop."""


class Say(IntEnum):
    """What a message is. Both ends are always of one version, so numbers may change."""

    START = 1
    """nice, memory limit in bytes, reference kernels, bytes an answer may have,
    [[model, folder, digest], ...]"""
    LOOK = 2
    """job, model, task, policy, frame, companion or nil; their samples are memories"""
    ENCODE = 3
    """job, plan, frame or nil, task, policy, output shapes; frame and outputs are memories"""
    CHECK = 4
    """Run the known-answer frames."""
    READY = 5
    """runtime, [[model, "" or why it is refused], ...]"""
    SEEN = 6
    """job, [[shape, digest], ...], findings, whether the companion fits; memory: the outputs"""
    PARTS = 7
    """job, rows and columns of a table of int64; memory: that table, in each row a part's geometry
    and its length, then the parts"""
    FAILED = 8
    """job, NoAnswer reason, why"""
    CHECKED = 9
    """"" or what disagrees"""
    WATCH = 20
    """memory limit in bytes, settings of one more sensor, number of its first frame"""
    NEXT = 21
    """Which sensor is to deliver once more."""
    LOOKING = 22
    """Which sensor is about to be looked at: what happens now is its doing."""
    DELIVERED = 23
    """which sensor, number of its next frame, whether it has finished, [[event number, values],
    ...], frame or nil, digest and CRC-32 of its samples; memory: the samples"""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One message."""

    say: Say
    fields: Fields
    memories: tuple[Sealed, ...]

    def memory(self, index: int = 0) -> Sealed:
        """Return one of the memories that came with it.

        Raises:
            WireError: there are not so many.
        """
        if index >= len(self.memories):
            raise WireError(f"{self.say.name} without its memory")
        return self.memories[index]


class Channel:
    """One end of the socket between control process and child."""

    def __init__(self, end: socket.socket, *, most_bytes: int) -> None:
        """``most_bytes``: what a memory that comes over it may have."""
        self._end = end
        self.most_bytes = most_bytes

    def fileno(self) -> int:
        """Return the descriptor that is readable when the other side spoke or died."""
        return self._end.fileno()

    def send(self, say: Say, *fields: object, memories: Sequence[Sealed] = ()) -> bool:
        """Say something; False when the other side is gone or does not listen."""
        data = pack_message(say, *fields)
        try:
            socket.send_fds(self._end, [data], [memory.descriptor for memory in memories])
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive(self) -> Heard | None:
        """Return the next message; None when the socket does not block and none waits.

        Raises:
            EOFError: the other side has gone, and all it said was heard.
            WireError: it does not speak this language; stop listening to it.
        """
        while True:
            try:
                data, descriptors, flags, _ = socket.recv_fds(
                    self._end, MAX_MESSAGE_BYTES, MAX_MEMORIES, socket.MSG_CMSG_CLOEXEC
                )
                break
            except BlockingIOError:
                return None
            except ConnectionResetError:
                continue  # it died without hearing all; what it had said comes after this
        memories = _take_over(descriptors, self.most_bytes)
        if not data:
            raise EOFError
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise WireError("a message that is too long")
        return _read(data, memories)

    def receive_some(self) -> Iterator[Heard]:
        """Yield what waits, not more than MOST_HEARD messages; raises as receive does."""
        for _ in range(MOST_HEARD):
            heard = self.receive()
            if heard is None:
                return
            yield heard

    def close(self) -> None:
        """Close this end: the other side meets the end of the conversation."""
        self._end.close()


def connect(most_bytes: int) -> tuple[Channel, socket.socket]:
    """Return the control process's end, which never blocks, and a child's, to be passed on.

    Raises:
        OSError: there are no descriptors to be had.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return Channel(ours, most_bytes=most_bytes), theirs


def pack_message(say: Say, *fields: object) -> bytes:
    """Return one message's bytes."""
    # A file's name may hold bytes that are no text.
    body: bytes = msgpack.packb([int(say), *fields], use_bin_type=True, unicode_errors="replace")
    return body


def _take_over(descriptors: Sequence[int], most_bytes: int) -> tuple[Sealed, ...]:
    waiting = list(descriptors)
    memories: list[Sealed] = []
    try:
        while waiting:
            memories.append(Sealed(waiting.pop(0), most_bytes=most_bytes))
    finally:
        for descriptor in waiting:
            os.close(descriptor)
    return tuple(memories)


def _read(data: bytes, memories: tuple[Sealed, ...]) -> Heard:
    try:
        tree: object = msgpack.unpackb(data, raw=False, max_map_len=0, max_ext_len=0)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise WireError(f"not a message: {error}") from error
    fields = Fields(tree)
    return Heard(fields.enum(Say, "message"), fields, memories)
