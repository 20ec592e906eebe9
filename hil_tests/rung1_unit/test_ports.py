"""Ports: UDP, serial over a pseudo-terminal, and the channel that behaves badly on purpose."""

import os
import pty
import socket
import tty
from collections.abc import Iterator, Sequence

import pytest

from flight.instant import Instant
from flight.ports.channelport import ChannelPort, ChannelSettings
from flight.ports.port import RECEIVE_LIMIT, Port, PortError
from flight.ports.serialport import (
    REOPEN_NS,
    SEND_BUFFER_BYTES,
    FlowControl,
    Framing,
    SerialPort,
)
from flight.ports.settings import PortSettings, open_port
from flight.ports.udp import UdpPort
from flight.relay.slip import encode_packet
from flight.relay.uartframe import FrameReader, encode_frame
from hil_tests.waiting import One, wait_until

NOW = Instant(1_000_000_000, 0)


def at(milliseconds: int) -> Instant:
    return Instant(NOW.mono_ns + milliseconds * 1_000_000, 0)


def free_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def received(port: Port, count: int) -> list[bytes]:
    found: list[bytes] = []

    def turn(now: Instant) -> bool:
        port.expire(now)
        found.extend(port.receive(now))
        return len(found) >= count

    wait_until(One(port), turn)
    return found


# --------------------------------------------------------------------------------------- UDP


@pytest.fixture
def pair() -> Iterator[tuple[UdpPort, UdpPort]]:
    here, there = free_address(), free_address()
    ports = UdpPort(here, there), UdpPort(there, here)
    yield ports
    for port in ports:
        port.close()


def test_datagrams_cross_whole_and_in_order(pair: tuple[UdpPort, UdpPort]) -> None:
    datagrams = [bytes([i]) * (i * 50 + 1) for i in range(20)]
    pair[0].send(datagrams, NOW)
    assert received(pair[1], 20) == datagrams


def test_one_call_takes_a_bounded_number(pair: tuple[UdpPort, UdpPort]) -> None:
    pair[0].send([b"x"] * (RECEIVE_LIMIT + 10), NOW)
    assert len(pair[1].receive(NOW)) == RECEIVE_LIMIT
    assert len(pair[1].receive(NOW)) == 10
    assert pair[1].receive(NOW) == []


def test_an_address_in_use_is_named() -> None:
    here, there = free_address(), free_address()
    first = UdpPort(here, there)
    with pytest.raises(PortError, match=f"udp {here}: Address already in use; stop the other"):
        UdpPort(here, there)
    first.close()


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", "127.0.0.1:70000", ":5", "a:b"])
def test_a_malformed_address_is_named(address: str) -> None:
    with pytest.raises(PortError, match="is not HOST:PORT"):
        UdpPort(address, "127.0.0.1:4556")


def test_addresses_of_two_families_are_refused() -> None:
    with pytest.raises(PortError, match="IPv6"):
        UdpPort("127.0.0.1:0", "[::1]:4556")


def test_a_trouble_is_told_once_until_it_is_over(pair: tuple[UdpPort, UdpPort]) -> None:
    port = pair[0]
    port.send([bytes(70_000)], NOW)
    assert port.take_trouble() == "sending failed: Message too long"
    port.send([bytes(70_000)], NOW)
    assert port.take_trouble() is None
    port.send([b"fits"], NOW)
    port.send([bytes(70_000)], NOW)
    assert port.take_trouble() == "sending failed: Message too long"


# ------------------------------------------------------------------------------------ serial


class Terminal:
    """A pseudo-terminal: the far end of a serial line, for a test to hold."""

    def __init__(self) -> None:
        self.far, near = pty.openpty()
        tty.setraw(near)
        self.device = os.ttyname(near)
        os.close(near)

    def unplug(self) -> None:
        os.close(self.far)
        self.far = -1


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    if terminal.far >= 0:
        terminal.unplug()


def test_a_datagram_leaves_as_a_uart_frame(terminal: Terminal) -> None:
    port = SerialPort(terminal.device, 115_200)
    port.send([b"hello\x00there"], NOW)
    assert os.read(terminal.far, 1000) == encode_frame(b"hello\x00there")
    port.close()


def test_a_frame_in_two_pieces_arrives_as_one_datagram(terminal: Terminal) -> None:
    port = SerialPort(terminal.device, 115_200)
    data = encode_frame(b"one") + encode_frame(b"two")
    os.write(terminal.far, data[:5])
    assert port.receive(NOW) == []
    os.write(terminal.far, data[5:])
    assert received(port, 2) == [b"one", b"two"]
    port.close()


def test_a_slow_line_is_written_as_it_drains_and_what_exceeds_the_buffer_is_lost(
    terminal: Terminal,
) -> None:
    port = SerialPort(terminal.device, 115_200)
    datagrams = [bytes([1 + i % 255]) * 1000 for i in range(100)]
    port.send(datagrams, NOW)
    assert port.take_trouble() == "the line is slower than its contact: frames are lost"
    os.set_blocking(terminal.far, False)
    reader, found, now = FrameReader(), [], NOW
    for _ in range(10_000):
        try:
            found += reader.feed(os.read(terminal.far, 4096))
        except BlockingIOError:
            deadline = port.next_deadline_ns()
            if deadline is None:
                break
            now = Instant(deadline, 0)
            port.expire(now)
    assert found == datagrams[: len(found)]
    assert 0 < SEND_BUFFER_BYTES - len(found) * 1008 < 3000
    port.close()


def test_a_datagram_leaves_as_a_slip_packet_where_that_is_set(terminal: Terminal) -> None:
    port = SerialPort(terminal.device, 115_200, framing=Framing.SLIP)
    port.send([b"one\xc0\xdb"], NOW)
    assert os.read(terminal.far, 1000) == encode_packet(b"one\xc0\xdb")
    os.write(terminal.far, encode_packet(b"two") + encode_packet(bytes(3000)))
    assert received(port, 2) == [b"two", bytes(3000)]
    port.close()


def test_no_control_character_of_the_line_is_sent_with_software_flow_control(
    terminal: Terminal,
) -> None:
    port = SerialPort(terminal.device, 115_200, flow_control=FlowControl.SOFTWARE)
    port.send([bytes(range(256))], NOW)
    sent = os.read(terminal.far, 1000)
    assert not set(sent) & set(b"\x11\x13")
    os.write(terminal.far, sent)
    assert received(port, 1) == [bytes(range(256))]
    port.close()


@pytest.mark.parametrize("flow", list(FlowControl))
def test_the_line_is_set_to_its_flow_control(terminal: Terminal, flow: FlowControl) -> None:
    port = SerialPort(terminal.device, 115_200, flow_control=flow)
    assert port._line is not None
    assert port._line.rtscts is (flow is FlowControl.HARDWARE)
    assert port._line.xonxoff is (flow is FlowControl.SOFTWARE)
    port.close()


def test_an_unplugged_line_is_tried_again_until_it_is_back(tmp_path_factory) -> None:
    link = tmp_path_factory.mktemp("dev") / "ttyUSB0"
    first = Terminal()
    link.symlink_to(first.device)
    port = SerialPort(str(link), 115_200)
    first.unplug()
    link.unlink()

    def gone(now: Instant) -> bool:
        port.receive(now)
        return port.fileno() is None

    now = wait_until(One(port), gone)
    assert "trying again each second" in str(port.take_trouble())
    port.send([b"lost"], now)
    assert port.next_deadline_ns() == now.mono_ns + REOPEN_NS
    now = Instant(now.mono_ns + REOPEN_NS, 0)
    port.expire(now)
    assert "No such file" in str(port.take_trouble())
    second = Terminal()
    link.symlink_to(second.device)
    port.expire(Instant(now.mono_ns + REOPEN_NS, 0))
    assert port.next_deadline_ns() is None
    os.write(second.far, encode_frame(b"back"))
    assert received(port, 1) == [b"back"]
    second.unplug()
    port.close()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(PortError, match=r"^serial /dev/ttyNONE9: No such file or directory; plug"):
        SerialPort("/dev/ttyNONE9", 115_200)


def test_a_device_in_use_is_named(terminal: Terminal) -> None:
    port = SerialPort(terminal.device, 115_200)
    with pytest.raises(PortError, match=f"serial {terminal.device}: in use; stop the program"):
        SerialPort(terminal.device, 115_200)
    port.close()


# ----------------------------------------------------------------------------------- channel


class Loop:
    """A port that receives what it sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.waiting: list[bytes] = []

    def fileno(self) -> int | None:
        return None

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:
        self.sent += [(now.mono_ns, datagram) for datagram in datagrams]
        self.waiting += datagrams

    def receive(self, now: Instant) -> list[bytes]:
        found, self.waiting = self.waiting, []
        return found

    def next_deadline_ns(self) -> int | None:
        return None

    def expire(self, now: Instant) -> None: ...

    def take_trouble(self) -> str | None:
        return "inner"

    def close(self) -> None: ...


def test_light_takes_its_time_in_both_directions() -> None:
    channel = ChannelPort(Loop(), ChannelSettings(one_way_ms=1350))
    channel.send([b"a"], NOW)
    assert channel.receive(at(1349)) == []
    assert channel.next_deadline_ns() == at(1350).mono_ns
    channel.expire(at(1350))
    assert channel.receive(at(1350)) == []
    assert channel.next_deadline_ns() == at(2700).mono_ns
    assert channel.receive(at(2699)) == []
    assert channel.receive(at(2700)) == [b"a"]
    assert channel.next_deadline_ns() is None


def test_a_clean_channel_without_delay_passes_all_at_once() -> None:
    channel = ChannelPort(Loop(), ChannelSettings())
    channel.send([b"a", b"b"], NOW)
    assert channel.receive(NOW) == [b"a", b"b"]
    assert channel.take_trouble() == "inner"


def test_losses_follow_the_seed_and_nothing_else() -> None:
    def survivors(seed: int, pieces: int) -> list[bytes]:
        port = Loop()
        channel = ChannelPort(port, ChannelSettings(loss_permille=300, seed=seed))
        datagrams = [i.to_bytes(2, "big") for i in range(1000)]
        for start in range(0, 1000, pieces):
            channel.send(datagrams[start : start + pieces], NOW)
        return [datagram for _, datagram in port.sent]

    assert survivors(1, 1000) == survivors(1, 7)
    assert survivors(1, 1000) != survivors(2, 1000)
    assert 640 < len(survivors(1, 1000)) < 760


def test_duplicates_come_twice_and_in_order() -> None:
    port = Loop()
    ChannelPort(port, ChannelSettings(duplicate_permille=1000)).send([b"a", b"b"], NOW)
    assert [datagram for _, datagram in port.sent] == [b"a", b"a", b"b", b"b"]


# ---------------------------------------------------------------------------------- settings


def test_settings_open_the_port_they_describe(terminal: Terminal) -> None:
    udp = open_port(PortSettings(2, bind=free_address(), remote=free_address()))
    line = open_port(PortSettings(2, device=terminal.device, channel=ChannelSettings(one_way_ms=5)))
    assert isinstance(udp, UdpPort)
    assert isinstance(line, ChannelPort)
    udp.close()
    line.close()
