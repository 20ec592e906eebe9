"""The part of the card that people read."""

from typing import Any

from models.xrf.compositions import Compositions


def prose(known: Compositions) -> dict[str, Any]:
    """Return purpose, training data and known failures."""
    return {
        "about": {
            "purpose": "X-ray fluorescence spectrum to oxide abundances with errors.",
            "input": (
                "Counts by channel with an energy axis that covers 960-8640 eV; 192 bins of "
                "40 eV, each as the logarithm of its share (flight/autonomy/oxides.py)."
            ),
            "training_data": (
                f"Simulated spectra (tools/sim/xrf.py, xraylib 4.3.0) of compositions around "
                f"{len(known.percent)} analyses of the Lunar Sample Compendium (C. Meyer, NASA "
                "JSC, public domain) and of wider guesses; PIXL breadboard configuration and "
                "BHVO-2G calibration spectrum (pixlise/piquant, Apache-2.0)."
            ),
            "test_only": (
                "BCR-2G was in no fit. It was looked at once during development, beside BHVO-2G: "
                "their argon lines differ, which showed that air in the beam must be modelled. "
                "The amount of air is weighed on BHVO-2G's own argon line."
            ),
            "valid_for": (
                "The PIXL breadboard (28 kV, rhodium) and its detector; another instrument needs "
                "its own calibration spectrum of a certified glass and a training run."
            ),
            "command": "python -m models.xrf.train",
        }
    }
