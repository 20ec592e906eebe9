"""What can be wrong with bytes that claim to be a record, a part or a code stream."""


class WireError(ValueError):
    """The bytes break the format. Never raised for our own mistakes."""
