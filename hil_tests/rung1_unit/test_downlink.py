from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.decide import DecisionPolicy
from flight.autonomy.downlink import (
    PRODUCTS_A_STEP,
    allowed_error,
    plan_products,
    region,
    sent_ahead,
    shares,
)
from flight.autonomy.mineral import MineralPolicy
from flight.autonomy.plan import Plan, Slot, content_of, thumbnail
from flight.autonomy.tasks import TASKS, conclude, policy_from, policy_integers
from flight.autonomy.terrain import TerrainPolicy
from flight.autonomy.xrf import XrfPolicy
from flight.instant import Instant
from flight.product.codecs import CODECS, CodecId, decode, encode
from flight.product.errors import WireError
from flight.product.journal import GENESIS, enter, stamp
from flight.product.part import CODEC_BYTES, ProductId, ProductKind
from flight.product.values import (
    Decision,
    Finding,
    Frame,
    Kind,
    NoAnswer,
    SensorKind,
    Verdict,
)
from hil_tests.rung1_unit.test_product_records import make_step

OUTPUTS = (np.full((1, 64, 64, 3), -100, np.int8),)
SITE = Finding(Kind.SAFE_SITE, row=100, column=150, extent=20, score=-90)


def camera(rows: int = 200, columns: int = 300) -> Frame:
    samples = (np.arange(rows * columns) % 251).astype(np.uint8).reshape(rows, columns)
    return Frame("navcam", SensorKind.CAMERA, 4, Instant(1, 2), samples)


def plan(
    frame: Frame | None,
    *,
    keep_frame: bool = True,
    findings: tuple[Finding, ...] = (SITE,),
    maximum_error: int = 0,
):
    decision = Decision(4, Verdict.SITE_CHOSEN, True, keep_frame, findings, maximum_error)
    shape = stamp(camera().samples) if frame is None else stamp(frame.samples)
    entry = enter(GENESIS, make_step(frame=shape), decision)
    return plan_products(entry, frame, OUTPUTS, TerrainPolicy())


def test_the_most_valuable_bytes_come_first():
    kinds = [product.kind for product in plan(camera())]
    assert kinds == [
        ProductKind.DECISION,
        ProductKind.THUMBNAIL,
        ProductKind.HAZARD_MAP,
        ProductKind.OUTPUTS,
        ProductKind.REGION,
        ProductKind.FRAME,
    ]
    assert [kind.priority for kind in kinds] == sorted(kind.priority for kind in kinds)


def test_a_frame_that_did_not_outlive_a_restart_moves_no_other_product():
    slots = {product.kind: product.slot for product in plan(camera())}
    again = {product.kind: product.slot for product in plan(None)}
    assert again == {kind: slots[kind] for kind in again}
    assert set(again) == {ProductKind.DECISION, ProductKind.HAZARD_MAP, ProductKind.OUTPUTS}
    assert max(slots.values()) < PRODUCTS_A_STEP


def test_a_frame_that_is_not_kept_is_not_sent():
    assert ProductKind.FRAME not in {p.kind for p in plan(camera(), keep_frame=False)}


def test_a_thumbnail_is_the_mean_of_blocks():
    small = thumbnail(np.arange(400, dtype=np.uint16).reshape(1, 400).repeat(4, axis=0))
    assert small.shape == (1, 100)
    assert small[0, :3].tolist() == [1, 5, 9]
    tiny = camera(20, 30).samples
    assert thumbnail(tiny) is tiny


def test_tiles_that_show_the_site_go_ahead_and_no_tile_goes_twice():
    frame = camera(600, 700)
    (whole,) = (p for p in plan(frame) if p.kind is ProductKind.FRAME)
    assert ProductKind.REGION not in {p.kind for p in plan(frame)}
    parts = encode(whole.codec, frame.samples, tile=whole.tile)
    (region_plan, first), (frame_plan, rest) = shares(whole, parts)
    assert (region_plan.slot, region_plan.kind) == (Slot.REGION, ProductKind.REGION)
    assert (frame_plan.slot, frame_plan.kind) == (Slot.FRAME, ProductKind.FRAME)
    assert sorted((*first, *rest), key=str) == sorted(parts, key=str)
    version = CODECS[whole.codec].version
    evidence = decode(whole.codec, version, first)
    top, left, rows, columns = region(SITE, frame.samples.shape)
    assert evidence.present[top : top + rows, left : left + columns].all()
    assert not evidence.present.all()
    assert (decode(whole.codec, version, (*rest, *first)).samples == frame.samples).all()


def test_a_plan_knows_how_large_its_array_will_be():
    rows, columns = 300, 450
    pictures = [camera(100, 120), camera(rows, columns)]
    wide = (np.arange(rows * columns) % 60_011).astype(np.uint16).reshape(rows, columns)
    pictures.append(replace(camera(), samples=wide))
    pictures.append(replace(camera(), samples=wide, kind=SensorKind.SAMPLE))
    pictures.append(replace(camera(), samples=wide[0].astype(np.uint32), kind=SensorKind.XRAY))
    for frame in pictures:
        made = [p for p in plan(frame) if p.codec != CODEC_BYTES]
        assert made
        for one in made:
            content = content_of(one, frame, OUTPUTS, TerrainPolicy())
            assert (content.nbytes, one.record) == (one.raw_bytes, b"")


def test_what_is_cut_out_is_the_square_round_the_site():
    frame = camera(100, 120)
    (crop,) = (p for p in plan(frame) if p.slot == Slot.REGION)
    top, left, rows, columns = region(SITE, frame.samples.shape)
    content = content_of(crop, frame, OUTPUTS, TerrainPolicy())
    assert np.array_equal(content, frame.samples[top : top + rows, left : left + columns])


def test_strange_spectra_are_those_of_the_anomalies():
    cube = (np.arange(5 * 6 * 7) % 911).astype(np.uint16).reshape(5, 6, 7)
    frame = Frame("m3", SensorKind.CUBE, 0, Instant(1, 2), cube)
    strange = tuple(
        Finding(Kind.ANOMALY, row=row, column=column) for row, column in ((5, 0), (2, 6))
    )
    (spectra,) = (p for p in plan(frame, findings=strange) if p.slot == Slot.SPECTRA)
    content = content_of(spectra, frame, OUTPUTS, None)
    assert np.array_equal(content, np.stack([cube[:, 5, 0], cube[:, 2, 6]], axis=1))
    assert content.nbytes == spectra.raw_bytes


def test_a_product_is_not_made_from_what_is_not_there():
    whole = Plan(Slot.FRAME, ProductKind.FRAME, CodecId.IMAGE, 1)
    with pytest.raises(ValueError, match="frame is not there"):
        content_of(whole, None, OUTPUTS, None)
    with pytest.raises(ValueError, match="draws no map"):
        content_of(replace(whole, slot=Slot.MAP, place=(1, 2)), camera(), OUTPUTS, XrfPolicy())


def test_a_frame_of_one_tile_has_its_region_cut_out():
    kinds = [product.kind for product in plan(camera(100, 120))]
    assert kinds[-2:] == [ProductKind.REGION, ProductKind.FRAME]


def test_an_allowed_error_is_the_planned_frames_and_no_others():
    (whole,) = (p for p in plan(camera(), maximum_error=2) if p.kind is ProductKind.FRAME)
    assert whole.maximum_error == 2
    decision = Decision(4, Verdict.SITE_CHOSEN, True, True, (SITE,), 2)
    entry = enter(GENESIS, make_step(), decision)
    planned = ProductId(10, entry.step.boot, entry.step.first_product + Slot.FRAME)
    assert allowed_error(entry, planned) == 2
    assert allowed_error(entry, sent_ahead(planned)) == 0
    assert allowed_error(entry, replace(planned, boot=entry.step.boot + 1)) == 0


@pytest.mark.parametrize("place", [(0, 0), (199, 299), (100, 150)])
def test_a_region_lies_inside_its_frame(place: tuple[int, int]):
    top, left, rows, columns = region(Finding(Kind.SAFE_SITE, *place, extent=30), (200, 300))
    assert 0 <= top <= 200 - rows
    assert 0 <= left <= 300 - columns
    assert rows == columns == 120


def test_outputs_of_the_wrong_shape_are_no_answer():
    wrong = (np.zeros((3, 3), np.int8),)
    (finding,) = conclude(camera(), wrong, 0, TerrainPolicy())
    assert (finding.kind, finding.label) == (Kind.NO_ANSWER, NoAnswer.MODEL_REFUSED)
    (finding,) = conclude(camera(), OUTPUTS, NoAnswer.LATE, TerrainPolicy())
    assert finding.label == NoAnswer.LATE
    (finding,) = conclude(camera(), OUTPUTS, 0, None)
    assert finding.label == NoAnswer.MODEL_REFUSED


@pytest.mark.parametrize(
    "policy",
    [TerrainPolicy(hazard_threshold=-7), XrfPolicy(), DecisionPolicy(keep_anomalous=False)],
)
def test_a_policy_comes_back_from_its_integers(policy: object):
    assert policy_from(type(policy), policy_integers(policy)) == policy


def test_integers_that_are_no_policy_are_a_wire_error():
    for integers in ((), (1,), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)):
        for cls in (MineralPolicy, DecisionPolicy, XrfPolicy):
            with pytest.raises(WireError):
                policy_from(cls, integers)


def test_there_is_one_task_a_kind_of_sensor_that_stands_alone():
    alone = set(SensorKind) - {SensorKind.RANGE}
    assert {task.kind for task in TASKS.values()} == alone
