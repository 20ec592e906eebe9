"""Measurements, as ratios inside one run: `python -m tools.bench NAME --json`."""
