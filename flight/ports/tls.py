"""TLS for TCP lines, from files that the settings name."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from flight.ports.port import PortError


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Who this node is, and whose word it takes for who the peer is (PEM files)."""

    certificate: Path
    """This node's, and those between it and the authority."""
    key: Path
    """Its private key."""
    authorities: Path
    """Certificates that vouch for peers. Whoever one of them vouches for gets in: use an
    authority of the mission's own, not the world's."""
    peer_name: str = ""
    """Name or address that the certificate of a called peer has to show; empty: any."""
    callers_show_certificate: bool = True
    """Whether who calls has to show one, too. HDTN's outducts have none to show."""


class Security:
    """Makes secure sockets; both sides have to show a certificate, if the settings want it."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read the files.

        Raises:
            PortError: one is missing, is no PEM file, or they do not fit together.
        """
        self._name = settings.peer_name
        self._server = _context(ssl.PROTOCOL_TLS_SERVER, settings)
        self._client = _context(ssl.PROTOCOL_TLS_CLIENT, settings)

    def wrap(self, plain: socket.socket, *, is_caller: bool) -> ssl.SSLSocket:
        """Return the same connection, secure once its handshake is done."""
        context = self._client if is_caller else self._server
        return context.wrap_socket(
            plain,
            server_side=not is_caller,
            do_handshake_on_connect=False,
            server_hostname=self._name or None if is_caller else None,
        )


def _context(protocol: int, settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    if protocol == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname = bool(settings.peer_name)
    is_lenient = protocol == ssl.PROTOCOL_TLS_SERVER and not settings.callers_show_certificate
    context.verify_mode = ssl.CERT_NONE if is_lenient else ssl.CERT_REQUIRED
    place = settings.certificate
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
        place = settings.authorities
        context.load_verify_locations(settings.authorities)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise PortError(f"tls {place}: {reason}; give PEM files that fit together") from error
    return context


def _no_password() -> str:
    """Refuse keys with a password: nobody is there to type it."""
    raise ValueError("the key has a password")
