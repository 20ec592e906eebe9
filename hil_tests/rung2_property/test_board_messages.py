"""What control process and children say to each other: any packet, any descriptor."""

import fcntl
import mmap
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.board.lane import _parts
from flight.board.messages import MAX_MESSAGE_BYTES, Channel, Say, connect, pack_message
from flight.board.sealed import Sealed, seal
from flight.board.sealedvalues import frame_fields, frame_of_fields, seal_frame
from flight.instant import Instant
from flight.product.errors import WireError
from flight.product.journal import stamp
from flight.product.records import Fields
from flight.product.values import Frame, SensorKind

MOST_BYTES = 4096


@contextmanager
def spoken() -> Iterator[tuple[Channel, socket.socket]]:
    """Yield the control process's end and a raw end that may say anything."""
    channel, theirs = connect(MOST_BYTES)
    with closing(channel), theirs:
        yield channel, theirs


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.lists(st.integers(0, 2**32), max_size=6), st.binary(max_size=100))
def test_messages_come_in_order_each_with_its_own_memory(jobs: list[int], data: bytes) -> None:
    with spoken() as (channel, theirs):
        other = Channel(theirs, most_bytes=MOST_BYTES)
        for job in jobs:
            assert other.send(Say.FAILED, job, memories=[seal((data, str(job).encode()))])
        for job in jobs:
            heard = channel.receive()
            assert heard is not None
            assert (heard.say, heard.fields.integer("job")) == (Say.FAILED, job)
            assert bytes(heard.memory().view()) == data + str(job).encode()
            with pytest.raises(WireError, match="without its memory"):
                heard.memory(1)
        assert channel.receive() is None


@given(st.binary(min_size=1, max_size=200))
def test_a_child_may_say_anything(data: bytes) -> None:
    with spoken() as (channel, theirs):
        theirs.send(data)
        try:
            heard = channel.receive()
        except WireError:
            return
        assert heard is not None
        assert heard.say in Say


def test_what_was_said_before_the_end_is_heard_even_by_one_who_was_not_listened_to() -> None:
    with spoken() as (channel, theirs):
        assert channel.send(Say.CHECK)  # never read: the end is a reset
        theirs.send(pack_message(Say.CHECKED, ""))
        theirs.close()
        heard = channel.receive()
        assert heard is not None
        assert heard.say is Say.CHECKED
        with pytest.raises(EOFError):
            channel.receive()
        assert not channel.send(Say.CHECK)


def test_a_message_above_the_limit_is_refused() -> None:
    with spoken() as (channel, theirs):
        theirs.send(bytes(MAX_MESSAGE_BYTES + 1))
        with pytest.raises(WireError, match="too long"):
            channel.receive()


def test_a_bomb_of_nested_arrays_is_refused() -> None:
    with spoken() as (channel, theirs):
        theirs.send(b"\x91" * 100_000)
        with pytest.raises(WireError):
            channel.receive()


def plain_memory() -> int:
    descriptor = os.memfd_create("plain", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(descriptor, 100)
    return descriptor


def half_sealed() -> int:
    descriptor = plain_memory()
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW)
    return descriptor


def too_large() -> int:
    memory = seal((bytes(MOST_BYTES + 1),))
    return os.dup(memory.descriptor)


def a_file() -> int:
    return os.open(__file__, os.O_RDONLY)


def a_pipe() -> int:
    reading, writing = os.pipe()
    os.close(writing)
    return reading


@pytest.mark.parametrize("make", [plain_memory, half_sealed, too_large, a_file, a_pipe])
def test_only_memory_that_nobody_can_change_or_cut_off_is_taken(make) -> None:
    with spoken() as (channel, theirs):
        before = open_descriptors()
        good, bad = seal((b"x",)), make()
        socket.send_fds(theirs, [pack_message(Say.SEEN, 1)], [bad, good.descriptor])
        os.close(bad)
        del good
        with pytest.raises(WireError):
            channel.receive()
        assert open_descriptors() == before


def test_more_descriptors_than_a_message_has_are_closed() -> None:
    with spoken() as (channel, theirs):
        before = open_descriptors()
        many = [seal((b"x",)) for _ in range(20)]
        socket.send_fds(theirs, [pack_message(Say.SEEN, 1)], [one.descriptor for one in many])
        del many
        with pytest.raises(WireError, match="too long"):
            channel.receive()
        assert open_descriptors() == before


def test_sealed_memory_cannot_be_written_shrunk_or_grown_by_anyone() -> None:
    memory = seal((np.arange(5, dtype=np.uint16), b"tail"))
    assert bytes(memory.view()) == np.arange(5, dtype=np.uint16).tobytes() + b"tail"
    for harm in (
        lambda: os.pwrite(memory.descriptor, b"!", 0),
        lambda: os.ftruncate(memory.descriptor, 3),
        lambda: os.ftruncate(memory.descriptor, 30),
        lambda: mmap.mmap(memory.descriptor, 4),
        lambda: fcntl.fcntl(memory.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    ):
        with pytest.raises(PermissionError):
            harm()
    with pytest.raises(TypeError):
        memory.view()[0] = 1


def test_a_descriptor_goes_with_the_last_who_needs_it() -> None:
    before = open_descriptors()
    frame = seal_frame(Frame("a", SensorKind.CAMERA, 0, Instant(1, 2), np.zeros((2, 2), np.uint8)))
    samples = frame.frame.samples
    del frame
    assert samples.sum() == 0  # the map outlives the descriptor
    del samples
    assert open_descriptors() == before


@given(
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.text(max_size=300),
    st.randoms(use_true_random=False),
)
def test_a_frame_comes_through_memory_as_it_was(dtype, shape, name, random) -> None:
    count = int(np.prod(shape))
    samples = np.array([random.randrange(256) for _ in range(count)], dtype).reshape(shape)
    frame = Frame("cam", SensorKind.CUBE, 7, Instant(3, 4), samples, (-5, 2**40), 6, 8, name)
    sealed = seal_frame(frame)
    told = msgpack.unpackb(msgpack.packb(frame_fields(sealed.frame), unicode_errors="replace"))
    again = frame_of_fields(Fields(told), sealed.memory.view())
    assert np.array_equal(again.samples, samples)
    assert again.samples.dtype == dtype
    assert not again.samples.flags.writeable
    assert sealed.stamp == stamp(samples)
    assert (again.axis, again.taken, again.number) == (frame.axis, frame.taken, 7)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=9),
        lambda inner: st.lists(inner, max_size=12),
        max_leaves=30,
    )
)
def test_a_frame_may_be_told_of_in_any_words(tree) -> None:
    with suppress(WireError):
        frame_of_fields(Fields(tree), memoryview(bytes(16)))


def test_memory_of_another_size_is_no_frame() -> None:
    frame = Frame("a", SensorKind.CAMERA, 0, Instant(1, 2), np.zeros((4, 4), np.uint8))
    for size in (0, 15, 17):
        with pytest.raises(WireError, match="its shape"):
            frame_of_fields(Fields(frame_fields(frame)), memoryview(bytes(size)))


def test_no_memory_at_all_is_told_as_such() -> None:
    with pytest.raises(WireError, match="no memory"):
        Sealed(os.open("/dev/null", os.O_RDONLY), most_bytes=1)


@given(
    st.lists(st.lists(st.integers(-9, 40), min_size=3, max_size=3), max_size=5),
    st.binary(max_size=60),
    st.integers(0, 9),
    st.integers(1, 9),
)
def test_a_table_of_parts_may_say_anything(rows, data, count, columns) -> None:
    told = b"".join(number.to_bytes(8, "little", signed=True) for row in rows for number in row)
    memory = memoryview(told + data)
    try:
        parts = _parts(memory, count, columns)
    except WireError:
        return
    assert len(parts) == count
    assert 8 * count * columns + sum(len(part.data) for part in parts) <= len(memory)


def test_parts_come_back_from_their_table() -> None:
    table = np.array([[1, 7, 3], [1, 8, 2]], np.int64)
    first, second = _parts(seal((table, b"abcde")).view(), 2, 3)
    assert (first.geometry, bytes(first.data)) == ((1, 7), b"abc")
    assert (second.geometry, bytes(second.data)) == ((1, 8), b"de")
