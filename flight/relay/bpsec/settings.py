"""Security rules as configuration: the table of policy.py, with its keys in files.

    [[security]]
    source = "ipn:1.*"
    destination = "ipn:3.*"
    integrity = "require"
    integrity_key_file = "integrity.key"

A key file holds one line of hexadecimal digits, and nobody else may read it. Make one with
``openssl rand -hex 32 > integrity.key; chmod 600 integrity.key``; it lies at both ends.
"""

from dataclasses import dataclass
from pathlib import Path

from flight.relay.bpsec.integrity import Sha
from flight.relay.bpsec.policy import Demand, SecurityPolicy, SecurityRule
from flight.settings import SettingsError, read_text

LEAST_INTEGRITY_KEY_BYTES = 16
"""Shorter integrity keys are refused: they can be tried out."""


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """One row of the security table; SecurityRule says what each field means."""

    source: str = "*"
    """Sources it holds for; ``*`` stands for any characters."""
    destination: str = "*"
    """Destinations it holds for, in the same form."""
    security_source: str = "*"
    """Whose signatures and seals count, in the same form."""
    integrity: Demand = Demand.ACCEPT
    """Whether a signature over the payload is required, accepted or refused."""
    confidentiality: Demand = Demand.ACCEPT
    """Whether a seal over the payload is required, accepted or refused."""
    integrity_key_file: Path | None = None
    """Key of the signature, 16 bytes or more; 32 are right for SHA-256."""
    confidentiality_key_file: Path | None = None
    """Key of the seal: 16 bytes for AES-128, 32 for AES-256."""
    variant: Sha = Sha.SHA256
    """Digest of the signatures that this node makes."""


def read_policy(rows: tuple[SecuritySettings, ...]) -> SecurityPolicy:
    """Return the policy that the rows describe, with the keys from their files.

    Raises:
        SettingsError: a key file cannot be read or is open to others, or a row makes no sense.
    """
    return SecurityPolicy(tuple(_read_rule(row) for row in rows))


def _read_rule(row: SecuritySettings) -> SecurityRule:
    integrity_key = _read_key(row.integrity_key_file)
    if 0 < len(integrity_key) < LEAST_INTEGRITY_KEY_BYTES:
        raise SettingsError(
            f"{row.integrity_key_file}: a key of {len(integrity_key)} bytes is too short; "
            f"give {LEAST_INTEGRITY_KEY_BYTES} or more"
        )
    try:
        return SecurityRule(
            source=row.source,
            destination=row.destination,
            security_source=row.security_source,
            integrity=row.integrity,
            confidentiality=row.confidentiality,
            integrity_key=integrity_key,
            confidentiality_key=_read_key(row.confidentiality_key_file),
            variant=row.variant,
        )
    except ValueError as error:
        raise SettingsError(f"security rule for {row.source}: {error}") from error


def _read_key(path: Path | None) -> bytes:
    """Return the key in a file; no file is no key."""
    if path is None:
        return b""
    text = read_text(path).strip()
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path}: others may read this key; chmod 600 {path}")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if not key:
        raise SettingsError(f"{path}: not a line of hexadecimal digits; see openssl rand -hex 32")
    return key
