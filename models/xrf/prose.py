"""The part of the card that people read."""

from typing import Any

from models.xrf.compositions import Compositions

KNOWN_FAILURES = (
    (
        "Measured BCR-2G: CaO is 10.6 % low, just beyond the 10 % aimed at; SiO2, FeO, Al2O3, "
        "TiO2 and K2O are within their limits. Na2O is far off (its line lies at the detector's "
        "edge): do not use it from terrestrial rocks."
    ),
    (
        "All mission figures are on simulated spectra, by the simulator that also trained the "
        "model: they show what noise and matrix do, not what a real instrument would. Real are "
        "BHVO-2G (calibration) and BCR-2G alone."
    ),
    (
        "Against the inversion of fundamental parameters, which knows the simulator's own "
        "physics and which no board would compute, the model loses K2O at 1e5 counts (0.040 "
        "against 0.038 mass percent) and TiO2 and K2O at 1e7; it is ahead on every other oxide, "
        "and on every oxide ahead of the peak fit by sensitivities."
    ),
    "Air beyond 1.2 mg/cm2 in the beam, and rough or layered surfaces, were not simulated.",
)


def prose(known: Compositions) -> dict[str, Any]:
    """Return purpose, training data and known failures."""
    return {
        "known_failures": list(KNOWN_FAILURES),
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
                "BCR-2G entered no fit, but was looked at repeatedly during development: its argon "
                "line, other than BHVO-2G's, showed that air in the beam must be modelled, and the "
                "oxide errors of interim models on it were compared. Its figures may therefore be "
                "favourable. The amount of air is weighed on BHVO-2G's own argon line."
            ),
            "valid_for": (
                "The PIXL breadboard (28 kV, rhodium) and its detector; another instrument needs "
                "its own calibration spectrum of a certified glass and a training run."
            ),
            "command": "python -m models.xrf.train",
        },
    }
