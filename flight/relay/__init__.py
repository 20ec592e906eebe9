"""How bytes travel: bundles, LTP, serial framing, contact plan, store, node, security."""
