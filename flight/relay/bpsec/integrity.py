"""Signatures: the block integrity block with BIB-HMAC-SHA2 (RFC 9172 section 3.7, RFC 9173 3)."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from flight.relay.bpsec.crypto import has_crypto, unwrap_key, wrap_key
from flight.relay.bpsec.scope import FULL_SCOPE, covered_bytes, primary_forms, without_crc
from flight.relay.bundle import BlockType, Bundle, CanonicalBlock, Reason
from flight.relay.bundle.asb import SecurityBlock, encode_security_block, read_security_block
from flight.relay.bundle.values import PRIMARY_NUMBER
from flight.relay.cbor import encode_bytes, encode_uint, read_bytes, read_uint
from flight.relay.endpoint import EndpointId
from flight.relay.errors import WireError

BIB_HMAC_SHA2 = 1
"""Security context id (RFC 9173 section 5.1)."""


class Sha(IntEnum):
    """SHA variants (RFC 9173 section 3.3.1)."""

    SHA256 = 5
    SHA384 = 6
    SHA512 = 7


_DIGESTS = {Sha.SHA256: "sha256", Sha.SHA384: "sha384", Sha.SHA512: "sha512"}

_VARIANT, _WRAPPED_KEY, _SCOPE = 1, 2, 3
"""Parameter ids (RFC 9173 section 3.3.4)."""

_HMAC = 1
"""Result id (RFC 9173 section 3.4)."""


def add_integrity(
    bundle: Bundle,
    *,
    targets: Sequence[int],
    key: bytes,
    source: EndpointId,
    variant: Sha = Sha.SHA256,
    scope: int = FULL_SCOPE,
    number: int | None = None,
    wrapping_key: bytes | None = None,
) -> Bundle:
    """Return the bundle with a signature over its targets (RFC 9173 section 3.8.1).

    The targets lose their checksums. With a ``wrapping_key`` the key travels in the block,
    wrapped.

    Raises:
        ValueError: a target is not in the bundle, or is a security block.
    """
    for target in targets:
        block = bundle.block_numbered(target)
        if block and block.type in {BlockType.INTEGRITY, BlockType.CONFIDENTIALITY}:
            raise ValueError("a signature does not cover security blocks (RFC 9172 section 3.7)")
        bundle = without_crc(bundle, target)
    parameters = [(_VARIANT, encode_uint(variant))]
    if wrapping_key is not None:
        parameters.append((_WRAPPED_KEY, encode_bytes(wrap_key(wrapping_key, key))))
    parameters.append((_SCOPE, encode_uint(scope)))
    number = bundle.free_number() if number is None else number
    header = CanonicalBlock(BlockType.INTEGRITY, number, b"")
    results = []
    for target in targets:
        covered = next(_signed_bytes(bundle, target, header, scope))
        results.append(((_HMAC, encode_bytes(hmac.digest(key, covered, _DIGESTS[variant]))),))
    content = SecurityBlock(
        tuple(targets), BIB_HMAC_SHA2, source, tuple(parameters), tuple(results)
    )
    return bundle.with_block(replace(header, data=encode_security_block(content)))


def check_integrity(
    bundle: Bundle, block: CanonicalBlock, *, target: int, key: bytes, least_scope: int = 0
) -> Reason | None:
    """Return None when a signature holds for one target, or why not (RFC 9173 section 3.8.2).

    A signature whose scope lacks a flag of ``least_scope`` does not hold.
    """
    try:
        claim = _read_claim(block, target, key)
    except WireError:
        return Reason.FAILED_SECURITY
    if claim is None:
        return Reason.UNKNOWN_SECURITY
    if claim.scope & least_scope != least_scope:
        return Reason.FAILED_SECURITY
    for covered in _signed_bytes(bundle, target, block, claim.scope):
        signature = hmac.digest(claim.key, covered, _DIGESTS[claim.variant])
        if hmac.compare_digest(signature, claim.signature):
            return None
    return Reason.FAILED_SECURITY


class _Claim(NamedTuple):
    """What an integrity block says of one target."""

    key: bytes
    variant: Sha
    scope: int
    signature: bytes


def _read_claim(block: CanonicalBlock, target: int, key: bytes) -> _Claim | None:
    """Return a signature and its parameters; None: they ask for what this node cannot do."""
    content = read_security_block(block.data)
    if content.context != BIB_HMAC_SHA2 or target not in content.targets:
        return None
    parameters = dict(content.parameters)
    variant = _uint(parameters.get(_VARIANT), default=Sha.SHA384)
    scope = _uint(parameters.get(_SCOPE), default=FULL_SCOPE)
    results = dict(content.results[content.targets.index(target)])
    if variant not in _DIGESTS or _HMAC not in results:
        return None
    if _WRAPPED_KEY in parameters:
        if not has_crypto():
            return None
        key = unwrap_key(key, read_bytes(parameters[_WRAPPED_KEY], 0)[0])
    signature, _ = read_bytes(results[_HMAC], 0)
    return _Claim(key, Sha(variant), scope, signature)


def _signed_bytes(
    bundle: Bundle, target: int, security: CanonicalBlock, scope: int
) -> Iterator[bytes]:
    """Yield what the signature of one target may be over (RFC 9173 section 3.7); we sign the first.

    For a primary block there are two kinds: the RFC's example A.3 wraps the block in a byte
    string, its text does not. We sign as the example (and HDTN) does, and believe either.
    """
    block = bundle.block_numbered(target)
    for primary in primary_forms(bundle):
        covered = covered_bytes(
            bundle, target=target, security_block=security, scope=scope, primary=primary
        )
        if target == PRIMARY_NUMBER:
            yield covered + encode_bytes(primary)
            yield covered + primary
        else:
            yield covered + encode_bytes(block.data if block else b"")


def _uint(encoded: bytes | None, *, default: int) -> int:
    return default if encoded is None else read_uint(encoded, 0)[0]
