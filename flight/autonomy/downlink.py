"""What of one step goes home, and in which order: the most valuable bytes first.

Priority 0 the decision; 1 a coarse picture and the map; 2 the evidence (the model's raw outputs,
which replay needs, the region round the site, the strange spectra, a sample's telemetry); 3 the
rest of the frame, where the decision keeps it, as exact as the decision's budget allows. The tiles
that show the site are evidence, and go ahead of the frame's others instead of being sent twice.
Pure: a restart plans the same products with the same numbers.

The thumbnail is not the coarse levels of the frame's own progressive coding: on 12 NAC images
that costs 0.8 % more bytes in all than tiles and a thumbnail of means, which is 30 % smaller.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

import numpy as np

from flight.autonomy.plan import MOST_OUTPUTS, Plan, Slot, thumbnail_shape
from flight.autonomy.sample import CHANNELS
from flight.autonomy.tasks import Policy, map_shape
from flight.product.codecs import CodecId, cut_even
from flight.product.journal import JournalEntry
from flight.product.part import CODEC_BYTES, ProductId, ProductKind
from flight.product.values import Decision, Finding, Frame, Kind, SensorKind, Tensor

PartT = TypeVar("PartT")

REGION_LEAST, REGION_MOST = 64, 160
"""Side of the square cut out round a site, in pixels."""
PART_RAW_BYTES = 1 << 16
"""Samples in one part before packing, so that a bundle fits an LTP block of 64 to 100 kB."""
PRODUCTS_A_STEP = 16
"""Product numbers set aside for each step: a product's number is the step's first plus its slot."""


_FRAME_CODECS = {
    SensorKind.CAMERA: CodecId.IMAGE,
    SensorKind.CUBE: CodecId.CUBE,
    SensorKind.XRAY: CodecId.SPECTRA,
    SensorKind.RANGE: CodecId.IMAGE,
    SensorKind.SAMPLE: CodecId.IMAGE,
}


def plan_products(
    entry: JournalEntry,
    frame: Frame | None,
    outputs: tuple[Tensor, ...],
    policy: Policy | None,
    companion: Frame | None = None,
) -> tuple[Plan, ...]:
    """Return the products of one step, most valuable first.

    ``companion`` is the frame of the sensor beside the frame's. Without ``frame`` (its pixels did
    not outlive a restart) what needs pixels is left out; so it is with the companion's.
    """
    plans = [record_plan(ProductKind.DECISION, entry.encode())]
    width = 1 if frame is None else frame.samples.dtype.itemsize
    shape = None if frame is None else _picture_shape(frame)
    if shape is not None:
        small = prod(thumbnail_shape(shape)) * width
        plans.append(Plan(Slot.THUMBNAIL, ProductKind.THUMBNAIL, CodecId.IMAGE, small))
    drawn = map_shape(entry.step.frame.shape, policy) if outputs else None
    if drawn is not None:
        camera = entry.step.kind is SensorKind.CAMERA
        kind = ProductKind.HAZARD_MAP if camera else ProductKind.CLASS_MAP
        place = entry.step.frame.shape
        plans.append(Plan(Slot.MAP, kind, CodecId.CLASS_MAP, prod(drawn), place=place))
    if frame is not None and frame.kind is SensorKind.XRAY:
        size = frame.samples.nbytes
        plans.append(Plan(Slot.CURVES, ProductKind.XRAY_SPECTRUM, CodecId.SPECTRA, size))
    if frame is not None and frame.kind is SensorKind.SAMPLE:
        size = len(CHANNELS) * frame.samples.shape[1] * width
        plans.append(Plan(Slot.CURVES, ProductKind.TELEMETRY, CodecId.RAW, size))
    plans += [
        Plan(Slot.FIRST_OUTPUT + index, ProductKind.OUTPUTS, CodecId.TENSOR, output.nbytes)
        for index, output in enumerate(outputs[:MOST_OUTPUTS])
    ]
    if frame is not None:
        plans += _pixels(frame, entry.decision)
    # Where the link has no room for a lossless frame, a second one stays aboard.
    if companion is not None and entry.decision.keep_frame and not entry.decision.maximum_error:
        plans.append(whole_frame(companion))
    return tuple(plans)


def record_plan(kind: ProductKind, record: bytes) -> Plan:
    """Return the plan of a product that is a record."""
    return Plan(Slot.DECISION, kind, CODEC_BYTES, 0, record)


def whole_frame(frame: Frame, *, maximum_error: int = 0) -> Plan:
    """Return the plan that sends a frame, bit for bit unless an error is allowed."""
    samples = frame.samples
    line_bytes = samples.nbytes // samples.shape[1] if frame.kind is SensorKind.CUBE else 1
    ranges = frame.kind is SensorKind.RANGE
    return Plan(
        Slot.RANGE if ranges else Slot.FRAME,
        ProductKind.RANGE if ranges else ProductKind.FRAME,
        _FRAME_CODECS[frame.kind],
        samples.nbytes,
        part_lines=max(1, min(32, PART_RAW_BYTES // line_bytes)),
        tile=256 if samples.dtype.itemsize == 1 else 176,
        # In a sample's telemetry 0 means lost: a value near it must not become it.
        maximum_error=0 if frame.kind is SensorKind.SAMPLE else maximum_error,
    )


def shares(plan: Plan, parts: Sequence[PartT]) -> tuple[tuple[Plan, tuple[PartT, ...]], ...]:
    """Return the products that a plan's parts make, each with its own parts."""
    if not plan.ahead:
        return ((plan, tuple(parts)),)
    first = tuple(parts[index] for index in plan.ahead)
    rest = tuple(part for index, part in enumerate(parts) if index not in plan.ahead)
    region = replace(plan, slot=Slot.REGION, kind=ProductKind.REGION)
    return ((region, first), (plan, rest))


def sent_ahead(frame: ProductId) -> ProductId:
    """Return the number under which parts of a whole frame may have gone ahead."""
    return replace(frame, number=frame.number - Slot.FRAME + Slot.REGION)


def allowed_error(entry: JournalEntry, product: ProductId) -> int:
    """Return the largest error of a sample in one of the frame's products; 0: lossless.

    What the ground asks for later has another number, and no error.
    """
    planned = (entry.step.boot, entry.step.first_product + Slot.FRAME)
    return entry.decision.maximum_error if (product.boot, product.number) == planned else 0


def region(finding: Finding, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (top, left, rows, columns) of the square that shows a site, inside the frame."""
    side = min(max(4 * finding.extent, REGION_LEAST), REGION_MOST, *shape)
    top = min(max(finding.row - side // 2, 0), shape[0] - side)
    left = min(max(finding.column - side // 2, 0), shape[1] - side)
    return top, left, side, side


def _picture_shape(frame: Frame) -> tuple[int, ...] | None:
    """Return the shape of what a thumbnail shows of a frame; None: nothing."""
    rows, *columns = frame.samples.shape
    if frame.kind is SensorKind.CAMERA:
        return frame.samples.shape
    shown = (rows - len(CHANNELS), *columns)
    return shown if frame.kind is SensorKind.SAMPLE and min(shown) > 0 else None


def _pixels(frame: Frame, decision: Decision) -> list[Plan]:
    """Return the evidence and, where it is kept, the frame itself."""
    plans, site = [], None
    if decision.keep_evidence and frame.kind is SensorKind.CUBE:
        plans += _strange_spectra(frame, decision.findings)
    if decision.keep_evidence and frame.kind is SensorKind.CAMERA:
        site = next((f for f in decision.findings if f.kind is Kind.SAFE_SITE), None)
    if not decision.keep_frame or frame.kind is SensorKind.XRAY:
        return plans if site is None else [*plans, _crop(frame, site)]
    whole = whole_frame(frame, maximum_error=decision.maximum_error)
    near = () if site is None else _tiles_round(site, frame.samples.shape, whole.tile)
    if site is not None and not near:
        plans.append(_crop(frame, site))
    return [*plans, replace(whole, ahead=near)]


def _tiles_round(site: Finding, shape: tuple[int, ...], tile: int) -> tuple[int, ...]:
    """Return which tiles show a site; none where that is all of them, so that none can wait."""
    tiles = tuple(cut_even(shape, (tile, tile)))
    near = tuple(i for i, one in enumerate(tiles) if _overlap(one, region(site, shape)))
    return near if len(near) < len(tiles) else ()


def _overlap(tile: tuple[slice, ...], box: tuple[int, int, int, int]) -> bool:
    top, left, rows, columns = box
    first_row, last_row = tile[0].start, tile[0].stop
    first_column, last_column = tile[1].start, tile[1].stop
    apart = (
        last_row <= top
        or top + rows <= first_row
        or last_column <= left
        or left + columns <= first_column
    )
    return not apart


def _crop(frame: Frame, site: Finding) -> Plan:
    place = region(site, frame.samples.shape)
    size = place[2] * place[3] * frame.samples.dtype.itemsize
    return Plan(Slot.REGION, ProductKind.REGION, CodecId.IMAGE, size, place=place)


def _strange_spectra(frame: Frame, findings: tuple[Finding, ...]) -> list[Plan]:
    strange = [f for f in findings if f.kind is Kind.ANOMALY]
    if not strange:
        return []
    place = (*(f.row for f in strange), *(f.column for f in strange))
    size = len(frame.samples) * len(strange) * np.dtype(np.uint16).itemsize
    return [Plan(Slot.SPECTRA, ProductKind.SPECTRA, CodecId.RAW, size, place=place)]
