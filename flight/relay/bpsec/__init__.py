"""Bundle security: signatures, seals and the policy that asks for them (RFC 9172, RFC 9173)."""

from flight.relay.bpsec.policy import (
    Demand,
    SecurityPolicy,
    SecurityRule,
    accept_bundle,
    check_bundle,
    protect_bundle,
)

__all__ = [
    "Demand",
    "SecurityPolicy",
    "SecurityRule",
    "accept_bundle",
    "check_bundle",
    "protect_bundle",
]
