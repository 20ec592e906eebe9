"""Contact windows against figures that others published or computed."""

import json
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from skyfield.api import EarthSatellite, wgs84

from flight.relay.contactfile import read_plan
from flight.settings import SettingsError, parse_settings
from ground.__main__ import main
from ground.sky.bodies import EarthOrbiter, EarthSite, MoonOrbiter, MoonSite, Sky
from ground.sky.kepler import Elements, between_heights, position_km
from ground.sky.moon import RADIUS_KM
from ground.sky.settings import MoonOrbit, Site, SkySettings
from ground.sky.windows import LIGHT_KM_S, Beam, find_windows, look, range_ms
from ground.times import parse_utc

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
CHANGE_6 = Site(-41.6385, 206.0148)
QUEQIAO_2 = MoonOrbit(200, 16_000, 62.4, "2024-06-01T22:23:00", node_deg=116.0)
LANDING_MS = parse_utc("2024-06-01T22:23")
ISS = (
    "1 25544U 98067A   14020.93268519  .00009878  00000-0  18200-3 0  5082",
    "2 25544  51.6498 109.4756 0003572  55.9686 274.8005 15.49815350868473",
)
BLUFFTON = Site(40.8939, -83.8917)


@pytest.fixture(scope="module")
def sky():
    with Sky() as opened:
        yield opened


class EarthsCentre:
    name, on_earth, on_moon, is_quick = "Earth", True, False, False

    def at(self, instants):
        return np.zeros_like(instants.moon_km), None


def beam(one, other, elevation: float = 0.0) -> Beam:
    return Beam((one,), (other,), elevation, 0.0)


def test_the_moons_axes_agree_with_the_libration_that_meeus_worked_out(sky: Sky) -> None:
    # Astronomical Algorithms, example 53.a: 1992 April 12.0 TD, l = -1.23, b = +4.20 degrees.
    instants = sky.instants(parse_utc("2000-01-01T12:00"), np.zeros(1))
    after_s = (2_448_724.5 - 2_451_545.0) * 86_400 - float(instants.tdb_s[0])
    instants = sky.instants(parse_utc("2000-01-01T12:00"), np.array([after_s]))
    x, y, z = np.einsum("ijk,jk->ik", instants.moon_axes, -instants.moon_km)[:, 0]
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(-1.23, abs=0.03)
    assert np.degrees(np.arctan2(z, np.hypot(x, y))) == pytest.approx(4.20, abs=0.03)


def test_the_moons_axes_are_a_right_handed_frame(sky: Sky) -> None:
    axes = sky.instants(LANDING_MS, np.linspace(0, 1e8, 50)).moon_axes
    for index in range(50):
        frame = axes[:, :, index]
        assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)


def test_the_orbit_has_its_published_period_and_heights() -> None:
    semi_major_km, eccentricity = between_heights(200, 16_000)
    elements = Elements(semi_major_km, eccentricity, 62.4, 0, 90, 180)
    assert elements.period_s / 3600 == pytest.approx(24, abs=0.4)
    after_s = np.linspace(0, elements.period_s, 100_001)
    places = position_km(elements, after_s, np.eye(3))
    heights = np.linalg.norm(places, axis=0) - RADIUS_KM
    assert (heights.min(), heights.max()) == pytest.approx((200, 16_000), abs=0.1)
    assert np.degrees(np.arcsin((places[2] / np.linalg.norm(places, axis=0)).max())) == (
        pytest.approx(62.4, abs=0.01)
    )
    assert places[2, np.argmin(heights)] > 0, "lowest over the north"
    assert places[:, 0] == pytest.approx(places[:, -1], abs=1e-3)
    # Equal areas in equal times (Kepler's second law).
    areas = np.linalg.norm(np.cross(places[:, :-1], places[:, 1:], axis=0), axis=0)
    assert areas.max() / areas.min() == pytest.approx(1, abs=1e-4)


def test_earth_is_never_seen_from_the_far_side_site(sky: Sky) -> None:
    site, centre = MoonSite(CHANGE_6, "site"), EarthsCentre()
    elevations = look(
        sky, beam(site, centre, -90), LANDING_MS, np.arange(0, 6 * 366 * 86_400, 7200.0)
    )
    margins = elevations.margin
    # Others found -50.7 to -33.5 degrees and 357,730 to 407,656 km, in years that they do not say.
    assert margins.min() - 90 == pytest.approx(-50.7, abs=1.5)
    assert margins.max() - 90 == pytest.approx(-33.5, abs=1.5)
    km = elevations.light_s * LIGHT_KM_S
    assert km.min() == pytest.approx(357_730, abs=500)
    assert km.max() == pytest.approx(407_656, abs=500)
    site_to_earth = beam(site, EarthSite(Site(38.4, 76.7), "Kashi"))
    assert find_windows(sky, site_to_earth, LANDING_MS, LANDING_MS + 30 * DAY_MS) == ()


def test_the_relay_is_in_sight_as_long_as_the_two_body_estimate_says(sky: Sky) -> None:
    lander, relay = MoonSite(CHANGE_6, "lander"), MoonOrbiter(QUEQIAO_2, "relay", sky)
    up = beam(lander, relay, 5.0)
    end_ms = LANDING_MS + 28 * DAY_MS
    windows = find_windows(sky, up, LANDING_MS, end_ms)
    share = sum(w.end_ms - w.start_ms for w in windows) / (end_ms - LANDING_MS)
    gaps = [b.start_ms - a.end_ms for a, b in pairwise(windows)]
    assert share == pytest.approx(0.77, abs=0.03)
    assert max(gaps) / HOUR_MS == pytest.approx(8.7, abs=0.3)
    lights = [light_ms for _, light_ms in range_ms(sky, up, windows, 3_600)]
    assert max(lights) * LIGHT_KM_S / 1000 == pytest.approx(17_400, abs=400)


def test_light_to_earth_takes_what_it_takes_and_both_ways_alike(sky: Sky) -> None:
    relay, station = MoonOrbiter(QUEQIAO_2, "relay", sky), EarthSite(Site(38.4, 76.7), "Kashi")
    after_s = np.arange(0, 28 * 86_400, 1800.0)
    down = look(sky, beam(relay, station), LANDING_MS, after_s).light_s
    up = look(sky, beam(station, relay), LANDING_MS, after_s).light_s
    assert 1.15 < down.min() < 1.22
    assert 1.34 < down.max() < 1.40
    assert np.abs(down - up).max() < 3e-5
    assert np.abs(down - up).max() > 1e-6, "the other end moves while light is under way"


def test_a_window_ends_where_the_line_of_sight_does(sky: Sky) -> None:
    relay, station = MoonOrbiter(QUEQIAO_2, "relay", sky), EarthSite(Site(38.4, 76.7), "Kashi")
    down = beam(relay, station, 10.0)
    windows = find_windows(sky, down, LANDING_MS, LANDING_MS + 5 * DAY_MS)
    assert len(windows) >= 5
    for window in windows[1:-1]:
        around = np.array([-0.01, 0.01])
        starts = look(sky, down, window.start_ms, around).margin
        ends = look(sky, down, window.end_ms, around).margin
        assert (starts[0] < 0 < starts[1], ends[1] < 0 < ends[0]) == (True, True)


def test_a_satellite_of_earth_rises_and_sets_when_skyfield_says(sky: Sky) -> None:
    start_ms = parse_utc("2014-01-23T00:00")
    scale = sky._time_scale
    satellite = EarthSatellite(*ISS, "ISS", scale)
    times, events = satellite.find_events(
        wgs84.latlon(BLUFFTON.latitude_deg, BLUFFTON.longitude_deg),
        scale.utc(2014, 1, 23),
        scale.utc(2014, 1, 24),
        altitude_degrees=30.0,
    )
    theirs = [t.utc_iso() for t, e in zip(times, events, strict=True) if e != 1]
    # Printed in skyfield's own documentation.
    assert theirs[0] == "2014-01-23T06:25:37Z"
    iss, place = EarthOrbiter(*ISS, "ISS"), EarthSite(BLUFFTON, "Bluffton")
    windows = find_windows(sky, beam(iss, place, 30.0), start_ms, start_ms + DAY_MS)
    ours = [edge for window in windows for edge in (window.start_ms, window.end_ms)]
    assert len(ours) == len(theirs)
    for edge_ms, text in zip(ours, theirs, strict=True):
        assert abs(edge_ms - parse_utc(text)) < 1_000


def test_the_moon_hides_a_satellite_behind_it(sky: Sky) -> None:
    low = MoonOrbit(100, 100, 90, "2024-06-01T00:00:00")
    orbiter, station = MoonOrbiter(low, "low", sky), EarthSite(Site(38.4, 76.7), "Kashi")
    windows = find_windows(sky, beam(orbiter, station, -90), LANDING_MS, LANDING_MS + DAY_MS // 2)
    assert len(windows) >= 5  # once a turn of two hours
    hidden = [b.start_ms - a.end_ms for a, b in pairwise(windows)]
    assert 20 < max(hidden) / 60_000 < 50


def test_the_command_draws_and_writes_plans_that_are_read_back(tmp_path: Path, capsys) -> None:
    ion, toml, page = tmp_path / "plan.txt", tmp_path / "plan.toml", tmp_path / "windows.html"
    command = ["contacts", "--start", "2026-12-01", "--days", "1.5", "--chart", str(page)]
    assert main([*command, "--plan", str(ion), "--plan", str(toml), "--windows"]) == 0
    out = capsys.readouterr().out
    assert "Chang'e-6 → Queqiao-2" in out
    assert "█" in out
    exact, whole = (read_plan(path, reference_ms=0) for path in (toml, ion))
    assert len(exact.contacts) == len(whole.contacts) > 4
    for ours, theirs in zip(exact.contacts, whole.contacts, strict=True):
        assert ours[:2] + ours[4:] == theirs[:2] + theirs[4:]
        assert 0 <= theirs.start_ms - ours.start_ms < 1000
        assert 0 <= ours.end_ms - theirs.end_ms < 1000
    to_earth = [r.one_way_ms for r in exact.ranges if r.to_node == 30]
    assert all(1_150 < ms < 1_400 for ms in to_earth)
    Strict().feed(page.read_text())
    assert main([*command, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["from_node"], first["to_node"]) == (10, 20)
    assert first["windows"][0][0].startswith("2026-12-01T")


class Strict(HTMLParser):
    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        assert not any(name in ("href", "src") for name, _ in attrs)


def test_the_example_is_a_file_to_begin_with(tmp_path: Path, capsys) -> None:
    assert main(["contacts", "--example"]) == 0
    (tmp_path / "sky.toml").write_text(capsys.readouterr().out)
    start = ["--start", "2026-12-01", "--days", "0.2"]
    assert main(["contacts", str(tmp_path / "sky.toml"), *start]) == 0


@pytest.mark.parametrize(
    ("change", "say"),
    [
        (("periapsis_km = 200.0", "periapsis_km = -5.0"), "periapsis_km"),
        (("one = 10", "one = 11"), "no such nodes"),
        (("latitude_deg = -41.6385", "latitude_deg = 141.0"), "latitude_deg"),
        (("[nodes.moon_orbit]", "[nodes.moon_orbits]"), "moon_orbit"),
        (('epoch = "2024-06-01T22:23:00"', 'epoch = "soon"'), "soon"),
    ],
)
def test_what_is_wrong_in_a_sky_is_named(change, say: str, tmp_path: Path, capsys) -> None:
    main(["contacts", "--example"])
    text = capsys.readouterr().out
    assert change[0] in text
    (tmp_path / "sky.toml").write_text(text.replace(*change, 1))
    assert main(["contacts", str(tmp_path / "sky.toml"), "--days", "0.1"]) == 2
    assert say in capsys.readouterr().err


def test_a_node_is_in_one_place_only() -> None:
    text = """
        links = []
        [[nodes]]
        node = 1
        earth_orbit = { line1 = "", line2 = "" }
        moon_site = { latitude_deg = 0.0, longitude_deg = 0.0 }
    """
    with pytest.raises(SettingsError, match="exactly one"):
        parse_settings(SkySettings, text, source="sky", folder=Path())
