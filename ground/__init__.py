"""Ground: receive, archive, decode, replay."""
