import numpy as np
import pytest

from models.bootstrap import interval
from models.mineral.metrics import ANOMALY, Said, Truth, metrics
from models.mineral.spectrafile import FormError, read_spectra

WAVE = np.linspace(500, 2400, 40)


def write(path, **changed):
    given = {
        "wavelength_nm": WAVE,
        "reflectance": np.full((3, 40), 0.4),
        "phase": np.array(["olivine", "other", "anomaly"]),
    } | changed
    np.savez(path, **{name: value for name, value in given.items() if value is not None})
    return path


def test_a_file_of_the_documented_form_is_read(tmp_path):
    spectra = read_spectra(write(tmp_path / "a.npz", group=np.array(["x", "x", "y"])))
    assert spectra.truth.label.tolist() == [2, 4, ANOMALY]
    assert spectra.truth.specimen.tolist() == ["x", "x", "y"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phase": None}, "lacks phase"),
        ({"phase": np.array(["olivine", "quartz", "other"])}, "quartz"),
        ({"phase": np.array(["olivine"])}, "1 entries for 3"),
        ({"reflectance": np.full((3, 39), 0.4)}, "39 bands"),
        ({"reflectance": np.full((3, 40), np.nan)}, "not finite in spectrum 0"),
        ({"reflectance": np.full((3, 40), 40.0)}, "share of the light"),
        ({"reflectance": np.full(40, 0.4)}, "2-dimensional"),
        ({"wavelength_nm": WAVE / 1000}, "no band lies between 450 and 2500"),
        ({"wavelength_nm": np.array(["a"] * 40)}, "1-dimensional numbers"),
        ({"group": np.array(["x"])}, "group has 1"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(tmp_path, changed, said):
    with pytest.raises(FormError, match=said):
        read_spectra(write(tmp_path / "a.npz", **changed))


def test_bands_outside_the_range_are_dropped_whatever_stands_in_them(tmp_path):
    wave = np.concatenate([[300.0], WAVE, [2600.0]])
    strewn = np.full((3, 42), 0.4)
    strewn[:, 0], strewn[1, 41] = -1.23e34, np.nan
    spectra = read_spectra(write(tmp_path / "a.npz", wavelength_nm=wave, reflectance=strewn))
    assert np.array_equal(spectra.wavelength_nm, WAVE)
    assert (spectra.reflectance == 0.4).all()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut short", b"not a file of numbers"])
def test_what_is_no_npz_is_refused(tmp_path, data):
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(FormError, match=r"a\.npz"):
        read_spectra(path)
    with pytest.raises(FormError, match="absent"):
        read_spectra(tmp_path / "absent.npz")


def test_metrics_of_a_perfect_and_of_an_overconfident_classifier():
    truth = Truth(np.array([0, 0, 1, 1, ANOMALY]), np.arange(5))
    perfect = Said(np.array([0, 0, 1, 1, 3]), np.ones(5), np.array([1, 2, 3, 4, 9.0]))
    found = metrics(truth, perfect)
    assert found["balanced_accuracy"].value == 1
    assert found["ece"].value == 0
    assert found["anomaly_auroc"].value == 1
    assert found["anomaly_tpr_at_5pct_fpr"].value == 1
    sure = Said(np.array([0, 0, 0, 0, 3]), np.ones(5), np.array([5, 6, 7, 8, 1.0]))
    found = metrics(truth, sure)
    assert found["balanced_accuracy"].value == 0.5
    assert found["ece"].value == 0.5
    assert found["anomaly_auroc"].value == 0


def test_without_anomalies_no_anomaly_figure_is_given():
    truth = Truth(np.array([0, 1]), np.arange(2))
    found = metrics(truth, Said(np.array([0, 1]), np.full(2, np.nan), np.zeros(2)))
    assert set(found) == {"balanced_accuracy", "ece"}
    assert found["ece"].plain() == {"value": None, "low": None, "high": None}


def test_rows_of_one_group_are_drawn_together():
    value = np.array([0.0, 0.0, 1.0, 1.0])
    apart = interval(lambda rows: float(value[rows].mean()), np.arange(4))
    together = interval(lambda rows: float(value[rows].mean()), np.array([0, 0, 1, 1]))
    assert apart.value == together.value == 0.5
    assert (together.low, together.high) == (0, 1)
    assert apart.low <= 0.25
