"""Measurements, as ratios inside one run: `python -m tools.bench NAME --json`."""

import os

# One thread a library, as the board's workers have; read when numpy is loaded, so before that.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
