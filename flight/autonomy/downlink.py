"""What of one step goes home, and in which order: the most valuable bytes first.

Priority 0 the decision; 1 a coarse picture and the map; 2 the evidence (the model's raw outputs,
which replay needs, the region round the site, the strange spectra); 3 the whole frame where the
decision keeps it. Pure: a restart plans the same products with the same numbers.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.tasks import Policy, class_map
from flight.product.codecs import CodecId
from flight.product.journal import JournalEntry, as_samples
from flight.product.part import CODEC_BYTES, ProductKind
from flight.product.values import Finding, Frame, Kind, Samples, SensorKind, Tensor

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

_FRAME_CODECS = {
    SensorKind.CAMERA: CodecId.IMAGE,
    SensorKind.CUBE: CodecId.CUBE,
    SensorKind.XRAY: CodecId.SPECTRA,
}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One product to be made: what it is, how it is packed, and from what."""

    slot: int
    """Which of the step's product numbers it has, whatever else is planned."""
    kind: ProductKind
    codec: int
    content: Content
    """Bytes for CODEC_BYTES, else the array."""
    part_lines: int = 32
    """Lines of a cube in one part."""
    tile: int = 256
    """Rows and columns of an image in one part."""


def plan_products(
    entry: JournalEntry, frame: Frame | None, outputs: tuple[Tensor, ...], policy: Policy | None
) -> tuple[Plan, ...]:
    """Return the products of one step, most valuable first.

    Without ``frame`` (its pixels did not outlive a restart) what needs pixels is left out.
    """
    plans = [Plan(0, ProductKind.DECISION, CODEC_BYTES, entry.encode())]
    if frame is not None and frame.kind is SensorKind.CAMERA:
        plans.append(Plan(1, ProductKind.THUMBNAIL, CodecId.IMAGE, thumbnail(frame.samples)))
    if outputs and policy is not None:
        drawn = class_map(entry.step.frame.shape, outputs, policy)
        if drawn is not None:
            camera = entry.step.kind is SensorKind.CAMERA
            kind = ProductKind.HAZARD_MAP if camera else ProductKind.CLASS_MAP
            plans.append(Plan(2, kind, CodecId.CLASS_MAP, drawn))
    if frame is not None and frame.kind is SensorKind.XRAY:
        plans.append(Plan(3, ProductKind.XRAY_SPECTRUM, CodecId.SPECTRA, frame.samples))
    plans += [
        Plan(4 + index, ProductKind.OUTPUTS, CodecId.TENSOR, output)
        for index, output in enumerate(outputs[:_MOST_OUTPUTS])
    ]
    if frame is not None and entry.decision.keep_evidence:
        plans += _evidence(frame, entry.decision.findings)
    if frame is not None and entry.decision.keep_frame and frame.kind is not SensorKind.XRAY:
        plans.append(whole_frame(frame))
    return tuple(plans)


def whole_frame(frame: Frame) -> Plan:
    """Return the plan that sends a frame bit for bit."""
    samples = frame.samples
    line_bytes = samples.nbytes // samples.shape[1] if frame.kind is SensorKind.CUBE else 1
    return Plan(
        14,
        ProductKind.FRAME,
        _FRAME_CODECS[frame.kind],
        samples,
        part_lines=max(1, min(32, PART_RAW_BYTES // line_bytes)),
        tile=256 if samples.dtype.itemsize == 1 else 176,
    )


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


def _evidence(frame: Frame, findings: tuple[Finding, ...]) -> list[Plan]:
    if frame.kind is SensorKind.CAMERA:
        site = next((f for f in findings if f.kind is Kind.SAFE_SITE), None)
        if site is None:
            return []
        top, left, rows, columns = region(site, frame.samples.shape)
        crop = frame.samples[top : top + rows, left : left + columns]
        return [Plan(12, ProductKind.REGION, CodecId.IMAGE, np.ascontiguousarray(crop))]
    if frame.kind is SensorKind.CUBE:
        strange = [(f.row, f.column) for f in findings if f.kind is Kind.ANOMALY]
        if not strange:
            return []
        lines, samples = zip(*strange, strict=True)
        spectra: NDArray[np.uint16] = frame.samples[:, lines, samples].astype(np.uint16)
        return [Plan(13, ProductKind.SPECTRA, CodecId.RAW, spectra)]
    return []
