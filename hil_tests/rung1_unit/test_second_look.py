"""What a coarser frame said of the ground under a finer one, and what that does to a site."""

from dataclasses import replace

import numpy as np

from flight.autonomy.second_look import LONGEST_NS, Earlier, beneath, earlier_of
from flight.autonomy.tasks import conclude, keep
from flight.autonomy.terrain import CELLS, PLANES, TerrainPolicy
from flight.instant import Instant
from flight.product.values import Finding, Frame, Kind, NoAnswer, SensorKind

METRE_UM = 1_000_000
POLICY = TerrainPolicy(site_threshold=-60, confirmed_threshold=-50)


def frame(side: int = 256, *, pixel_um: int = METRE_UM, mono_ns: int = 0) -> Frame:
    axis = (pixel_um,) if pixel_um else ()
    samples = np.zeros((side, side), np.uint8)
    return Frame("camera", SensorKind.CAMERA, 0, Instant(mono_ns, 0), samples, axis=axis)


def answer(risk: np.ndarray) -> np.ndarray:
    output = np.full((1, CELLS, CELLS, PLANES), -100, np.int8)
    output[0, :, :, 2] = risk
    return output


def coarse_look(risk: np.ndarray, row: int = 130, column: int = 130) -> Earlier:
    look = earlier_of(frame(), (answer(risk),), (Finding(Kind.NO_SAFE_SITE, row, column),))
    assert look is not None
    return look


def slanted() -> np.ndarray:
    """Return risk that rises from column to column, and is the same in all rows."""
    return np.broadcast_to(np.arange(CELLS) - 64, (CELLS, CELLS))


def test_the_finer_frame_gets_the_cells_round_the_place_that_was_named() -> None:
    before = beneath(coarse_look(slanted(), column=130), frame(pixel_um=METRE_UM // 4))
    assert before is not None
    assert before.shape == (1, 16, 16, 1)
    # Pixel 130 lies in cell 32, and sixteen cells round it start at cell 24.
    assert before[0, 0, :, 0].tolist() == (np.arange(24, 40) - 64).tolist()


def test_what_lies_outside_the_coarser_frame_risks_most() -> None:
    before = beneath(coarse_look(slanted(), row=2, column=130), frame(pixel_um=METRE_UM // 4))
    assert before is not None
    assert (before[0, :8] == 127).all()
    assert (before[0, 9:] < 0).all()


def test_a_frame_that_is_not_finer_has_no_look_before_it() -> None:
    look = coarse_look(slanted())
    assert beneath(look, frame(pixel_um=METRE_UM)) is None
    assert beneath(look, frame(pixel_um=METRE_UM * 3 // 5)) is None
    assert beneath(look, frame(pixel_um=METRE_UM // 2)) is not None
    assert beneath(look, frame(pixel_um=1)) is None


def test_a_frame_without_a_scale_neither_has_nor_gives_a_look() -> None:
    look = coarse_look(slanted())
    assert beneath(look, frame(pixel_um=0)) is None
    assert earlier_of(frame(pixel_um=0), (look.output,), (look.site,)) is None


def test_a_look_does_not_outlive_its_light() -> None:
    look = coarse_look(slanted())
    fine = frame(pixel_um=METRE_UM // 4)
    assert beneath(look, replace(fine, taken=Instant(LONGEST_NS, 0))) is not None
    assert beneath(look, replace(fine, taken=Instant(LONGEST_NS + 1, 0))) is None
    assert beneath(replace(look, mono_ns=1), fine) is None


def test_a_frame_without_an_answer_leaves_no_look() -> None:
    findings = (Finding(Kind.NO_ANSWER, label=NoAnswer.LATE),)
    assert keep("terrain", frame(), (), findings) is None
    assert keep("mineral", frame(), (answer(slanted()),), findings) is None


def test_two_looks_name_a_site_that_one_alone_would_not() -> None:
    fine = frame(pixel_um=METRE_UM // 4)
    own = answer(np.full((CELLS, CELLS), -50))
    sure = np.full((1, 16, 16, 1), -90, np.int8)
    doubtful = np.full((1, 16, 16, 1), -20, np.int8)
    assert conclude(fine, (own,), 0, POLICY)[0].kind == Kind.NO_SAFE_SITE
    assert conclude(fine, (own, sure), 0, POLICY)[0].kind == Kind.SAFE_SITE
    assert conclude(fine, (own, doubtful), 0, POLICY)[0].kind == Kind.NO_SAFE_SITE


def test_among_places_that_look_alike_from_close_by_the_coarser_look_chooses() -> None:
    before = np.full((1, 16, 16, 1), -60, np.int8)
    before[0, 4, 12] = -100
    outputs = (answer(np.full((CELLS, CELLS), -70)), before)
    site = conclude(frame(pixel_um=METRE_UM // 4), outputs, 0, POLICY)[0]
    assert site.kind == Kind.SAFE_SITE
    assert (site.row // 16, site.column // 16) == (4, 12)
