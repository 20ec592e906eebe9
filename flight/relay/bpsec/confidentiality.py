"""Seals: the block confidentiality block with BCB-AES-GCM (RFC 9172 section 3.8, RFC 9173 4).

AES-GCM gives everything away when one nonce is used twice with one key. So every nonce is fresh
and random, and every seal that this node makes has one target.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from flight.relay.bpsec.crypto import decrypt, encrypt, has_crypto, unwrap_key, wrap_key
from flight.relay.bpsec.scope import FULL_SCOPE, covered_bytes, primary_forms, without_crc
from flight.relay.bundle import BlockFlag, BlockType, Bundle, CanonicalBlock, Reason
from flight.relay.bundle.asb import SecurityBlock, encode_security_block, read_security_block
from flight.relay.bundle.values import PAYLOAD_NUMBER, PRIMARY_NUMBER
from flight.relay.cbor import encode_bytes, encode_uint, read_bytes, read_uint
from flight.relay.endpoint import EndpointId
from flight.relay.errors import WireError

BCB_AES_GCM = 2
"""Security context id (RFC 9173 section 5.1)."""

NONCE_BYTES = 12
"""Length of the nonces that this node makes (RFC 9173 section 4.3.1)."""


class Aes(IntEnum):
    """AES variants (RFC 9173 section 4.3.2)."""

    A128GCM = 1
    A256GCM = 3


_KEY_BYTES = {Aes.A128GCM: 16, Aes.A256GCM: 32}

_NONCE, _VARIANT, _WRAPPED_KEY, _SCOPE = 1, 2, 3, 4
"""Parameter ids (RFC 9173 section 4.3.5)."""

_TAG = 1
"""Result id (RFC 9173 section 4.4)."""


def add_confidentiality(
    bundle: Bundle,
    *,
    targets: Sequence[int],
    key: bytes,
    nonce: bytes,
    source: EndpointId,
    scope: int = FULL_SCOPE,
    number: int | None = None,
    wrapping_key: bytes | None = None,
) -> Bundle:
    """Return the bundle with its targets sealed, by AES-128 or -256 as the key's length says.

    ``nonce`` must never have been used with this key. All targets share it: give one target
    (RFC 9173's example A.4, the only reason for more, breaks that rule).

    Raises:
        ValueError: a target may not be sealed, or the key is not of 16 or 32 bytes.
    """
    variant = next((v for v, length in _KEY_BYTES.items() if length == len(key)), None)
    if variant is None:
        raise ValueError("an AES-GCM key has 16 or 32 bytes")
    parameters = [(_NONCE, encode_bytes(nonce)), (_VARIANT, encode_uint(variant))]
    if wrapping_key is not None:
        parameters.append((_WRAPPED_KEY, encode_bytes(wrap_key(wrapping_key, key))))
    parameters.append((_SCOPE, encode_uint(scope)))
    number = bundle.free_number() if number is None else number
    # A seal on the payload goes into every fragment (RFC 9172 section 3.8).
    flags = BlockFlag.REPLICATE if PAYLOAD_NUMBER in targets else 0
    header = CanonicalBlock(BlockType.CONFIDENTIALITY, number, b"", flags)
    results = []
    for target in targets:
        block = bundle.block_numbered(target)
        if target == PRIMARY_NUMBER or not block or block.type == BlockType.CONFIDENTIALITY:
            raise ValueError(f"block {target} may not be sealed (RFC 9172 section 3.8)")
        bundle = without_crc(bundle, target)
        covered = covered_bytes(
            bundle,
            target=target,
            security_block=header,
            scope=scope,
            primary=next(primary_forms(bundle)),
        )
        ciphertext, tag = encrypt(key, nonce, block.data, covered)
        bundle = _with_data(bundle, target, ciphertext)
        results.append(((_TAG, encode_bytes(tag)),))
    content = SecurityBlock(tuple(targets), BCB_AES_GCM, source, tuple(parameters), tuple(results))
    return bundle.with_block(replace(header, data=encode_security_block(content)))


def open_target(
    bundle: Bundle, block: CanonicalBlock, *, target: int, key: bytes, least_scope: int = 0
) -> Bundle | Reason:
    """Return the bundle with one target of a seal in the clear, or why not (section 4.8.2).

    A seal whose scope lacks a flag of ``least_scope`` does not open.
    """
    if not has_crypto():
        return Reason.UNKNOWN_SECURITY
    try:
        seal = _read_seal(block, target, key)
    except WireError:
        return Reason.FAILED_SECURITY
    if seal is None:
        return Reason.UNKNOWN_SECURITY
    sealed = bundle.block_numbered(target)
    if sealed is None or seal.scope & least_scope != least_scope:
        return Reason.FAILED_SECURITY
    for primary in primary_forms(bundle):
        covered = covered_bytes(
            bundle, target=target, security_block=block, scope=seal.scope, primary=primary
        )
        plaintext = decrypt(seal.key, seal.nonce, sealed.data + seal.tag, covered)
        if plaintext is not None:
            return _with_data(bundle, target, plaintext)
    return Reason.FAILED_SECURITY


class _Seal(NamedTuple):
    """What a confidentiality block says of one target."""

    key: bytes
    nonce: bytes
    scope: int
    tag: bytes
    """Empty when it stands at the ciphertext's end (RFC 9173 section 4.4)."""


def _read_seal(block: CanonicalBlock, target: int, key: bytes) -> _Seal | None:
    """Return a seal's parameters; None: they ask for what this node cannot do."""
    content = read_security_block(block.data)
    if content.context != BCB_AES_GCM or target not in content.targets:
        return None
    parameters = dict(content.parameters)
    nonce, _ = read_bytes(parameters.get(_NONCE, b""), 0)
    if not 8 <= len(nonce) <= 16:
        raise WireError("a nonce has 8 to 16 bytes")
    variant = _uint(parameters.get(_VARIANT), default=Aes.A256GCM)
    scope = _uint(parameters.get(_SCOPE), default=FULL_SCOPE)
    if _WRAPPED_KEY in parameters:
        key = unwrap_key(key, read_bytes(parameters[_WRAPPED_KEY], 0)[0])
    if variant not in _KEY_BYTES or len(key) != _KEY_BYTES[Aes(variant)]:
        return None
    results = dict(content.results[content.targets.index(target)])
    tag, _ = read_bytes(results.get(_TAG, b"\x40"), 0)
    return _Seal(key, nonce, scope, tag)


def _with_data(bundle: Bundle, number: int, data: bytes) -> Bundle:
    block = bundle.block_numbered(number)
    return bundle if block is None else bundle.with_block(replace(block, data=data))


def _uint(encoded: bytes | None, *, default: int) -> int:
    return default if encoded is None else read_uint(encoded, 0)[0]
