"""Which bundles must be signed or sealed, and what happens to those that are not (RFC 9172 5, 7).

The same table stands at both ends: the first rule that names a bundle's source and destination
says how the sender protects it and what the receiver asks of it.

    | demand  | sender     | receiver: missing | wrong   | right   |
    |---------|------------|-------------------|---------|---------|
    | require | protects   | refuses           | refuses | accepts |
    | accept  | leaves     | accepts           | refuses | accepts |
    | refuse  | leaves     | accepts           | refuses any that is there |

Without a rule a bundle passes as it is. Fragments are looked at when they are whole again
(RFC 9172 section 5.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase

from flight.relay.bpsec.confidentiality import (
    NONCE_BYTES,
    add_confidentiality,
    open_target,
)
from flight.relay.bpsec.crypto import has_crypto
from flight.relay.bpsec.integrity import Sha, add_integrity, check_integrity
from flight.relay.bpsec.scope import Scope
from flight.relay.bundle import BlockType, Bundle, CanonicalBlock, Reason
from flight.relay.bundle.asb import SecurityBlock, read_security_block
from flight.relay.bundle.values import PAYLOAD_NUMBER, PRIMARY_NUMBER
from flight.relay.crc import CrcType
from flight.relay.endpoint import EndpointId
from flight.relay.errors import WireError


class Demand(Enum):
    """What a rule asks of a bundle."""

    REQUIRE = "require"
    ACCEPT = "accept"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """What bundles from some endpoints to some others must carry."""

    source: str = "*"
    """Sources it holds for; ``*`` stands for any characters: ``ipn:1.*``."""
    destination: str = "*"
    """Destinations it holds for, in the same form."""
    security_source: str = "*"
    """Whose signatures and seals count, in the same form; others are left alone."""
    integrity: Demand = Demand.ACCEPT
    """A signature (BIB-HMAC-SHA2) over the payload, bound to the primary block."""
    confidentiality: Demand = Demand.ACCEPT
    """A seal (BCB-AES-GCM) over the payload."""
    integrity_key: bytes = field(default=b"", repr=False)
    """Key of the signature, as long as its digest or longer; empty: signatures go unchecked."""
    confidentiality_key: bytes = field(default=b"", repr=False)
    """Key of the seal, 16 or 32 bytes; empty: seals stay closed."""
    variant: Sha = Sha.SHA256
    """Digest of the signatures that this node makes."""

    def __post_init__(self) -> None:
        """Refuse a rule that could not be carried out.

        Raises:
            ValueError: a key is missing, of a wrong length, or of no use without the extra.
        """
        if self.integrity is Demand.REQUIRE and not self.integrity_key:
            raise ValueError("a rule that requires integrity needs integrity_key")
        if self.confidentiality is Demand.REQUIRE and not self.confidentiality_key:
            raise ValueError("a rule that requires confidentiality needs confidentiality_key")
        if len(self.confidentiality_key) not in {0, 16, 32}:
            raise ValueError("a confidentiality_key has 16 or 32 bytes")
        if self.confidentiality_key and not has_crypto():
            raise ValueError("confidentiality needs the extra: pip install 'farside[crypto]'")


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """The rules in order; the first that fits a bundle holds."""

    rules: tuple[SecurityRule, ...] = ()

    def rule_for(self, bundle: Bundle) -> SecurityRule | None:
        """Return the first rule that names the bundle's source and destination."""
        if not self.rules:
            return None
        source, destination = str(bundle.primary.source), str(bundle.primary.destination)
        for rule in self.rules:
            if fnmatchcase(source, rule.source) and fnmatchcase(destination, rule.destination):
                return rule
        return None


def protect_bundle(
    bundle: Bundle,
    policy: SecurityPolicy,
    *,
    node: EndpointId,
    random_bytes: Callable[[int], bytes],
) -> Bundle:
    """Return a bundle of our own with what its rule requires (RFC 9172 section 5.1).

    ``random_bytes`` gives unpredictable bytes: nonces come from it. A signature under a sealed
    payload is sealed too, or it would tell which guess of the payload is right (section 3.9).

    The primary block, which both cover, gets a CRC-16: ION 4.1 writes any other anew as one when
    it forwards the bundle, and then only farside would still believe the signature.
    """
    rule = policy.rule_for(bundle)
    if rule is None or Demand.REQUIRE not in {rule.integrity, rule.confidentiality}:
        return bundle
    bundle = replace(bundle, primary=replace(bundle.primary, crc_type=CrcType.CRC16))
    sealed = [PAYLOAD_NUMBER] if rule.confidentiality is Demand.REQUIRE else []
    if rule.integrity is Demand.REQUIRE:
        number = bundle.free_number()
        bundle = add_integrity(
            bundle,
            targets=(PAYLOAD_NUMBER,),
            key=rule.integrity_key,
            source=node,
            variant=rule.variant,
            number=number,
        )
        if sealed:
            sealed.append(number)
    for target in sealed:
        bundle = add_confidentiality(
            bundle,
            targets=(target,),
            key=rule.confidentiality_key,
            nonce=random_bytes(NONCE_BYTES),
            source=node,
        )
    return bundle


def check_bundle(bundle: Bundle, policy: SecurityPolicy) -> Reason | None:
    """Return None when a relay may pass the bundle on, or why not (RFC 9172 section 5.1).

    What is sealed under a key that is not here goes on unseen: its destination looks.
    """
    outcome = _inspect(bundle, policy, final=False)
    return outcome if isinstance(outcome, Reason) else None


def accept_bundle(bundle: Bundle, policy: SecurityPolicy) -> Bundle | Reason:
    """Return the bundle checked, in the clear and stripped of what was checked, or why not.

    This is what its destination does (RFC 9172 section 5.1).
    """
    return _inspect(bundle, policy, final=True)


def _inspect(bundle: Bundle, policy: SecurityPolicy, *, final: bool) -> Bundle | Reason:
    rule = policy.rule_for(bundle)
    if rule is None or bundle.is_fragment:
        return bundle
    if _is_contradictory(bundle):
        return Reason.CONFLICTING_SECURITY
    opened = _open_seals(bundle, rule)
    if isinstance(opened, Reason):
        return opened
    return _check_signatures(opened, rule, final=final)


def _open_seals(bundle: Bundle, rule: SecurityRule) -> Bundle | Reason:
    """Open every seal that the rule has the key for."""
    operations = _operations(bundle, BlockType.CONFIDENTIALITY, rule.security_source)
    if operations and rule.confidentiality is Demand.REFUSE:
        return Reason.UNEXPECTED_SECURITY
    required = rule.confidentiality is Demand.REQUIRE
    if required and PAYLOAD_NUMBER not in _targets(operations):
        return Reason.MISSING_SECURITY
    if not rule.confidentiality_key:
        return bundle
    opened = bundle
    for block, content in operations:
        for target in content.targets:
            outcome = open_target(
                opened,
                block,
                target=target,
                key=rule.confidentiality_key,
                least_scope=Scope.PRIMARY if required else 0,
            )
            if isinstance(outcome, Reason):
                return outcome
            opened = outcome
    return opened.without_blocks([block.number for block, _ in operations])


def _check_signatures(bundle: Bundle, rule: SecurityRule, *, final: bool) -> Bundle | Reason:
    """Check every signature that the rule has the key for, save those still sealed."""
    operations = _operations(bundle, BlockType.INTEGRITY, rule.security_source)
    if operations and rule.integrity is Demand.REFUSE:
        return Reason.UNEXPECTED_SECURITY
    sealed = _targets(_operations(bundle, BlockType.CONFIDENTIALITY, "*"))
    required = rule.integrity is Demand.REQUIRE
    checked: set[int] = set()
    done = []
    for block, content in operations if rule.integrity_key else ():
        if sealed.intersection((block.number, *content.targets)):
            continue
        for target in content.targets:
            reason = check_integrity(
                bundle,
                block,
                target=target,
                key=rule.integrity_key,
                least_scope=Scope.PRIMARY if required else 0,
            )
            if reason is not None:
                return reason
            checked.add(target)
        done.append(block.number)
    # A seal must not be a way around a required signature: at its destination, what could not
    # be checked counts as missing.
    if required and PAYLOAD_NUMBER not in checked and (final or not sealed):
        return Reason.MISSING_SECURITY
    return bundle.without_blocks(done) if done else bundle


Operation = tuple[CanonicalBlock, SecurityBlock]
"""A security block and its content."""


def _operations(bundle: Bundle, kind: BlockType, security_source: str) -> tuple[Operation, ...]:
    """Return the readable security blocks of a kind whose maker the pattern names."""
    operations = []
    for block in bundle.blocks:
        if block.type != kind:
            continue
        try:
            content = read_security_block(block.data)
        except WireError:  # sealed, or junk that admit_bundle has dealt with
            continue
        if fnmatchcase(str(content.source), security_source):
            operations.append((block, content))
    return tuple(operations)


def _targets(operations: tuple[Operation, ...]) -> set[int]:
    return {target for _, content in operations for target in content.targets}


def _is_contradictory(bundle: Bundle) -> bool:
    """Say whether blocks break the rules on targets (RFC 9172 sections 3.2, 3.7, 3.8)."""
    signatures = _operations(bundle, BlockType.INTEGRITY, "*")
    seals = _operations(bundle, BlockType.CONFIDENTIALITY, "*")
    for operations in (signatures, seals):
        targets = [target for _, content in operations for target in content.targets]
        if len(targets) != len(set(targets)):
            return True  # one block, one operation of a kind
    types = {block.number: block.type for block in bundle.blocks}
    types[PRIMARY_NUMBER] = 0
    signed = {types.get(target) for target in _targets(signatures)}
    hidden = {types.get(target) for target in _targets(seals)}
    return not signed.isdisjoint(
        {None, BlockType.INTEGRITY, BlockType.CONFIDENTIALITY}
    ) or not hidden.isdisjoint({None, 0, BlockType.CONFIDENTIALITY})
