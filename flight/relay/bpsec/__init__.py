"""Bundle security: signatures, seals and the policy that asks for them (RFC 9172, RFC 9173)."""

from flight.relay.bpsec.policy import (
    Demand,
    SecurityPolicy,
    SecurityRule,
    accept_bundle,
    check_bundle,
    protect_bundle,
)
from flight.relay.bpsec.settings import SecuritySettings, read_policy

__all__ = [
    "Demand",
    "SecurityPolicy",
    "SecurityRule",
    "SecuritySettings",
    "accept_bundle",
    "check_bundle",
    "protect_bundle",
    "read_policy",
]
