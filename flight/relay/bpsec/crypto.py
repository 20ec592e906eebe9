"""The ``cryptography`` package, met in one place and only when it is needed.

Signatures need the standard library only. Seals (AES-GCM) and wrapped keys (RFC 3394) need the
``crypto`` extra.
"""

from functools import cache
from importlib.util import find_spec

from flight.relay.errors import WireError

TAG_BYTES = 16
"""Length of an AES-GCM authentication tag (RFC 9173 section 4.4)."""


@cache
def has_crypto() -> bool:
    """Say whether the ``crypto`` extra is installed."""
    return find_spec("cryptography") is not None


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, covered: bytes) -> tuple[bytes, bytes]:
    """Return ciphertext and tag of AES-GCM (RFC 9173 section 4.8.1)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = AESGCM(key).encrypt(nonce, plaintext, covered)
    return sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]


def decrypt(key: bytes, nonce: bytes, ciphertext_and_tag: bytes, covered: bytes) -> bytes | None:
    """Return the plaintext of ciphertext and tag, or None when the tag is wrong (section 4.8.2)."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, ciphertext_and_tag, covered)
    except InvalidTag:
        return None


def wrap_key(wrapping_key: bytes, key: bytes) -> bytes:
    """Return a key wrapped with another (RFC 3394, RFC 9173 sections 3.3.2 and 4.3.3)."""
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return aes_key_wrap(wrapping_key, key)


def unwrap_key(wrapping_key: bytes, wrapped: bytes) -> bytes:
    """Return the key that another wraps (RFC 3394).

    Raises:
        WireError: it was wrapped with another key, or is damaged.
    """
    from cryptography.hazmat.primitives.keywrap import (
        InvalidUnwrap,
        aes_key_unwrap,
    )

    if len(wrapping_key) not in {16, 24, 32}:
        raise WireError("a wrapped key came where no wrapping key is set up")
    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap:
        raise WireError("a wrapped key does not open") from None
