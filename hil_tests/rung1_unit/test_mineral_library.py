import numpy as np

from models.mineral.library import CLASSES, Library, composition_of, specimens


def library(shares, calcium):
    count = len(shares)
    text = np.array([""] * count)
    bands = np.ones((count, 3))
    return Library(np.arange(3.0), bands, np.array(shares), np.array(calcium), text, text,
                   np.arange(count))  # fmt: skip


def names(of):
    return [CLASSES[label] for label in of.label]


def test_pigeonite_coded_as_clinopyroxene_is_low_calcium_pyroxene():
    labels = np.zeros((2, 15))
    labels[:, 2] = 1
    labels[0, 9:12] = 0.27, 0.65, 0.08
    labels[1, 9:12] = 0.14, 0.43, 0.43
    shares, calcium = composition_of(labels)
    assert names(library(shares, calcium)) == ["low-ca-pyroxene", "high-ca-pyroxene"]


def test_wollastonite_of_twenty_percent_as_stored_in_32_bits_is_still_low():
    labels = np.zeros((1, 15), np.float32)
    labels[0, 2], labels[0, 11] = 1, np.float32(0.2)
    assert names(library(*composition_of(labels.astype(float)))) == ["low-ca-pyroxene"]


def test_a_mixture_without_a_dominant_mineral_is_other():
    shares = [[0.5, 0.5, 0.0], [0.2, 0.8, 0.0], [0.1, 0.1, 0.8]]
    assert names(library(shares, [0.0] * 3)) == ["other", "olivine", "plagioclase"]


def test_rows_of_one_rock_share_a_specimen():
    identity = np.array(
        ["LR-CMP-236", "LR-CMP-236-C", "LR-CMP-245-B", "OC-1-2", "MX-A-1", "PX-B-2", "MX-C-9"]
    )
    name = np.array(
        ["65315,153 bulk", "65315,153 45-75 um", "65315, 153 <45 um", "Tsarev <25 um",
         "PYX042+OLV003 (ol90+opx10)", "PYX042", "Tsarev powder"]
    )  # fmt: skip
    found = specimens(identity, name)
    assert found[0] == found[1] == found[2]
    assert found[4] == found[5]
    assert len({found[0], found[3], found[4]}) == 3
