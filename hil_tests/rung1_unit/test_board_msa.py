"""EMSA/MAS spectra: what the reader returns, and the words in which it refuses."""

from pathlib import Path

import numpy as np
import pytest

from flight.board.sensors.msa import read_msa
from flight.board.sensors.reading import FrameError

MSA = """#FORMAT      : EMSA/MAS spectral data file
#VERSION     : TC202v2.0 PIXL
#NPOINTS     : 6
#NCOLUMNS    : 1
#XUNITS      : eV
#DATATYPE    : Y
#XPERCHAN    : 10.0449
#OFFSET      : -15.3063
#LIVETIME    : 4.96607304
#SPECTRUM
0
3
5
100
7
0
#ENDOFDATA   :
"""
TWO = (
    MSA.replace("NCOLUMNS    : 1", "NCOLUMNS    : 2")
    .replace(": Y", ": YY")
    .replace("10.0449", "10.0449, 10.1 eV per channel, if not calibrated")
    .replace("-15.3063", "-15.3063, 2")
    .replace("4.96607304", "4.9, 5.1")
    .replace("0\n3\n5\n100\n7\n0", "0, 1\n3, 2\n5, 4\n100, 90\n7, 8\n0, 0")
)


def test_a_spectrum_brings_counts_energies_and_live_time() -> None:
    reading = read_msa("a.msa", MSA.encode())
    assert reading.samples.tolist() == [0, 3, 5, 100, 7, 0]
    assert reading.samples.dtype == np.uint32
    assert (reading.axis, reading.live_ms) == ((-15_306, 10_045), 4966)


def test_each_of_two_detectors_is_read_with_its_own_energies() -> None:
    first, second = (read_msa("a.msa", TWO.encode(), detector) for detector in "AB")
    assert first.samples.tolist() == [0, 3, 5, 100, 7, 0]
    assert second.samples.tolist() == [1, 2, 4, 90, 8, 0]
    assert (first.axis, second.axis) == ((-15_306, 10_045), (2000, 10_100))
    assert (first.live_ms, second.live_ms) == (4900, 5100)


def test_detectors_of_one_calibration_are_summed() -> None:
    text = TWO.replace("10.0449, 10.1", "10.0449, 10.0449").replace("-15.3063, 2", "-15.3063")
    reading = read_msa("a.msa", text.encode())
    assert reading.samples.tolist() == [1, 5, 9, 190, 15, 0]
    assert (reading.axis, reading.live_ms) == ((-15_306, 10_045), 5000)


def test_several_channels_a_line_are_one_spectrum() -> None:
    text = MSA.replace("NCOLUMNS    : 1", "NCOLUMNS : 3.0").replace(
        "NPOINTS     : 6", "NPOINTS : 6.0"
    )
    text = text.replace("0\n3\n5\n100\n7\n0\n", " 0.0, 3.0, 5.0,\n 100.0, 7.0, 0.0,\n")
    text = (
        text.replace("eV", "keV").replace("10.0449", "0.0100449").replace("-15.3063", "-.0153063")
    )
    text = text.replace("LIVETIME    :", "LIVETIME  -s:")
    assert read_msa("a.msa", text.encode()).samples.tolist() == [0, 3, 5, 100, 7, 0]
    assert read_msa("a.msa", text.encode()).axis == (-15_306, 10_045)
    assert read_msa("a.msa", text.encode()).live_ms == 4966


def test_pairs_of_energy_and_counts_are_read() -> None:
    text = MSA.replace("DATATYPE    : Y", "DATATYPE : XY")
    text = text.replace("0\n3\n5\n100\n7\n0\n", "".join(f"{5 + 20 * i}, {i}\n" for i in range(6)))
    reading = read_msa("a.msa", text.encode())
    assert reading.samples.tolist() == [0, 1, 2, 3, 4, 5]
    assert reading.axis == (5000, 20_000)


def test_an_uncalibrated_spectrum_has_no_axis() -> None:
    text = MSA.replace("#XPERCHAN    : 10.0449\n", "")
    assert read_msa("a.msa", text.encode()).axis == ()


def test_counts_below_zero_or_not_a_number_are_counted_and_zeroed() -> None:
    reading = read_msa("a.msa", MSA.replace("\n3\n5\n", "\n-3\nnan\n").encode())
    assert reading.samples.tolist() == [0, 0, 0, 100, 7, 0]
    assert reading.bad_samples == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EMSA/MAS", "PDF", "not an EMSA/MAS spectrum"),
        ("#SPECTRUM", "#SPECTRE", 'no "#SPECTRUM" line'),
        ("NPOINTS     : 6", "NPOINTS : 7", "6 numbers, its header promises 7"),
        ("NPOINTS     : 6", "NPOINTS : 0", "NPOINTS is 0"),
        ("NPOINTS     : 6", "NPOINTS : nan", "NPOINTS is 0"),
        ("DATATYPE    : Y", "DATATYPE : Z", "data type 'Z'"),
        ("\n100\n", "\nmany\n", "its counts hold a word"),
        ("\n100\n", "\n100.5\n", "counts with fractions"),
    ],
)
def test_a_bad_spectrum_is_refused_in_words(old: str, new: str, message: str) -> None:
    assert old in MSA
    with pytest.raises(FrameError, match=message):
        read_msa("a.msa", MSA.replace(old, new, 1).encode())


def test_unlike_detectors_are_not_summed_silently() -> None:
    with pytest.raises(FrameError, match='detector to "A" or "B"'):
        read_msa("a.msa", TWO.encode())


def test_a_detector_that_is_not_there_is_refused() -> None:
    with pytest.raises(FrameError, match=r"1 detector\(s\), no 'B'"):
        read_msa("a.msa", MSA.encode(), "B")


@pytest.mark.parametrize(
    ("file", "counts", "axis"),
    [
        ("pixl_breadboard/standards/Calibration_box_BHVO-2G_28kV_230uA_03_28_2019_bulk_sum.msa",
         4096, (-15_306, 10_045)),
        ("pixl_fm/Normal_B_0612672997_000001C5_000007.msa", 4096, ()),
        ("nist_rh_tube/Si_50kv_50_ma_Rh_vac_D1.msa", 4096, (-955_304, 9_999)),
    ],
)  # fmt: skip
def test_measured_spectra_are_read(
    shared_data: Path, file: str, counts: int, axis: tuple[int, ...]
) -> None:
    reading = read_msa(file, (shared_data / "xrf" / file).read_bytes())
    assert reading.samples.shape == (counts,)
    assert (reading.axis, reading.bad_samples) == (axis, 0)
    assert reading.live_ms > 0
