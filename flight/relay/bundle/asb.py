"""The content that every security block has, whatever its context (RFC 9172 section 3.6).

    asb := [target+], context id, flags, source, [[id, value]*]?, [[[id, value]*]+]

A sequence of CBOR items, not an array. Values stay encoded: only the context knows their form.
"""

from dataclasses import dataclass

from flight.relay.cbor import (
    NEGATIVE,
    UINT,
    encode_array,
    encode_head,
    encode_uint,
    read_array,
    read_head,
    read_uint,
    skip_item,
)
from flight.relay.endpoint import EndpointId, encode_endpoint, read_endpoint
from flight.relay.errors import WireError

MAX_TARGETS = 64
"""Most blocks that one security block may cover."""

MAX_PAIRS = 16
"""Most parameters of a security block, and most results of one target."""

Pairs = tuple[tuple[int, bytes], ...]
"""(id, encoded value), in the order received."""

_PARAMETERS_PRESENT = 0x1


@dataclass(frozen=True, slots=True)
class SecurityBlock:
    """What was done, by whom, to which blocks, and with what result (RFC 9172 section 3.6)."""

    targets: tuple[int, ...]
    """Block numbers; 0 is the primary block."""
    context: int
    source: EndpointId
    parameters: Pairs
    results: tuple[Pairs, ...]
    """One entry a target, in the same order."""


def encode_security_block(block: SecurityBlock) -> bytes:
    """Return the content of a BIB or BCB (RFC 9172 section 3.6)."""
    parts = [
        encode_array(*map(encode_uint, block.targets)),
        _encode_int(block.context),
        encode_uint(_PARAMETERS_PRESENT if block.parameters else 0),
        encode_endpoint(block.source),
    ]
    if block.parameters:
        parts.append(_encode_pairs(block.parameters))
    parts.append(encode_array(*map(_encode_pairs, block.results)))
    return b"".join(parts)


def read_security_block(data: bytes) -> SecurityBlock:
    """Return what the content of a BIB or BCB says (RFC 9172 section 3.6).

    Raises:
        WireError: the content is not an abstract security block, or breaks a limit.
    """
    count, at = read_array(data, 0)
    if not 1 <= count <= MAX_TARGETS:
        raise WireError("a security block has no target, or too many")
    targets = []
    for _ in range(count):
        target, at = read_uint(data, at)
        targets.append(target)
    if len(set(targets)) != count:
        raise WireError("a security block has a target twice")
    context, at = _read_int(data, at)
    flags, at = read_uint(data, at)
    source, at = read_endpoint(data, at)
    parameters: Pairs = ()
    if flags & _PARAMETERS_PRESENT:
        parameters, at = _read_pairs(data, at)
    result_sets, at = read_array(data, at)
    if result_sets != count:
        raise WireError("a security block needs one set of results a target")
    results = []
    for _ in range(count):
        pairs, at = _read_pairs(data, at)
        results.append(pairs)
    if at != len(data):
        raise WireError("bytes follow the security block's content")
    return SecurityBlock(tuple(targets), context, source, parameters, tuple(results))


def _encode_pairs(pairs: Pairs) -> bytes:
    return encode_array(*(encode_array(encode_uint(key), value) for key, value in pairs))


def _read_pairs(data: bytes, at: int) -> tuple[Pairs, int]:
    count, at = read_array(data, at)
    if count > MAX_PAIRS:
        raise WireError("too many parameters or results in a security block")
    pairs = []
    for _ in range(count):
        two, at = read_array(data, at)
        if two != 2:
            raise WireError("a parameter or result is a pair")
        key, at = read_uint(data, at)
        end = skip_item(data, at)
        pairs.append((key, data[at:end]))
        at = end
    return tuple(pairs), at


def _encode_int(value: int) -> bytes:
    return encode_uint(value) if value >= 0 else encode_head(NEGATIVE, -1 - value)


def _read_int(data: bytes, at: int) -> tuple[int, int]:
    major, value, at = read_head(data, at)
    if major == UINT:
        return value, at
    if major == NEGATIVE:
        return -1 - value, at
    raise WireError("a security context id is an integer")
