"""Node ids in certificates (RFC 9174 section 4.4.1): DER written here, and what OpenSSL writes."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.ports.certificate import node_ids
from flight.relay.errors import WireError
from hil_tests.certificates import make_authority


def der(tag: int, *parts: bytes) -> bytes:
    """Return one item (X.690 section 8.1)."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def oid(*arcs: int) -> bytes:
    return der(6, bytes((arcs[0] * 40 + arcs[1], *arcs[2:])))


BUNDLE_EID = oid(1, 3, 6, 1, 5, 5, 7, 8, 11)
ALT_NAME = oid(2, 5, 29, 17)


def other_name(uri: str, kind: bytes = BUNDLE_EID, text_tag: int = 0x16) -> bytes:
    return der(0xA0, kind, der(0xA0, der(text_tag, uri.encode())))


def certificate(*names: bytes, extension: bytes = ALT_NAME, critical: bytes = b"") -> bytes:
    """Return what stands where in a certificate (RFC 5280 section 4.1), hardly filled in."""
    plain = der(0x30, oid(2, 5, 29, 15), der(4, b"\3\2\5\xa0"))
    names_extension = der(0x30, extension, critical, der(4, der(0x30, *names)))
    signed = der(
        0x30,
        der(0xA0, der(2, b"\2")),
        der(2, b"\1"),
        *(der(0x30) for _ in range(5)),
        der(0xA3, der(0x30, plain, names_extension)),
    )
    return der(0x30, signed, der(0x30), der(3, b"\0" * 70))


def test_every_node_id_is_found_in_order_and_other_names_are_passed_over():
    dns = der(0x82, b"node10.example")
    upn = other_name("user@example", kind=oid(1, 3, 6, 1, 4, 1, 12))
    data = certificate(dns, other_name("ipn:10.0"), upn, other_name("dtn://node10/"))
    assert node_ids(data) == ("ipn:10.0", "dtn://node10/")


def test_a_critical_extension_is_read_too_and_another_one_is_not():
    true = der(1, b"\xff")
    assert node_ids(certificate(other_name("ipn:10.0"), critical=true)) == ("ipn:10.0",)
    assert node_ids(certificate(other_name("ipn:10.0"), extension=oid(2, 5, 29, 18))) == ()


@pytest.mark.parametrize(
    "name", [other_name("ipn:1.0\nipn:2.0"), other_name("ipn:1.0", text_tag=12), other_name("é")]
)
def test_a_node_id_that_is_no_plain_text_is_there_and_is_nobodys(name: bytes):
    assert node_ids(certificate(name)) == ("?",)


def test_a_long_name_is_read():
    uri = "dtn://" + "n" * 300 + "/"
    assert node_ids(certificate(other_name(uri))) == (uri,)


def test_a_certificate_that_openssl_made_is_read(tmp_path: Path):
    files = make_authority(tmp_path).vouch("node10", "ipn:10.0", "dtn://node10/")
    data = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    assert node_ids(data) == ("ipn:10.0", "dtn://node10/")
    plain = make_authority(tmp_path, "other").certificate.read_text()
    assert node_ids(ssl.PEM_cert_to_DER_cert(plain)) == ()


WHOLE = certificate(other_name("ipn:10.0"), der(0x82, b"x"))


def test_a_certificate_cut_short_is_refused():
    for cut in range(len(WHOLE) - 80):
        with pytest.raises(WireError):
            node_ids(WHOLE[:cut])


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_are_read_or_refused(junk: bytes, at: int):
    for data in (junk, WHOLE[:at] + junk + WHOLE[at + len(junk) :]):
        try:
            found = node_ids(data)
        except WireError:
            continue
        assert all(uri.isprintable() for uri in found)
