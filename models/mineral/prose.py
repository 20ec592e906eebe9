"""The part of the card that people read; figures are added by ``evaluate --card``."""

from typing import Any

import numpy as np

from models.mineral.library import DOMINANT_SHARE, PIGEONITE_LIMIT, Library


def prose(library: Library) -> dict[str, Any]:
    """Return purpose, training data, method and known failures."""
    specimens = len(np.unique(library.specimen))
    return {
        "about": {
            "purpose": "Phase class, confidence and anomaly score of a reflectance spectrum.",
            "input": (
                "Any band set inside 450-2500 nm with at least 6 bands over 400 nm; brought to "
                "80 bands of 25 nm by integer weights (flight/autonomy/mineral.py, resampling)."
            ),
            "classes": (
                f"A spectrum is named after the mineral with at least {DOMINANT_SHARE:.0%} of the "
                "silicates, both pyroxenes counting together; otherwise it is 'other'. "
                f"Clinopyroxene with Wo <= {PIGEONITE_LIMIT:.2f} is low-calcium."
            ),
            "training_data": (
                f"{len(library)} RELAB spectra of {specimens} specimens (doi:10.17189/1519032, as "
                "prepared by Korda et al. 2023, A&A): Earth, synthetic, and meteorites other than "
                "Martian; each step with another Hapke history, instrument and noise "
                "(tools/sim/spectra.py). No returned lunar sample and no Martian meteorite."
            ),
            "data_licence": "repository MIT (Sirrah91/Asteroid-spectra); RELAB spectra, NASA PDS",
            "command": "python -m models.mineral.train",
            "abundance": (
                "Not given: on held-out specimens abundances were no better than the mean."
            ),
        }
    }
