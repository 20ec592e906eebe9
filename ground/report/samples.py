"""What the page shows of a sampling attempt: the canister, and the courses that decide."""

import numpy as np

from flight.autonomy.sample import CHANNELS, FORCE, GAP_A, GAP_B, PICTURE
from flight.product.part import ProductKind
from ground.pictures.telemetry import chart_lines, in_units, is_telemetry
from ground.pictures.values import View
from ground.report.charts import Line, curve_chart
from ground.report.images import grey_image
from ground.report.markup import Html, tag
from ground.subject import Subject

CHARTS = ((GAP_A, GAP_B), (FORCE,), (4,))
"""The lid's gaps, the closing force, the canister's mass: a chart each."""


def sample_pictures(picture: Subject | None, telemetry: Subject | None) -> list[Html]:
    """Return the picture and the charts of what of a sample frame is here."""
    pieces = []
    if picture is not None and picture.array.samples.ndim == 2:
        pieces.append(_canister(picture))
    if telemetry is not None and is_telemetry(telemetry.array.samples):
        array = telemetry.array
        values = in_units(np.where(array.present, array.samples, 0))
        time = np.arange(values.shape[1], dtype=np.float64)
        for channels in CHARTS:
            lines = [Line(time, course, name) for name, course in chart_lines(values, channels)]
            unit = CHANNELS[channels[0]].unit
            name = f"{lines[0].name} / {unit}" if len(lines) == 1 else unit
            pieces.append(curve_chart(lines, x_name="time step", y_name=name))
    return pieces


def _canister(picture: Subject) -> Html:
    array = picture.array
    whole = picture.header.kind is ProductKind.FRAME
    view = View(array.samples[PICTURE], array.present[PICTURE]) if whole else None
    shown = view or picture.view(array)
    left, right, bottom, top = shown.extent
    box = f"{left + 0.5} {top + 0.5} {right - left} {bottom - top}"
    return tag("svg", grey_image(shown), viewBox=box, class_="picture", role="img")
