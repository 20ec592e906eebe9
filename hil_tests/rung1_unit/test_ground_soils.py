from flight.autonomy.oxides import METALS
from flight.product.values import Finding, Kind
from ground.soils import COMPARED, SOILS, comparison_rows, comparison_text, likenesses
from ground.words import oxide_name

NAMES = [soil.name for soil in SOILS]


def findings_of(percent, sigma=0.3):
    return tuple(
        Finding(
            Kind.OXIDE,
            label=metal,
            score=round(1000 * percent[oxide_name(metal)]),
            extent=round(1000 * sigma),
        )
        for metal in METALS
        if oxide_name(metal) in percent
    )


def test_every_soil_is_nearest_to_itself():
    for soil in SOILS:
        nearest = likenesses(findings_of(soil.percent))[0]
        assert (nearest.soil.name, nearest.apart) == (soil.name, 0)


def test_a_highland_soil_is_like_the_highlands_and_not_like_a_mare():
    order = [n.soil.name for n in likenesses(findings_of(SOILS[NAMES.index("Luna 20")].percent))]
    assert order[1] in ("Apollo 16", "Apollo 17 massif")
    assert order.index("Chang'e-5") > order.index("Apollo 16")


def test_a_larger_error_makes_soils_less_apart():
    percent = SOILS[0].percent
    near, far = (likenesses(findings_of(percent, sigma))[5].apart for sigma in (2.0, 0.1))
    assert near < far


def test_nothing_found_is_compared_with_nothing():
    assert likenesses((Finding(Kind.ELEMENT, label=26, score=9),)) == ()
    assert comparison_text(()) == ""


def test_the_table_says_values_errors_and_what_is_not_published():
    rows = comparison_rows(findings_of(SOILS[NAMES.index("Chang'e-6")].percent | {"SiO2": 46.0}))
    assert rows[0] == ("oxide", "found, wt %", "Chang'e-6", *rows[0][3:])
    assert rows[1][:3] == ("SiO2", "46.00 ± 0.30", "-")
    assert rows[-1][2] == "0.0 sigma"


def test_sodium_has_no_say():
    assert "Na2O" not in COMPARED
    percent = SOILS[0].percent
    assert likenesses(findings_of(percent | {"Na2O": 9.0}))[0].apart == 0
