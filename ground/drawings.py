"""Which picture a product is drawn as, and what of its frame is drawn with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from flight.autonomy.contrast import square
from flight.autonomy.downlink import region
from flight.autonomy.sample import PICTURE, TELEMETRY
from flight.autonomy.terrain import Ground
from flight.product.part import Header, ProductKind
from flight.product.values import Kind, SensorKind
from ground.content import Content
from ground.library import Library
from ground.pictures.cubes import draw_classes, draw_cube
from ground.pictures.frames import draw_frame, draw_hazards
from ground.pictures.spectra import Curve, draw_reflectance, draw_xray
from ground.pictures.style import save
from ground.pictures.telemetry import draw_telemetry, is_telemetry
from ground.pictures.values import HazardMap, View
from ground.subject import Subject
from ground.words import kind_name

MOST_CURVES = 24
"""Spectra drawn in one picture at most; the strangest come first."""


def draw(library: Library, content: Content, folder: Path) -> Path | None:
    """Write the picture of a product into a folder and return its path; None: it has none."""
    if content.array is None:
        return None
    figure = figure_of(library, content)
    if figure is None:
        return None
    return save(figure, folder / file_name(content.header))


def file_name(header: Header) -> str:
    """Return a name that is safe on any file system, whatever the link says of the sensor."""
    allowed = (c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in header.sensor[:32])
    sensor = "".join(allowed)
    return f"{header.id}-{kind_name(header.kind)}-{sensor}-{header.frame_number}.png"


def figure_of(library: Library, content: Content) -> Figure | None:
    """Return the picture of an array product; None: this kind has none, or its form is odd."""
    header, array = content.header, content.array
    draws = _DRAWS.get(header.kind)
    if draws is None or array is None or array.samples.size == 0:
        return None
    return draws(Subject(library, header, array, library.entry_of(header)))


def _draw_frame(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim == 3:
        anomalies = about.findings(Kind.ANOMALY)
        return draw_cube(about.brightness(array), about.words("Cube"), anomalies=anomalies)
    if array.samples.ndim != 2:
        return None
    if about.header.kind is ProductKind.FRAME and about.of_kind(SensorKind.SAMPLE):
        return _draw_sample(about)
    what = "Thumbnail"
    if about.header.kind is ProductKind.FRAME:
        what = f"Whole frame{about.exactness}"
    return draw_frame(
        about.view(array),
        about.words(what),
        site=about.site,
        metres_per_pixel=about.metres_per_pixel,
    )


def _draw_range(about: Subject) -> Figure | None:
    """Far is bright; what gave no echo is drawn as not there."""
    array = about.array
    if array.samples.ndim != 2:
        return None
    heard = array.present & (array.samples > 0)
    return draw_frame(View(array.samples, heard), about.words("Range image"))


def _draw_sample(about: Subject) -> Figure | None:
    array = about.array
    rows = array.samples[TELEMETRY]
    if not is_telemetry(rows) or len(array.samples) <= len(rows):
        return None
    lost = ~array.present[TELEMETRY]
    picture = View(array.samples[PICTURE], array.present[PICTURE])
    return draw_telemetry(
        np.where(lost, 0, rows), about.words("Sample, its picture and telemetry"), picture=picture
    )


def _draw_telemetry(about: Subject) -> Figure | None:
    if not is_telemetry(about.array.samples):
        return None
    picture = about.companion(ProductKind.THUMBNAIL)
    fits = picture is not None and picture.samples.ndim == 2
    return draw_telemetry(
        np.where(about.array.present, about.array.samples, 0),
        about.words("Sample telemetry"),
        picture=about.view(picture) if picture is not None and fits else None,
    )


def _draw_region(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim != 2 or not array.present.any():
        return None
    rows, columns = (np.flatnonzero(array.present.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    shown = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    sites = about.findings(Kind.SAFE_SITE)
    if about.entry is not None and sites and array.samples.shape != about.entry.step.frame.shape:
        # Cut out of the frame, not tiles of it.
        top, left, _, _ = region(sites[0], about.entry.step.frame.shape)
    return draw_frame(
        View(array.samples[shown], array.present[shown], row=top, column=left),
        about.words("Region round the safe site"),
        site=about.site,
        metres_per_pixel=about.metres_per_pixel,
    )


def _draw_hazards(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim != 2:
        return None
    frame = about.companion(ProductKind.FRAME) or about.companion(ProductKind.THUMBNAIL)
    shape = about.entry.step.frame.shape if about.entry else array.samples.shape
    if len(shape) != 2:
        return None
    top, left, side = square(shape)
    hazard = array.samples == Ground.HAZARD
    hazards = HazardMap(
        hazard=hazard,
        strength=about.hazard_strength(hazard),
        shadow=array.samples == Ground.SHADOW,
        forbidden=array.samples == Ground.FORBIDDEN,
        present=array.present,
        top=top,
        left=left,
        side=side,
    )
    return draw_hazards(
        hazards,
        about.words("Hazard map (darker: surer)"),
        frame=about.view(frame) if frame and frame.samples.ndim == 2 else None,
        shape=(shape[0], shape[1]),
        site=about.site,
        metres_per_pixel=about.metres_per_pixel,
    )


def _draw_classes(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim != 2:
        return None
    cube = about.companion(ProductKind.FRAME)
    fits = cube is not None and cube.samples.shape[1:] == array.samples.shape
    return draw_classes(
        array.samples.astype(np.uint8),
        array.present,
        about.words("Mineral classes"),
        anomalies=about.findings(Kind.ANOMALY),
        brightness=about.brightness(cube) if cube is not None and fits else None,
    )


def _draw_spectra(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim != 2:
        return None
    anomalies = about.findings(Kind.ANOMALY)
    curves = []
    for index in range(min(array.samples.shape[1], MOST_CURVES)):
        label = f"spectrum {index + 1}"
        if index < len(anomalies):
            f = anomalies[index]
            label = f"{index + 1}: line {f.row}, sample {f.column}"
        counts = np.where(array.present[:, index], array.samples[:, index], np.nan)
        curves.append(Curve(counts, label))
    unit_counts = about.entry.step.unit_counts if about.entry else 0
    words = about.words("Strangest spectra")
    return draw_reflectance(curves, words, axis_pm=about.axis, unit_counts=unit_counts)


def _draw_xray(about: Subject) -> Figure | None:
    array = about.array
    if array.samples.ndim != 1 or len(array.samples) < 2:
        return None
    words = about.words("X-ray spectrum")
    if about.entry and about.entry.step.live_ms:
        live = f"live time {about.entry.step.live_ms / 1000:.1f} s"
        words = replace(words, subtitle=f"{words.subtitle}  ·  {live}")
    findings = (*about.findings(Kind.ELEMENT), *about.findings(Kind.METAL))
    return draw_xray(array.samples, words, axis_mev=about.axis, findings=findings)


_DRAWS: dict[ProductKind, Callable[[Subject], Figure | None]] = {
    ProductKind.FRAME: _draw_frame,
    ProductKind.THUMBNAIL: _draw_frame,
    ProductKind.RANGE: _draw_range,
    ProductKind.REGION: _draw_region,
    ProductKind.HAZARD_MAP: _draw_hazards,
    ProductKind.CLASS_MAP: _draw_classes,
    ProductKind.SPECTRA: _draw_spectra,
    ProductKind.XRAY_SPECTRUM: _draw_xray,
    ProductKind.TELEMETRY: _draw_telemetry,
}
