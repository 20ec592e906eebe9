"""The simulated sampling attempt obeys its own physics."""

from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.sample import CHANNELS, FORCE, GAP_A, GAP_B, TELEMETRY
from tools.sim.sample import HELD_OUT, STRESS, TOLERATED_UM, TRAINING, Fault, World, make_case
from tools.sim.sample_state import CAPACITY_G, PRESS_N, Soil
from tools.sim.sample_telemetry import Sensors, blade_force_n

EXACT = Sensors(gap_offset_um=0, gap_noise_um=0, gain_error=0, mass_noise_g=0, drift=0, lost=(0, 0))
SOIL = Soil(70, 4.5, 1.0, 40.0, 0.5, 1.5, 0.12)


def case_of(fault: Fault, seed: int = 3) -> tuple[np.ndarray, object]:
    case = make_case(np.random.default_rng((seed, 1)), World(sensors=EXACT, faults=((fault, 1.0),)))
    counts = case.frame[TELEMETRY].astype(np.float64)
    values = (counts - [[c.zero] for c in CHANNELS]) / [[c.counts_per_unit] for c in CHANNELS]
    values[counts == 0] = np.nan
    return values, case.truth


def test_the_same_seed_gives_the_same_case() -> None:
    one, two = (make_case(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.frame, two.frame)
    assert one.truth == two.truth


@pytest.mark.parametrize("world", [TRAINING, STRESS, *HELD_OUT.values()])
def test_every_world_gives_frames_of_one_form(world: World) -> None:
    case = make_case(np.random.default_rng(1), world)
    assert case.frame.shape == (203, 192)
    assert case.frame.dtype == np.uint16
    assert case.truth.sealed + case.truth.obstructed + (case.truth.gap_um == np.inf) == 1
    assert 0 <= case.truth.mass_g <= CAPACITY_G


@pytest.mark.parametrize("seed", range(8))
def test_two_opposite_gaps_add_up_to_a_grain_wherever_it_lies(seed: int) -> None:
    values, truth = case_of(Fault.GRAIN, seed)
    ends = np.nanmean(values[[GAP_A, GAP_B], -10:], axis=1).sum()
    # Dust below the grain counts on both sides; it is 40 micrometres at most.
    assert truth.gap_um - 2 <= ends <= truth.gap_um + 42


def test_a_tight_canister_ends_under_the_press_with_no_gap() -> None:
    values, truth = case_of(Fault.NONE)
    assert truth.sealed
    assert np.nanmax(values[[GAP_A, GAP_B], -10:]) <= TOLERATED_UM
    assert np.nanmax(values[FORCE]) == pytest.approx(PRESS_N, rel=0.05)


def test_a_jammed_lid_stays_where_it_is_and_draws_the_stall_current() -> None:
    values, truth = case_of(Fault.JAMMED_LID)
    assert truth.jammed
    assert not truth.sealed
    assert np.nanmax(values[0]) > 1_800
    assert np.nanmean(values[GAP_A, -5:]) > 200


def test_a_blade_needs_more_force_deeper_and_in_stickier_soil() -> None:
    depth = np.array([0.01, 0.03, 0.06])
    force = blade_force_n(SOIL, depth)
    assert (np.diff(force) > 0).all()
    assert (blade_force_n(replace(SOIL, cohesion_kpa=1.0), depth) > force).all()


def test_without_cohesion_the_force_grows_with_the_square_of_the_depth() -> None:
    loose = replace(SOIL, cohesion_kpa=0.0)
    shallow, deep = blade_force_n(loose, np.array([0.02, 0.04]))
    assert deep / shallow == pytest.approx(4.0)


def test_no_fault_kept_for_tests_happens_in_training_or_calibration() -> None:
    kept = {Fault.TWO_GRAINS, Fault.CAKED, Fault.FIBRE, Fault.SLIPPED, Fault.STIFF}
    for world in (TRAINING, STRESS):
        assert not kept & {fault for fault, _ in world.faults}
    assert kept <= {fault for fault, _ in HELD_OUT["faults"].faults}
