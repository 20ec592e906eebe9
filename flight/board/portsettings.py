"""What a mission's settings say of one port, and the port that comes of it."""

from dataclasses import dataclass

from flight.board.channelport import ChannelPort, ChannelSettings
from flight.board.ports import Port, UdpPort
from flight.board.serialport import SerialPort


@dataclass(frozen=True, slots=True)
class PortSettings:
    """A line to one peer: UDP or serial, and for a demonstration how bad it is to be."""

    peer_node: int
    """The neighbour at its other end, as in [[node.links]]."""
    bind: str = ""
    """UDP: where to listen, HOST:PORT."""
    remote: str = ""
    """UDP: where to send, HOST:PORT."""
    device: str = ""
    """Serial: the line, such as /dev/ttyUSB0."""
    baud: int = 115_200
    """Serial: its speed."""
    channel: ChannelSettings | None = None
    """A simulated light time and loss, on top of the real line."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if bool(self.device) == bool(self.bind or self.remote):
            raise ValueError("give either bind and remote (UDP) or device (serial)")
        if not self.device and not (self.bind and self.remote):
            raise ValueError("UDP needs both bind and remote")
        if self.baud < 1:
            raise ValueError("baud must be above 0")


def open_port(settings: PortSettings) -> Port:
    """Return the port, open.

    Raises:
        PortError: it cannot be opened.
    """
    port: Port = (
        SerialPort(settings.device, settings.baud)
        if settings.device
        else UdpPort(settings.bind, settings.remote)
    )
    return port if settings.channel is None else ChannelPort(port, settings.channel)
