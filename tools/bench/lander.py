"""A lander without a relay, as benches with real processes start it."""

from pathlib import Path

_CONFIG = """contact_plan = "plan.ionrc"
[node]
node_number = 10
[[node.links]]
peer_node = 20
[[ports]]
peer_node = 20
bind = "127.0.0.1:0"
remote = "127.0.0.1:9"
[store]
directory = "store"
{store}[payload]
state = "board"
destination_node = 30
"""


def write_lander(folder: Path, *, store: str, rest: str, rate_bytes_s: int) -> None:
    """Write lander.toml and its contact plan.

    ``store`` has further lines for [store]; ``rest`` goes on in [payload], down to the sensors.
    """
    (folder / "lander.toml").write_text(_CONFIG.format(store=store) + rest)
    contacts = (f"a contact +0 +86400 {pair} {rate_bytes_s}\n" for pair in ("10 20", "20 30"))
    (folder / "plan.ionrc").write_text("".join(contacts))
