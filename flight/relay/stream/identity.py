"""Who a TCPCL session says that it is, and whom it takes for its peer."""

from dataclasses import dataclass

from flight.relay.endpoint import parse_endpoint
from flight.relay.stream.settings import CertificateId

ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Identity:
    """The node ids of both ends of a link."""

    own: str
    peer: str
    """What the other side has to say; ANYBODY: whatever it says."""
    certificate: CertificateId = CertificateId.IF_PRESENT

    def complaint(self, claimed: str, vouched: tuple[str, ...] | None) -> str | None:
        """Return what is wrong with a peer that claims a node id; None: nothing.

        ``vouched`` are the node ids in its certificate (RFC 9174 section 4.4.1); None: no TLS.
        """
        if self.peer != ANYBODY and not _is_same(claimed, self.peer):
            return f"the peer says that it is {claimed[:80]!r}"
        if vouched is None or self.certificate is CertificateId.IGNORED:
            return None
        if not vouched:
            is_needed = self.certificate is CertificateId.REQUIRED
            return "the peer shows no certificate with a node id" if is_needed else None
        if any(_is_same(claimed, node_id) for node_id in vouched):
            return None
        return f"the peer says that it is {claimed[:80]!r}, its certificate {vouched[0][:80]!r}"


def _is_same(one: str, other: str) -> bool:
    """Say whether two node ids are one, however they are written."""

    def read(uri: str) -> object:
        try:
            return parse_endpoint(uri.rstrip("/"))
        except ValueError:
            return uri

    return read(one) == read(other)
