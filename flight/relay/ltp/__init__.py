"""The Licklider Transmission Protocol (RFC 5326): blocks over a slow, lossy, broken-up link."""
