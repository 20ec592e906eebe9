"""The part of the card that people read; evaluation adds the figures."""

from typing import Any

import numpy as np

from models.mineral.library import DOMINANT_SHARE, PIGEONITE_LIMIT, Library

KNOWN_FAILURES = (
    (
        "Returned samples: all plagioclase and high-calcium pyroxene is named right, but one of "
        "four low-calcium pyroxenes is not (version 3 missed three of the eight), and confidence "
        "is off (expected calibration error 0.17, version 3: 0.13). The spectral angle to class "
        "means named all 21 right and is not beaten there: there is no room above it, and it is "
        "far behind on held-out specimens."
    ),
    (
        "Leave-specimen-out: ahead of every classical method, but by a factor of 1.06, not the "
        "1.10 aimed at, over the best of them (version 3: 1.05). What is left is near the limits "
        "of the classes: mixtures of the two pyroxenes about Wo 0.20, 70 % of a mineral taken for "
        "75 %, plagioclase that pyroxene beside it hides, and iron-free pyroxenes, which have no "
        "bands. Of no use, all within 0.01: wider and deeper networks, dropout, weight decay, a "
        "running mean of the weights, three times the steps, the mean of five networks or of six "
        "with different recipes, mixing any two specimens at their true composition, a sharper "
        "limit between the classes, fewer mixtures of pyroxenes, half the weight on strangers, "
        "and more filters in training. Support vectors, extremely randomised trees and logistic "
        "regression on derivatives or with the hull removed stayed below."
    ),
    (
        "Few bands: with 15 filters, of which none lies between 914 and 1,209 nm, balanced "
        "accuracy on one fold's held-out specimens is 0.75, as in version 3, and a random forest "
        "trained on just those filters reaches 0.84; ten of 18 high-calcium pyroxenes are missed. "
        "Over twelve other sets of 7, 11 and 15 filters, on the specimens that the design was "
        "chosen on, it is 0.74, 0.83 and 0.86 (version 3's recipe: 0.71, 0.79, 0.83; a forest for "
        "each set: 0.76, 0.83, 0.84)."
    ),
    (
        "Anomalies: what was kept from training stands out (olivine 0.99, plagioclase 0.98; eight "
        "minerals of the USGS library in 15 bands 1.00). At the threshold that flies 0.87 of the "
        "olivine is found, but only 0.43 of the plagioclase (false alarms 0.03 and 0.01), and all "
        "eight USGS minerals, with 0.07 false alarms in their few bands. Plagioclase is found a "
        "little less often than by version 3: 0.87 for 0.90 at 5 % false alarms. With one of the "
        "two pyroxenes kept from training they are 0.89 and 0.87, low calcium and high (version "
        "3's recipe 0.87 and 0.89), for one is much like the other; at 5 % false alarms 0.43 and "
        "0.65 are found (0.56 and 0.63). Martian meteorites are made of known minerals and "
        "do not stand out (0.37). With bands in the visible alone, or in part of the range, there "
        "is no outline to compare and the sixth logit stands alone: for version 3 that was 0.89 "
        "from 450 to 1,000 nm on other minerals of the USGS library, of which three in ten passed "
        "the threshold. Tried and left out: the Mahalanobis distance of the features; principal "
        "component residuals; distances in contrast or over other running means; an outline "
        "without what is left of the mean; known spectra with displaced bands, or joined from two "
        "halves, as strangers."
    ),
    (
        "Weathered ground: specimens left out of training, weathered in simulation and seen in "
        "the Moon Mineralogy Mapper's bands, are named right as far as bands are left: 0.86 "
        "lightly and moderately weathered (version 3's recipe: 0.83 and 0.79), 0.82 where mature "
        "soil begins. Of fully mature soil 3 % are still named, most of them rightly (version "
        "3's recipe: 1 to 2 %). Plagioclase is 'other' as soon as weathering shows, for without "
        "bands red-sloped soils look alike."
    ),
    (
        "The Moon Mineralogy Mapper cube of Aristarchus is still 'other' nearly everywhere: 2,459 "
        "pixels of 2,500, the rest unsure, and 19 anomalous. As it was published for a tutorial, "
        "resampled, it shows next to no band at one micrometre: against a straight line from 750 "
        "to 1,550 nm the median depth at 970 nm is -0.01, that of the deepest hundredth of the "
        "pixels 0.03 to 0.06; half of the pyroxenes, moderately weathered, have more than 0.16. "
        "Version 2 saw high-calcium pyroxene in crater walls. There is no ground truth for it."
    ),
    (
        "Confidence holds for spectra like the library's, whatever the instrument; beyond the "
        "anomaly threshold it means nothing. On weathered soil it was never measured. Figures that "
        "turn on one specimen of few, or are small, differ by more than 1 % between int8 and "
        "float: 0.92 and 0.83 on returned samples, detection 0.87 and 0.83 without plagioclase, "
        "calibration errors 0.014 and 0.022 on held-out specimens."
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
                "80 bands of 25 nm by integer weights (flight/autonomy/bands.py, resampling); a "
                "third channel tells where there are bands, a fourth is the outline that the "
                "bank of 256 known outlines is compared with."
            ),
            "classes": (
                f"A spectrum is named after the mineral with at least {DOMINANT_SHARE:.0%} of the "
                "silicates, pyroxenes counting together; otherwise it is 'other'. "
                f"Pyroxene of mean Wo <= {PIGEONITE_LIMIT:.2f} is low-calcium."
            ),
            "training_data": (
                f"{len(library)} RELAB spectra of {specimens} specimens (doi:10.17189/1519032, as "
                "prepared by Korda et al. 2023, A&A): Earth, synthetic, and meteorites other than "
                "Martian; each step with another Hapke history (three in twenty-five mature soil), "
                "instrument (laboratory, orbiter, part of the range, 7 to 32 filters, gaps), "
                "traces of water, and noise (tools/sim/spectra.py). No returned lunar sample and "
                "no Martian meteorite."
            ),
            "test_only": (
                "Returned lunar samples and Martian meteorites entered no fit. Results on the "
                "returned samples were seen while two label rules were chosen (pyroxenes count "
                "together; low or high calcium by mean Wo), so the balanced accuracy on them is "
                "slightly favourable. The Moon Mineralogy Mapper cube of Aristarchus entered no "
                "fit but was looked at, and the recipe was changed because of it: an earlier model "
                "called nearly all of it plagioclase and beyond the anomaly threshold. Mature soil "
                "was then added to the training examples. With minerals hidden by strong "
                "weathering alone the cube stayed plagioclase, no longer anomalous, and that model "
                "was dropped; with plagioclase hidden as soon as weathering shows it became "
                "'other'. What a model had to reach to be kept was set before: balanced accuracy "
                "of 0.88 and a calibration error of at most 0.05 on held-out specimens, and this "
                "cube no longer all anomalous plagioclase. Figures on returned samples were seen "
                "for each and not used. Version 2 (support channel, instruments of all kinds, "
                "traces of water, the sixth logit as second witness of strangeness) was chosen on "
                "another partition of the training specimens, by leaving out groups of "
                "laboratories, and with low- and high-calcium pyroxene kept from training. "
                "Returned samples, these folds, olivine, plagioclase and the USGS minerals were "
                "measured when it was trained. Version 3 (angle to the nearest outline for the "
                "distance of features, more kinds of instruments, fewer weathered powders, three "
                "times the steps) was chosen on a third partition of the training specimens in "
                "seven band sets; with low- and with high-calcium pyroxene kept from training; on "
                "50 other spectra of the USGS library, version 7 (Kokaly et al. 2017, none of the "
                "eight specimens tested on), and 288 of soils, plants and building materials "
                "(package earthlib 1.1.0), which entered no fit; and on drawn spectra without "
                "bands, with plagioclase kept from training. What the baselines score on the sets "
                "below was known from this card. The sets were then measured once, and nothing "
                "was changed afterwards. Version 4 (several instruments in a batch, composition "
                "asked for in training, features after a rectifier, more measured and fewer mixed "
                "spectra with half of the mixtures of all minerals about the limit of 75 %, "
                "powders weathered evenly up to mature soil and named as far as 0.03 to 0.06 of "
                "iron) was chosen on a fourth partition of the training specimens, in thirds, with "
                "trainings of 1,900 steps, as version 4 then got (version 3: 3,400), by a design "
                "of twelve runs over eleven changes. There the new recipe, in one run, is ahead of "
                "version 3's, the mean of two, by 0.012 (0.001 to 0.034) in the whole range, 0.07 "
                "(0.05 to 0.10) moderately weathered and 0.03 to 0.05 in few filters, and LDA and "
                "a random forest reach 0.86 and 0.84 for its 0.90. To save time instruments now "
                "stay for four batches, two new ones in each, where that run drew them from a "
                "store of 96; this was not run there. The sets below and the cube were then "
                "measured once, and nothing was changed afterwards."
            ),
            "data_licence": "repository MIT (Sirrah91/Asteroid-spectra); RELAB spectra, NASA PDS",
            "command": "python -m models.mineral.train",
            "reproducible": (
                "Version 1 was trained twice on one machine: all eight models, their float twins "
                "and their policies came out the same byte for byte. Of versions 3 and 4 the model "
                "that flies was trained twice: model and float twin are the same to the byte."
            ),
            "abundance": (
                "Not given: on held-out specimens abundances were no better than the mean. "
                "Training asks for them, the model that flies does not tell them."
            ),
        },
    }
