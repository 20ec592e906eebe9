"""What can be wrong with bytes from the other side."""


class WireError(ValueError):
    """The peer sent bytes that break the protocol. Never raised for our own mistakes."""
