"""The TCP port's secured lines: who is believed, and what is told of who it is."""

import contextlib
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from flight.ports.port import PortError
from flight.ports.tcp import TcpPort
from flight.ports.tls import TlsSettings
from flight.relay.stream.line import Order, Told
from hil_tests.certificates import Authority, make_authority
from hil_tests.rung1_unit.test_tcp_port import Ends


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


def secured(here: TlsSettings, there: TlsSettings) -> Ends:
    ends = Ends((here, there))
    ends.connect()
    for end in (0, 1):
        ends.order(end, Order.WRITE, 1, b"header")
    ends.until(lambda: ends.heard == [b"header", b"header"])
    for end in (0, 1):
        ends.order(end, Order.SECURE, 1)
    return ends


def test_a_line_goes_on_in_secret_after_what_was_said_in_the_open(authority: Authority):
    ends = secured(authority.vouch("one"), authority.vouch("two"))
    ends.until(lambda: all(Told.SECURED in ends.kinds(end) for end in (0, 1)))
    data = bytes(range(256)) * 10_000
    ends.order(0, Order.WRITE, 1, data)
    ends.until(lambda: len(ends.heard[1]) == 6 + len(data))
    assert ends.heard[1] == b"header" + data
    assert ends.written[0] == 6 + len(data)
    ends.order(0, Order.HANG_UP, 1)
    ends.until(lambda: Told.ENDED in ends.kinds(1))
    ends.close()


def test_who_shows_a_strangers_certificate_is_hung_up_on(authority: Authority, tmp_path: Path):
    stranger = make_authority(tmp_path, "stranger").vouch("eve", trusts=authority)
    ends = secured(stranger, authority.vouch("bob"))
    ends.until(lambda: all(Told.ENDED in ends.kinds(end) for end in (0, 1)))
    assert Told.SECURED not in ends.kinds(1)
    trouble = ends.ports[1].take_trouble()
    assert trouble is not None
    assert "certificate verify failed" in trouble
    ends.close()


@pytest.mark.parametrize(("name", "is_right"), [("carol", True), ("dave", False)])
def test_a_called_peer_has_to_show_its_name(authority: Authority, name: str, is_right: bool):
    mine = authority.vouch("alice")
    named = TlsSettings(mine.certificate, mine.key, mine.authorities, peer_name=name)
    ends = secured(named, authority.vouch("carol"))
    last = Told.SECURED if is_right else Told.ENDED
    ends.until(lambda: last in ends.kinds(0))
    assert (Told.ENDED in ends.kinds(0)) is not is_right
    ends.close()


def test_a_caller_without_a_certificate_gets_in_only_where_that_is_set(authority: Authority):
    # HDTN's outducts show none.
    for is_asked in (True, False):
        files = replace(authority.vouch("heidi"), callers_show_certificate=is_asked)
        ends = Ends((None, files))
        ends.until(lambda: True)
        host, number = ends.address.split(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(authority.certificate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # the refusal comes with the handshake
        with socket.create_connection((host, int(number))) as plain:
            ends.until(lambda ends=ends: Told.ANSWERED in ends.kinds(1))
            ends.order(1, Order.SECURE, 1)
            caller = context.wrap_socket(plain, do_handshake_on_connect=False)
            caller.setblocking(False)

            def shake(caller=caller, ends=ends) -> bool:
                with contextlib.suppress(OSError):
                    caller.do_handshake()
                return Told.SECURED in ends.kinds(1) or Told.ENDED in ends.kinds(1)

            ends.until(shake)
            caller.close()
        assert (Told.SECURED in ends.kinds(1)) is not is_asked
        ends.close()


def test_files_that_are_no_certificates_are_named(authority: Authority, tmp_path: Path):
    good = authority.vouch("frank")
    (tmp_path / "junk.pem").write_text("junk")
    missing = tmp_path / "missing.pem"
    for files in (
        TlsSettings(missing, good.key, good.authorities),
        TlsSettings(good.certificate, tmp_path / "junk.pem", good.authorities),
        TlsSettings(good.certificate, good.key, tmp_path / "junk.pem"),
    ):
        with pytest.raises(PortError, match=r"tls .*pem: .*; give PEM files"):
            TcpPort("127.0.0.1:0", "", files)


def test_the_node_ids_in_the_peers_certificate_are_told(authority: Authority):
    ends = secured(authority.vouch("grace", "ipn:10.0", "dtn://grace/"), authority.vouch("ivan"))
    ends.until(lambda: all(Told.SECURED in ends.kinds(end) for end in (0, 1)))
    assert ends.vouched == [(), ("ipn:10.0", "dtn://grace/")]
    ends.close()
