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
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.sample import PICTURE, TELEMETRY
from flight.autonomy.tasks import Policy, class_map
from flight.product.codecs import CodecId, Encoded, cut_even
from flight.product.journal import JournalEntry, as_samples
from flight.product.part import CODEC_BYTES, ProductId, ProductKind
from flight.product.values import Decision, Finding, Frame, Kind, Samples, SensorKind, Tensor

Content: TypeAlias = bytes | Samples | Tensor

THUMBNAIL_SIDE = 100
"""Longest side of a thumbnail in pixels."""
REGION_LEAST, REGION_MOST = 64, 160
"""Side of the square cut out round a site, in pixels."""
PART_RAW_BYTES = 1 << 16
"""Samples in one part before packing, so that a bundle fits an LTP block of 64 to 100 kB."""
PRODUCTS_A_STEP = 16
"""Product numbers set aside for each step: a product's number is the step's first plus its slot."""
_MOST_OUTPUTS = 8


class Slot(IntEnum):
    """Which of its step's product numbers a product has, whatever else is planned."""

    DECISION = 0
    THUMBNAIL = 1
    MAP = 2
    CURVES = 3
    """An X-ray spectrum, or a sample's telemetry."""
    FIRST_OUTPUT = 4
    """The others follow."""
    REGION = 12
    SPECTRA = 13
    FRAME = 14
    RANGE = 15


_FRAME_CODECS = {
    SensorKind.CAMERA: CodecId.IMAGE,
    SensorKind.CUBE: CodecId.CUBE,
    SensorKind.XRAY: CodecId.SPECTRA,
    SensorKind.RANGE: CodecId.IMAGE,
    SensorKind.SAMPLE: CodecId.IMAGE,
}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One product to be made: what it is, how it is packed, and from what."""

    slot: int
    """A Slot, or a later output's."""
    kind: ProductKind
    codec: int
    content: Content
    """Bytes for CODEC_BYTES, else the array."""
    part_lines: int = 32
    """Lines of a cube in one part."""
    tile: int = 256
    """Rows and columns of an image in one part."""
    maximum_error: int = 0
    """Largest error of a sample; 0: lossless."""
    ahead: tuple[int, ...] = ()
    """Indices of the parts that are evidence and go ahead, as a product of their own."""


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
    plans = [Plan(Slot.DECISION, ProductKind.DECISION, CODEC_BYTES, entry.encode())]
    picture = None if frame is None else _picture(frame)
    if picture is not None:
        small = thumbnail(picture)
        plans.append(Plan(Slot.THUMBNAIL, ProductKind.THUMBNAIL, CodecId.IMAGE, small))
    if outputs and policy is not None:
        drawn = class_map(entry.step.frame.shape, outputs, policy)
        if drawn is not None:
            camera = entry.step.kind is SensorKind.CAMERA
            kind = ProductKind.HAZARD_MAP if camera else ProductKind.CLASS_MAP
            plans.append(Plan(Slot.MAP, kind, CodecId.CLASS_MAP, drawn))
    if frame is not None and frame.kind is SensorKind.XRAY:
        plans.append(Plan(Slot.CURVES, ProductKind.XRAY_SPECTRUM, CodecId.SPECTRA, frame.samples))
    if frame is not None and frame.kind is SensorKind.SAMPLE:
        rows = frame.samples[TELEMETRY]
        plans.append(Plan(Slot.CURVES, ProductKind.TELEMETRY, CodecId.RAW, rows))
    plans += [
        Plan(Slot.FIRST_OUTPUT + index, ProductKind.OUTPUTS, CodecId.TENSOR, output)
        for index, output in enumerate(outputs[:_MOST_OUTPUTS])
    ]
    if frame is not None:
        plans += _pixels(frame, entry.decision)
    # Where the link has no room for a lossless frame, a second one stays aboard.
    if companion is not None and entry.decision.keep_frame and not entry.decision.maximum_error:
        plans.append(whole_frame(companion))
    return tuple(plans)


def whole_frame(frame: Frame, *, maximum_error: int = 0) -> Plan:
    """Return the plan that sends a frame, bit for bit unless an error is allowed."""
    samples = frame.samples
    line_bytes = samples.nbytes // samples.shape[1] if frame.kind is SensorKind.CUBE else 1
    ranges = frame.kind is SensorKind.RANGE
    return Plan(
        Slot.RANGE if ranges else Slot.FRAME,
        ProductKind.RANGE if ranges else ProductKind.FRAME,
        _FRAME_CODECS[frame.kind],
        samples,
        part_lines=max(1, min(32, PART_RAW_BYTES // line_bytes)),
        tile=256 if samples.dtype.itemsize == 1 else 176,
        # In a sample's telemetry 0 means lost: a value near it must not become it.
        maximum_error=0 if frame.kind is SensorKind.SAMPLE else maximum_error,
    )


def shares(plan: Plan, parts: Sequence[Encoded]) -> tuple[tuple[Plan, tuple[Encoded, ...]], ...]:
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


def thumbnail(samples: Samples) -> Samples:
    """Return the image averaged over square blocks, at most THUMBNAIL_SIDE pixels a side."""
    rows, columns = samples.shape
    block = max(1, -(-max(rows, columns) // THUMBNAIL_SIDE))
    if block == 1 or rows < block or columns < block:
        return samples
    whole = samples[: rows // block * block, : columns // block * block].astype(np.uint32)
    blocks = whole.reshape(rows // block, block, columns // block, block)
    means: NDArray[np.uint32] = blocks.sum(axis=(1, 3), dtype=np.uint32) // (block * block)
    return as_samples(means, samples.dtype.itemsize)


def region(finding: Finding, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (top, left, rows, columns) of the square that shows a site, inside the frame."""
    side = min(max(4 * finding.extent, REGION_LEAST), REGION_MOST, *shape)
    top = min(max(finding.row - side // 2, 0), shape[0] - side)
    left = min(max(finding.column - side // 2, 0), shape[1] - side)
    return top, left, side, side


def _picture(frame: Frame) -> Samples | None:
    """Return what of a frame a thumbnail shows; None: nothing."""
    if frame.kind is SensorKind.CAMERA:
        return frame.samples
    picture = frame.samples[PICTURE] if frame.kind is SensorKind.SAMPLE else None
    return picture if picture is not None and picture.size else None


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
    top, left, rows, columns = region(site, frame.samples.shape)
    crop = np.ascontiguousarray(frame.samples[top : top + rows, left : left + columns])
    return Plan(Slot.REGION, ProductKind.REGION, CodecId.IMAGE, crop)


def _strange_spectra(frame: Frame, findings: tuple[Finding, ...]) -> list[Plan]:
    strange = [(f.row, f.column) for f in findings if f.kind is Kind.ANOMALY]
    if not strange:
        return []
    lines, samples = zip(*strange, strict=True)
    spectra: NDArray[np.uint16] = frame.samples[:, lines, samples].astype(np.uint16)
    return [Plan(Slot.SPECTRA, ProductKind.SPECTRA, CodecId.RAW, spectra)]
