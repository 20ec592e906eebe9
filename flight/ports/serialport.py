"""A serial line as a port: pyserial sets the line, uart frames cut the stream.

pyserial opens and configures; reading and writing go to the descriptor itself, because its
write spins while the kernel is full and loses count of what a partial write already sent.
"""

import errno
import os
import select
import termios
from collections.abc import Callable, Sequence
from enum import Enum

import serial

from flight.instant import Instant
from flight.ports.port import RECEIVE_LIMIT, PortError, Trouble
from flight.relay.slip import PacketReader, encode_packet
from flight.relay.uartframe import FrameReader, encode_frame
from flight.relay.xonxoff import ControlReader, hide_controls

SEND_BUFFER_BYTES = 1 << 16
"""Bytes held for a line that is slower than its contact plan says; whole frames beyond are lost."""
READ_BYTES = 1 << 16
FLUSH_NS = 5_000_000
REOPEN_NS = 1_000_000_000
SLIP_BYTES_MAX = 65_535
"""Longest packet taken in."""


class Framing(Enum):
    """How datagrams are told apart in the stream of bytes."""

    COBS = "cobs"
    """Uart frames: COBS and a checksum each. What farside nodes speak with each other."""
    SLIP = "slip"
    """RFC 1055, without a checksum: what HDTN speaks over a UART, with layer "udp"."""


class FlowControl(Enum):
    """Who may stop whom on the line."""

    NONE = "none"
    HARDWARE = "hardware"
    """RTS and CTS, where the cable has them."""
    SOFTWARE = "software"
    """XON and XOFF. These two bytes are hidden in the data, so both ends have to be farside's."""


class SerialPort:
    """One serial device; after an unplug it is tried again once a second."""

    def __init__(
        self,
        device: str,
        baud: int,
        *,
        framing: Framing = Framing.COBS,
        flow_control: FlowControl = FlowControl.NONE,
    ) -> None:
        """Open the device.

        Raises:
            PortError: it is absent, in use, forbidden or does not know the speed.
        """
        self._device, self._baud = device, baud
        self._framing, self._flow_control = framing, flow_control
        self._trouble = Trouble()
        self._feed = self._new_reader()
        self._waiting: list[bytes] = []
        self._out = bytearray()
        self._deadline_ns: int | None = None
        self._line: serial.Serial | None = None
        try:
            self._line = self._open()
        except (OSError, ValueError, termios.error) as error:
            raise PortError(f"serial {device}: {_reason(error)}; {_remedy(error)}") from error

    def fileno(self) -> int | None:
        """Return the line's descriptor; None while it is unplugged."""
        return self._descriptor() if self._line else None

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:
        """Queue each datagram as a uart frame and write what the line takes."""
        if self._line is None:
            return
        for datagram in datagrams:
            frame = self._frame(datagram)
            # One always fits: a SLIP packet may be longer than the buffer.
            if self._out and len(self._out) + len(frame) > SEND_BUFFER_BYTES:
                self._trouble.begins("the line is slower than its contact: frames are lost")
                break
            self._out += frame
        self._flush(now)

    def receive(self, now: Instant) -> list[bytes]:
        """Return the datagrams whose frames are complete and intact."""
        if self._line is not None and len(self._waiting) < RECEIVE_LIMIT:
            self._read(now)
        found, self._waiting = self._waiting[:RECEIVE_LIMIT], self._waiting[RECEIVE_LIMIT:]
        return found

    def next_deadline_ns(self) -> int | None:
        """Return when to write on, or to look for the device again."""
        return self._deadline_ns

    def expire(self, now: Instant) -> None:
        """Write on, or try to open the device again."""
        if self._deadline_ns is None or now.mono_ns < self._deadline_ns:
            return
        self._deadline_ns = None
        if self._line is not None:
            self._flush(now)
            return
        try:
            self._line = self._open()
            self._trouble.over()
        except (OSError, ValueError, termios.error) as error:
            self._trouble.begins(f"{self._device}: {_reason(error)}")
            self._deadline_ns = now.mono_ns + REOPEN_NS

    def take_trouble(self) -> str | None:
        """Return what began to fail since the last call."""
        return self._trouble.take()

    def close(self) -> None:
        """Close the line."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _open(self) -> serial.Serial:
        line = serial.Serial(
            self._device,
            self._baud,
            timeout=0,
            write_timeout=0,
            exclusive=True,
            rtscts=self._flow_control is FlowControl.HARDWARE,
            xonxoff=self._flow_control is FlowControl.SOFTWARE,
        )
        os.set_blocking(int(line.fileno()), False)
        return line

    def _frame(self, datagram: bytes) -> bytes:
        """Return a datagram as it stands on the line."""
        frame = encode_packet(datagram) if self._framing is Framing.SLIP else encode_frame(datagram)
        return hide_controls(frame) if self._flow_control is FlowControl.SOFTWARE else frame

    def _new_reader(self) -> Callable[[bytes], list[bytes]]:
        """Return what finds the datagrams in the bytes of a line."""
        slip = self._framing is Framing.SLIP
        feed = PacketReader(SLIP_BYTES_MAX).feed if slip else FrameReader().feed
        if self._flow_control is not FlowControl.SOFTWARE:
            return feed
        reader = ControlReader()
        return lambda data: feed(reader.feed(data))

    def _descriptor(self) -> int:
        assert self._line is not None
        return int(self._line.fileno())

    def _read(self, now: Instant) -> None:
        descriptor = self._descriptor()
        watch = select.poll()
        watch.register(descriptor, select.POLLIN)
        # With no byte there, read() of a raw tty returns b"" just as it does after an unplug.
        if not watch.poll(0):
            return
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._unplugged(now, _reason(error))
            return
        if not data:
            self._unplugged(now, "unplugged")
            return
        self._waiting += self._feed(data)

    def _flush(self, now: Instant) -> None:
        try:
            while self._out:
                del self._out[: os.write(self._descriptor(), self._out)]
            self._trouble.over()
        except BlockingIOError:
            self._deadline_ns = now.mono_ns + FLUSH_NS
        except OSError as error:
            self._unplugged(now, _reason(error))

    def _unplugged(self, now: Instant, why: str) -> None:
        self.close()
        self._out.clear()
        self._feed = self._new_reader()
        self._trouble.begins(f"{self._device}: {why}; trying again each second")
        self._deadline_ns = now.mono_ns + REOPEN_NS


def _reason(error: Exception) -> str:
    """Return the plain reason; pyserial wraps the system's error in words of its own."""
    number = error.errno if isinstance(error, OSError) else None
    return "in use" if number == errno.EAGAIN else os.strerror(number) if number else str(error)


def _remedy(error: Exception) -> str:
    remedies = {
        errno.ENOENT: "plug it in, or name another device",
        errno.EACCES: "add the user to the group that owns it (often dialout)",
        errno.EAGAIN: "stop the program that uses it",
    }
    number = error.errno if isinstance(error, OSError) else None
    return remedies.get(number or 0, "check device and baud")
