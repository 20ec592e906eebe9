"""The node ids that a certificate vouches for (RFC 9174 section 4.4.1, NODE-ID).

Python's own reading of certificates leaves such names out, so here is as much of DER (X.690) as
leads to them:

    certificate > tbsCertificate > [3] extensions > subjectAltName > [0] otherName >
    id-on-bundleEID, [0] IA5String

OpenSSL has read the same bytes before, and they are believed no further than the authority that
signed them.
"""

from collections.abc import Iterator

from flight.relay.errors import WireError

_OCTETS, _OID, _IA5 = 0x04, 0x06, 0x16
_EXTENSIONS = 0xA3
_OTHER_NAME = _EXPLICIT = 0xA0
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
"""2.5.29.17"""
_BUNDLE_EID = bytes.fromhex("2b0601050507080b")
"""1.3.6.1.5.5.7.8.11"""
_MAX_LENGTH_BYTES = 4


def node_ids(certificate: bytes) -> tuple[str, ...]:
    """Return the node ids in a certificate's DER form, in order; what is no text reads ``?``.

    Raises:
        WireError: it is no certificate.
    """
    found = []
    for name in _alternative_names(certificate):
        kind, value = _first(name, 2)
        if kind == (_OID, _BUNDLE_EID) and value[0] == _EXPLICIT:
            tag, text = _first(value[1], 1)[0]
            uri = text.decode("ascii", "replace")
            found.append(uri if tag == _IA5 and uri.isascii() and uri.isprintable() else "?")
    return tuple(found)


def _alternative_names(certificate: bytes) -> Iterator[bytes]:
    """Yield the content of each otherName."""
    whole = _first(certificate, 1)[0][1]
    signed = _first(whole, 1)[0][1]
    for tag, content in _items(signed):
        if tag != _EXTENSIONS:
            continue
        for _, extension in _items(_first(content, 1)[0][1]):
            fields = list(_items(extension))
            if len(fields) < 2 or fields[0] != (_OID, _SUBJECT_ALT_NAME):
                continue
            if fields[-1][0] != _OCTETS:
                raise WireError("an extension of a certificate holds no octets")
            for kind, name in _items(_first(fields[-1][1], 1)[0][1]):
                if kind == _OTHER_NAME:
                    yield name


def _first(data: bytes, count: int) -> list[tuple[int, bytes]]:
    items = list(_items(data))
    if len(items) < count:
        raise WireError("a certificate lacks something")
    return items[:count]


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each item of a DER sequence (X.690 section 8.1)."""
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise WireError("a certificate is cut short, or has a long tag")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            size = length & 0x7F
            if not 0 < size <= _MAX_LENGTH_BYTES or at + size > len(data):
                raise WireError("a length in a certificate is no length")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise WireError("an item of a certificate is longer than what holds it")
        yield tag, data[at : at + length]
        at += length
