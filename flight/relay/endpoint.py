"""Endpoint ids: who a bundle is from and for (RFC 9171 section 4.2.5.1, RFC 9758)."""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from flight.relay.cbor import (
    TEXT,
    UINT,
    encode_array,
    encode_text,
    encode_uint,
    read_array,
    read_head,
    read_text,
    read_uint,
)
from flight.relay.errors import WireError

MAX_NAME_BYTES = 1023
"""Longest scheme-specific part of a dtn endpoint id that is read or made."""

LOCAL_NODE = 0xFFFFFFFF
"""The node number that means "this node", written ``ipn:!`` (RFC 9758 section 3.4.2)."""

_IPN_START = b"\x82\x02\x82"
_DTN_NONE = b"\x82\x01\x00"

_MAX_UINT = 0xFFFFFFFFFFFFFFFF


class Scheme(IntEnum):
    """URI scheme codes (RFC 9171 section 9.6)."""

    DTN = 1
    IPN = 2


@dataclass(frozen=True, slots=True)
class EndpointId:
    """The address of an application on a node (RFC 9171 section 4.2.5.1)."""

    scheme: Scheme
    node: int = 0
    """ipn: the fully qualified node number, its upper 32 bits the allocator (RFC 9758)."""
    service: int = 0
    """ipn: the service number."""
    name: str = ""
    """dtn: what follows ``dtn:``, such as ``//node/service``; empty in dtn:none."""
    three_elements: bool = field(default=False, compare=False)
    """ipn: written as [allocator, node, service] (RFC 9758 section 6.1.2), not [node, service].

    Off by default: ION, HDTN and uD3TN refuse it. An id that was received keeps its form.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be written: a number out of range, a name that is no name."""
        if self.scheme == Scheme.IPN:
            if self.name or not (0 <= self.node <= _MAX_UINT and 0 <= self.service <= _MAX_UINT):
                raise ValueError(f"not an ipn endpoint id: {self.node}.{self.service} {self.name}")
        elif self.node or self.service or len(self.name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"not a dtn endpoint id: {self.name[:40]}")
        elif self.name and not self.name.startswith("//"):
            raise ValueError(f"a dtn name begins with //: {self.name[:40]}")

    @property
    def is_null(self) -> bool:
        """Nobody: dtn:none, and every ipn id of node 0 (RFC 9758 section 3.4.1)."""
        return not self.node and not self.name

    def __str__(self) -> str:
        """Return the URI (RFC 9171 section 4.2.5.1, RFC 9758 section 4)."""
        if self.scheme == Scheme.DTN:
            return f"dtn:{self.name or 'none'}"
        allocator, node = self.node >> 32, self.node & 0xFFFFFFFF
        if allocator:
            return f"ipn:{allocator}.{node}.{self.service}"
        return f"ipn:{'!' if node == LOCAL_NODE else node}.{self.service}"


NONE = EndpointId(Scheme.DTN)
"""dtn:none, the null endpoint (RFC 9171 section 4.2.5.1.1)."""


@lru_cache(maxsize=1024)
def ipn(node: int, service: int, *, three_elements: bool = False) -> EndpointId:
    """Return the endpoint id ipn:node.service (RFC 9171 section 4.2.5.1.2).

    Raises:
        ValueError: a number is negative or above 2**64 - 1.
    """
    return EndpointId(Scheme.IPN, node, service, three_elements=three_elements)


def parse_endpoint(uri: str) -> EndpointId:
    """Return the endpoint id that a URI names (RFC 9171 section 4.2.5.1, RFC 9758 section 4).

    Raises:
        ValueError: no ipn or dtn URI.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "dtn" and rest:
        return NONE if rest == "none" else EndpointId(Scheme.DTN, name=rest)
    parts = [_parse_number(part, uri) for part in rest.split(".")] if scheme == "ipn" else []
    if len(parts) == 2:
        return ipn(parts[0], parts[1])
    if len(parts) == 3 and max(parts[:2]) <= 0xFFFFFFFF:
        return ipn(parts[0] << 32 | parts[1], parts[2])
    raise ValueError(f"not an endpoint id: {uri[:80]!r}; write ipn:NODE.SERVICE or dtn://NODE/NAME")


def encode_endpoint(endpoint: EndpointId) -> bytes:
    """Return an endpoint id in CBOR (RFC 9171 section 4.2.5.1, RFC 9758 section 6.1)."""
    if endpoint.scheme == Scheme.DTN:
        return b"\x82\x01" + encode_text(endpoint.name) if endpoint.name else _DTN_NONE
    if endpoint.three_elements:
        return b"\x82\x02" + encode_array(
            encode_uint(endpoint.node >> 32),
            encode_uint(endpoint.node & 0xFFFFFFFF),
            encode_uint(endpoint.service),
        )
    return _two_elements(endpoint.node, endpoint.service)


@lru_cache(maxsize=1024)
def _two_elements(node: int, service: int) -> bytes:
    return _IPN_START + encode_uint(node) + encode_uint(service)


def read_endpoint(data: bytes, at: int) -> tuple[EndpointId, int]:
    """Return the endpoint id at a place, and the place after it (RFC 9171 section 4.2.5.1).

    Raises:
        WireError: no endpoint id of a known scheme and form stands there.
    """
    start = data[at : at + 3]
    if start == _IPN_START:  # the usual ones first
        node, at = read_uint(data, at + 3)
        service, at = read_uint(data, at)
        return ipn(node, service), at
    if start == _DTN_NONE:
        return NONE, at + 3
    count, at = read_array(data, at)
    if count != 2:
        raise WireError("an endpoint id has two elements")
    scheme, at = read_uint(data, at)
    if scheme == Scheme.IPN:
        return _read_ipn(data, at)
    if scheme == Scheme.DTN:
        return _read_dtn(data, at)
    raise WireError("endpoint id of an unknown scheme")


def _read_ipn(data: bytes, at: int) -> tuple[EndpointId, int]:
    count, at = read_array(data, at)
    if count not in {2, 3}:
        raise WireError("an ipn endpoint id has two or three elements")
    node, at = read_uint(data, at)
    if count == 3:
        allocator = node
        node, at = read_uint(data, at)
        if allocator > 0xFFFFFFFF or node > 0xFFFFFFFF:
            raise WireError("allocator or node number above 32 bits")
        node |= allocator << 32
    service, at = read_uint(data, at)
    return ipn(node, service, three_elements=count == 3), at


def _read_dtn(data: bytes, at: int) -> tuple[EndpointId, int]:
    major, value, after = read_head(data, at)
    if major == UINT and value == 0:
        return NONE, after
    if major != TEXT:
        raise WireError("a dtn endpoint id is text, or 0 for none")
    name, after = read_text(data, at)
    if not name:
        raise WireError("dtn:none is written as 0")
    try:
        return EndpointId(Scheme.DTN, name=name), after
    except ValueError as error:
        raise WireError(str(error)) from None


def _parse_number(text: str, uri: str) -> int:
    if text == "!":
        return LOCAL_NODE
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ValueError(f"not a number in the endpoint id {uri[:80]!r}: {text[:20]!r}")
    return int(text)
