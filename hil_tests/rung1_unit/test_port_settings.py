"""What ports and links ask of each other."""

import re
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.ports.channelport import ChannelSettings
from flight.ports.serialport import Framing
from flight.ports.settings import PortSettings, check_links, fit_links
from flight.ports.tls import TlsSettings
from flight.relay.convergence import make_engine
from flight.relay.ltp.settings import LtpSettings
from flight.relay.plain import UdpSettings
from flight.relay.settings import Layer, LinkSettings, NodeSettings
from flight.relay.stream.settings import TcpSettings, Tls
from flight.relay.uartframe import encode_frame
from flight.settings import SettingsError, parse_settings
from ground.config import StationConfig

NS = 10**9
TLS = TlsSettings(Path("a"), Path("b"), Path("c"))
SERIAL = PortSettings(2, device="/dev/ttyS0", baud=921_600)


def node(**link: object) -> NodeSettings:
    return NodeSettings(1, links=(LinkSettings(2, **link),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({}, "give bind and remote"),
        ({"bind": "a:1", "remote": "b:2", "call": "c:3"}, "give bind and remote"),
        ({"bind": "a:1"}, "needs both"),
        ({"device": "x", "tls": TLS}, "tls is for TCP"),
        ({"listen": "a:1", "channel": ChannelSettings()}, "cannot do without"),
        ({"device": "x", "baud": 0}, "baud"),
        ({"device": "x", "payload_bytes": 4096}, "payload_bytes is not within 64 to 2048"),
    ],
)
def test_a_port_that_cannot_be_meant_is_named(keys: dict, what: str):
    with pytest.raises(ValueError, match=what):
        PortSettings(2, **keys)


@pytest.mark.parametrize(
    ("link", "port", "what"),
    [
        ({"layer": Layer.TCPCL4}, SERIAL, "'tcpcl4' needs TCP: listen or call"),
        ({}, PortSettings(2, listen="a:1"), "'ltp' needs UDP or serial"),
        (
            {"layer": Layer.TCPCL4, "tcp": TcpSettings(tls=Tls.ALLOWED)},
            PortSettings(2, listen="a:1"),
            r"tls 'allowed' needs \[ports.tls\]",
        ),
        ({}, PortSettings(3, listen="a:1"), r"lead to nodes \[3\]"),
    ],
)
def test_a_layer_that_cannot_go_over_its_port_is_named(link: dict, port: PortSettings, what: str):
    with pytest.raises(ValueError, match=what):
        check_links(node(**link), [port])


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"layer": Layer.MTCP, "ltp": LtpSettings(1, 2)}, "a ltp table has no meaning"),
        ({"tcp": TcpSettings(keepalive_s=5)}, "a tcp table has no meaning with layer 'ltp'"),
        ({"layer": Layer.TCPCL3, "tcp": TcpSettings(tls=Tls.REQUIRED)}, "knows TLS"),
    ],
)
def test_tables_of_another_layer_are_named(keys: dict, what: str):
    with pytest.raises(ValueError, match=what):
        node(**keys)


def test_segments_fit_the_serial_line():
    fitted = fit_links(node(), [SERIAL]).links[0].ltp
    assert fitted.segment_bytes == 1024
    assert fitted.segment_bytes + fitted.frame_bytes >= len(encode_frame(bytes([1]) * 1024))
    noisy = PortSettings(2, device="/dev/ttyS0", payload_bytes=256)
    assert fit_links(node(), [noisy]).links[0].ltp.segment_bytes == 256
    small = fit_links(node(ltp=LtpSettings(segment_bytes=100)), [SERIAL]).links[0].ltp
    assert small.segment_bytes == 100


@pytest.mark.parametrize("baud", [9_600, 115_200, 921_600, 3_000_000])
def test_a_late_loop_makes_up_for_less_than_a_segment_on_a_serial_line(baud: int):
    port = PortSettings(2, device="/dev/ttyS0", baud=baud)
    ltp = fit_links(node(), [port]).links[0].ltp
    assert ltp.catch_up_ms <= 50
    assert ltp.catch_up_ms * baud / 10_000 <= ltp.segment_bytes + ltp.frame_bytes


@pytest.mark.parametrize("baud", [115_200, 921_600, 3_000_000])
def test_priority_0_waits_behind_one_segment_however_late_the_loop_wakes(baud: int):
    port = PortSettings(2, device="/dev/ttyS0", baud=baud)
    engine = make_engine(fit_links(node(), [port]).links[0], 1, seed=1)
    now_ns = NS
    engine.set_contact(True, rate_bytes_s=baud // 10, now=Instant(now_ns, 0))
    engine.send_block(bytes(200_000), key=1, priority=3, now=Instant(now_ns, 0))
    for late_ms in (0, 1, 5, 20, 200, 3):
        deadline_ns = engine.next_deadline_ns()
        assert deadline_ns is not None
        now_ns = max(now_ns, deadline_ns) + late_ms * 1_000_000
        engine.expire(Instant(now_ns, 0))
        assert len(engine.take_datagrams()) <= 1


def test_on_a_network_the_settings_stay_as_they_are():
    udp = PortSettings(2, bind="a:1", remote="b:2")
    assert fit_links(node(), [udp]) == node()


def test_bundles_of_one_datagram_fit_a_frame_or_a_packet():
    plain = {"layer": Layer.UDP}
    slip = PortSettings(2, device="x", framing=Framing.SLIP)
    assert fit_links(node(**plain), [SERIAL]).links[0].udp.datagram_bytes_max == 2048
    assert fit_links(node(**plain), [slip]).links[0].udp.datagram_bytes_max == 65_507


CONFIG = """
contact_plan = "plan.txt"
archive = "archive"
[node]
node_number = 30
[[node.links]]
peer_node = 20
layer = "tcpcl4"
[node.links.tcp]
node_id = "ipn:30.0"
peer_id = "*"
tls = "required"
[[ports]]
peer_node = 20
listen = "0.0.0.0:4556"
call = "10.0.0.2:4556"
[ports.tls]
certificate = "me.pem"
key = "me.key"
authorities = "mission.pem"
[store]
directory = "store"
"""


def test_a_station_over_tcp_in_one_file(tmp_path: Path):
    config = parse_settings(StationConfig, CONFIG, source="x.toml", folder=tmp_path)
    assert config.node.links[0].layer is Layer.TCPCL4
    assert config.ports[0].tls is not None
    assert config.ports[0].tls.key == tmp_path / "me.key"


@pytest.mark.parametrize(
    ("line", "wrong", "what"),
    [
        ('layer = "tcpcl4"', 'layer = "tcpcl"', "must be one of ltp, tcpcl4, tcpcl3, mtcp, udp"),
        ('tls = "required"', 'tls = "yes"', "must be one of never, allowed, required"),
        ('peer_id = "*"', 'peer = "*"', "did you mean 'peer_id'"),
        ('call = "10.0.0.2:4556"', 'remote = "10.0.0.2:4556"', "give bind and remote"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, wrong: str, what: str):
    with pytest.raises(SettingsError, match=what):
        parse_settings(StationConfig, CONFIG.replace(line, wrong), source="x.toml", folder=tmp_path)


def test_a_udp_datagram_has_limits():
    with pytest.raises(ValueError, match="datagram_bytes_max"):
        UdpSettings(datagram_bytes_max=70_000)
    with pytest.raises(ValueError, match="too small"):
        UdpSettings(send_blocks_max=0)


# ------------------------------------------------------------------------ what the README says

README = Path(__file__).parents[2] / "README.md"
WHOLE = 'contact_plan = "p"\narchive = "a"\n[store]\ndirectory = "s"\n[node]\nnode_number = 10\n'


def left_columns(table: str = "[[node.links]]") -> list[str]:
    """Return farside's side of each pair of configurations in the README that has a table."""
    chapter = README.read_text().split("## As a node among")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", chapter, re.MULTILINE)
    texts = []
    for block in blocks:
        if table in block:
            lines = (re.split(r"\s{2,}", line[4:])[0] for line in block.splitlines())
            texts.append("\n".join(lines))
    return texts


@pytest.mark.parametrize("text", left_columns())
def test_the_readmes_lines_for_peers_are_settings(text: str, tmp_path: Path):
    config = parse_settings(StationConfig, WHOLE + text, source="README.md", folder=tmp_path)
    fitted = fit_links(config.node, config.ports)
    assert [link.peer_node for link in fitted.links] == [20]


@pytest.mark.parametrize(("layer", "sends"), [(Layer.MTCP, False), (Layer.TCPCL3, True)])
def test_over_mtcp_who_calls_sends_on_nothing_else(layer: Layer, sends: bool):
    plain = node(layer=layer)
    calling = PortSettings(2, listen="127.0.0.1:1", call="127.0.0.1:2")
    assert fit_links(plain, [calling]).links[0].tcp.answers_send is sends
    assert fit_links(plain, [PortSettings(2, listen="127.0.0.1:1")]) == plain


def test_the_readmes_lines_for_names_are_settings(tmp_path: Path):
    (text,) = left_columns("[[node.dtn_nodes]]")
    whole = WHOLE + text.strip().removeprefix("[node]")
    node = parse_settings(StationConfig, whole, source="README.md", folder=tmp_path).node
    assert (node.number_of("farside"), node.number_of("gateway")) == (10, 20)


def test_the_readme_has_lines_for_each_layer():
    text = "".join(left_columns())
    assert {layer for layer in Layer if f'"{layer.value}"' in text} == {
        Layer.TCPCL3,
        Layer.TCPCL4,
        Layer.UDP,
    }
    assert len(left_columns()) == 6
