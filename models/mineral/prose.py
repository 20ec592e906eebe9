"""The part of the card that people read; evaluation adds the figures."""

from typing import Any

import numpy as np

from models.mineral.library import DOMINANT_SHARE, PIGEONITE_LIMIT, Library

KNOWN_FAILURES = (
    (
        "Returned samples: all plagioclase is named right, lunar pyroxenes are not told apart "
        "well: their bands (945-990 nm) lie between those of the library's low- and high-calcium "
        "specimens. The spectral angle to class means named all 21 right and is not beaten "
        "there, though it is far behind on held-out specimens. Tried: more two-pyroxene "
        "mixtures, steeper instrument errors, calcium in place of endmember shares."
    ),
    (
        "Leave-specimen-out: ahead of every classical method, but by less than the factor 1.10 "
        "aimed at over the best of them."
    ),
    (
        "Anomalies: a mineral kept out of training is found less often than aimed at (0.95 "
        "AUROC, 0.85 at 5 % false alarms), olivine least: it looks like a mixture of the rest, "
        "and the angle to the nearest library spectrum finds it better. Martian meteorites are "
        "made of known minerals and do not stand out at all."
    ),
    (
        "Mature soil seen from orbit: the Moon Mineralogy Mapper cube of Aristarchus is called "
        "plagioclase nearly everywhere, for without bands red-sloped soil and plagioclase look "
        "alike. Nearly all its pixels are also beyond the anomaly threshold, so the cube gets "
        "NO_ANSWER, out of distribution. Mature soil was not among the training examples."
    ),
    (
        "Confidence holds for spectra like the library's; beyond the anomaly threshold it means "
        "nothing."
    ),
)


def prose(library: Library) -> dict[str, Any]:
    """Return purpose, training data, method and known failures."""
    specimens = len(np.unique(library.specimen))
    return {
        "known_failures": list(KNOWN_FAILURES),
        "about": {
            "purpose": "Phase class, confidence and anomaly score of a reflectance spectrum.",
            "input": (
                "Any band set inside 450-2500 nm with at least 6 bands over 400 nm; brought to "
                "80 bands of 25 nm by integer weights (flight/autonomy/mineral.py, resampling)."
            ),
            "classes": (
                f"A spectrum is named after the mineral with at least {DOMINANT_SHARE:.0%} of the "
                "silicates, pyroxenes counting together; otherwise it is 'other'. "
                f"Pyroxene of mean Wo <= {PIGEONITE_LIMIT:.2f} is low-calcium."
            ),
            "training_data": (
                f"{len(library)} RELAB spectra of {specimens} specimens (doi:10.17189/1519032, as "
                "prepared by Korda et al. 2023, A&A): Earth, synthetic, and meteorites other than "
                "Martian; each step with another Hapke history, instrument and noise "
                "(tools/sim/spectra.py). No returned lunar sample and no Martian meteorite."
            ),
            "test_only": (
                "Returned lunar samples and Martian meteorites entered no fit. Results on the "
                "returned samples were seen while two label rules were chosen (pyroxenes count "
                "together; low or high calcium by mean Wo), so the balanced accuracy on them is "
                "slightly favourable."
            ),
            "data_licence": "repository MIT (Sirrah91/Asteroid-spectra); RELAB spectra, NASA PDS",
            "command": "python -m models.mineral.train",
            "abundance": (
                "Not given: on held-out specimens abundances were no better than the mean."
            ),
        },
    }
