"""One card a frame: its picture with what was found on it, and what was decided."""

import numpy as np

from flight.autonomy.contrast import square
from flight.autonomy.terrain import Ground
from flight.autonomy.xray import LINES as XRAY_LINES
from flight.product.codecs import Decoded
from flight.product.errors import WireError
from flight.product.journal import JournalEntry
from flight.product.part import Header, ProductKind
from flight.product.values import Kind, SensorKind
from ground.library import Library
from ground.pictures.values import clusters
from ground.report.charts import Label, Line, curve_chart
from ground.report.images import colour_image, grey_image
from ground.report.markup import Child, Html, join, tag
from ground.report.samples import sample_pictures
from ground.soils import comparison_rows
from ground.subject import Subject
from ground.times import utc
from ground.words import decision_words, element_name, finding_words, phase_name, ranges

PHASE_COLOURS = (
    (201, 206, 214),
    (204, 102, 119),
    (136, 34, 85),
    (153, 153, 51),
    (136, 204, 238),
    (68, 170, 153),
)
"""By Phase number, as in ground.pictures.style."""
LINES_END_KEV = 10.0
MOST_CURVES = 8
MOST_FINDINGS = 9


def frame_card(library: Library, header: Header, entry: JournalEntry) -> Html:
    """Return the card of one step."""
    pictures = {
        SensorKind.CAMERA: _camera,
        SensorKind.CUBE: _cube,
        SensorKind.XRAY: _xray,
        SensorKind.SAMPLE: _sample,
    }[entry.step.kind](library, header, entry)
    decision = entry.decision
    compared = _comparison(comparison_rows(decision.findings))
    told = [f for f in decision.findings if f.kind is not Kind.OXIDE]  # those stand in the table
    findings = [tag("li", finding_words(finding)) for finding in told[:MOST_FINDINGS]]
    more = len(told) - MOST_FINDINGS
    if more > 0:
        findings.append(tag("li", f"and {more} more", class_="quiet"))
    title = f"{entry.step.sensor} frame {entry.step.frame_number}"
    return tag(
        "article",
        pictures,
        tag("h3", title, tag("span", f"step {entry.step.number}", class_="quiet")),
        tag("p", tag("b", decision_words(decision), class_=f"verdict v{int(decision.verdict)}")),
        *compared,
        tag("ul", *findings),
        tag("p", f"{utc(entry.step.taken.dtn_ms)}  {entry.step.frame_name}", class_="quiet small"),
        class_="card",
    )


def _about(
    library: Library, header: Header, entry: JournalEntry, kind: ProductKind
) -> Subject | None:
    """Return a product of the frame, ready to be drawn; None where it is not to be had."""
    row = library.of_frame(header, kind)
    if row is None:
        return None
    try:
        array = library.read(row.header.id).array
    except WireError:
        return None
    if array is None or not array.samples.size:
        return None
    return Subject(library, row.header, array, entry)


def _camera(library: Library, header: Header, entry: JournalEntry) -> Html:
    shape = entry.step.frame.shape
    if len(shape) != 2 or min(shape) < 1:
        return _absent("a frame of an odd shape")
    frame = _about(library, header, entry, ProductKind.FRAME) or _about(
        library, header, entry, ProductKind.THUMBNAIL
    )
    hazards = _about(library, header, entry, ProductKind.HAZARD_MAP)
    layers: list[Child] = []
    if frame is not None and frame.array.samples.ndim == 2:
        layers.append(grey_image(frame.view(frame.array)))
    if hazards is not None and hazards.array.samples.ndim == 2:
        layers.append(tag("g", _hazards(hazards, (shape[0], shape[1])), class_="overlay"))
    if not layers:
        return _absent("no picture that can be read has arrived")
    site = hazards.site if hazards else (frame.site if frame else None)
    if site is not None:
        radius = max(site.radius, 1)
        circles = (
            tag("circle", class_=name, cx=site.column, cy=site.row, r=radius, fill="none")
            for name in ("halo", "ring")
        )
        layers.append(tag("g", *circles, class_="overlay"))
    return tag(
        "svg",
        *layers,
        viewBox=f"0 0 {shape[1]} {shape[0]}",
        class_="picture",
        role="img",
        style=f"--pixel:{max(shape) / 400:.3f}px",
    )


def _hazards(about: Subject, shape: tuple[int, int]) -> Html:
    array, (top, left, side) = about.array, square(shape)
    hazard = array.samples == Ground.HAZARD
    colours = np.zeros((*array.samples.shape, 4), np.uint8)
    colours[array.samples == Ground.SHADOW] = (38, 140, 242, 120)
    colours[hazard] = (213, 94, 0, 0)
    colours[hazard, 3] = 190 * about.hazard_strength(hazard)[hazard]
    colours[array.samples == Ground.FORBIDDEN] = (204, 121, 167, 125)
    colours[~array.present] = (128, 128, 128, 150)
    return colour_image(colours, (left - 0.5, left + side - 0.5, top + side - 0.5, top - 0.5))


def _cube(library: Library, header: Header, entry: JournalEntry) -> Html:
    pieces: list[Child] = []
    classes = _about(library, header, entry, ProductKind.CLASS_MAP)
    frame = _about(library, header, entry, ProductKind.FRAME)
    panels: list[Html] = []
    if frame is not None and frame.array.samples.ndim == 3:
        panels.append(_panel(grey_image(frame.brightness(frame.array)), frame))
    if classes is not None and classes.array.samples.ndim == 2:
        panels.append(_panel(_classes(classes.array), classes))
        pieces.append(tag("p", *_class_keys(classes.array), class_="legend"))
    if panels:
        pieces.insert(0, tag("div", *panels, class_="panels"))
    spectra = _about(library, header, entry, ProductKind.SPECTRA)
    if spectra is not None and spectra.array.samples.ndim == 2:
        pieces.append(_spectra(spectra))
    return join(pieces) if pieces else _absent("no picture that can be read has arrived")


def _panel(image: Html, about: Subject) -> Html:
    rows, columns = about.array.samples.shape[-2:]
    marks = []
    reach = max(1, round(max(rows, columns) * 0.06))
    for cluster in clusters(about.findings(Kind.ANOMALY), reach=reach):
        box = tag(
            "rect",
            class_="box",
            x=cluster.left - 1,
            y=cluster.top - 1,
            width=cluster.right - cluster.left + 3,
            height=cluster.bottom - cluster.top + 3,
        )
        name = ranges(cluster.ranks)
        marks += [box, tag("text", name, x=cluster.right + 2.6, y=cluster.top + 1, class_="boxed")]
    return tag(
        "svg",
        image,
        tag("g", *marks, class_="overlay"),
        viewBox=f"0 0 {columns} {rows}",
        class_="picture",
        role="img",
        style=f"--pixel:{max(rows, columns) / 260:.3f}px",
    )


def _classes(array: Decoded) -> Html:
    palette = np.array([(*colour, 255) for colour in PHASE_COLOURS], np.uint8)
    known = np.where(array.samples < len(palette), array.samples, 0)
    colours = palette[known]
    colours[~array.present] = (128, 128, 128, 60)
    rows, columns = array.samples.shape
    return colour_image(colours, (-0.5, columns - 0.5, rows - 0.5, -0.5))


def _class_keys(array: Decoded) -> list[Html]:
    total = max(int(array.present.sum()), 1)
    keys = []
    for phase, colour in enumerate(PHASE_COLOURS):
        share = int(((array.samples == phase) & array.present).sum()) / total
        if share:
            swatch = tag("i", "", class_="key", style="background:rgb({},{},{})".format(*colour))
            keys.append(tag("span", swatch, f"{phase_name(phase)} {100 * share:.0f} %"))
    return keys


def _spectra(about: Subject) -> Html:
    entry = about.entry
    array, unit = about.array, (entry.step.unit_counts if entry else 0)
    bands = array.samples.shape[0]
    known = len(about.axis) == bands
    x = np.array(about.axis, np.float64) / 1e3 if known else np.arange(bands, dtype=np.float64)
    anomalies = about.findings(Kind.ANOMALY)
    lines = []
    for index in range(min(array.samples.shape[1], MOST_CURVES)):
        values = array.samples[:, index].astype(np.float64) / (unit or 1)
        y = np.where(array.present[:, index], values, np.nan)
        name = f"spectrum {index + 1}"
        if index < len(anomalies):
            name = f"{index + 1}: line {anomalies[index].row}, sample {anomalies[index].column}"
        lines.append(Line(x, y, name))
    return curve_chart(
        lines,
        x_name="wavelength / nm" if known else "band number",
        y_name="reflectance" if unit else "counts",
    )


def _xray(library: Library, header: Header, entry: JournalEntry) -> Html:
    about = _about(library, header, entry, ProductKind.XRAY_SPECTRUM)
    if about is None or about.array.samples.ndim != 1:
        return _absent("the spectrum has not arrived")
    counts = about.array.samples.astype(np.float64)
    known = len(about.axis) == 2 and about.axis[1] > 0
    offset, gain = about.axis if known else (0, 1)
    energy = (offset + gain * np.arange(len(counts))) / (1e6 if known else 1.0)
    energies = {line.element: line.energy_ev / 1000 for line in XRAY_LINES}
    metals = {f.label for f in about.findings(Kind.METAL)}
    found = {f.label for f in about.findings(Kind.ELEMENT)} | metals
    labels = []
    for element in sorted(found & energies.keys()) if known else ():
        near = counts[np.abs(energy - energies[element]) < 0.09]
        top = float(near.max(initial=1))
        labels.append(Label(energies[element], top, element_name(element), element in metals))
    return curve_chart(
        [Line(energy, counts, "counts")],
        x_name="energy / keV" if known else "channel",
        y_name="counts a channel",
        labels=labels,
        logarithmic=True,
        x_end=LINES_END_KEV if known else None,
    )


def _comparison(rows: list[tuple[str, ...]]) -> list[Html]:
    """Return oxides beside the nearest returned soils, as a table; nothing for no rows."""
    if not rows:
        return []
    head = tag("tr", *(tag("th", cell) for cell in rows[0]))
    body = (tag("tr", *(tag("td", cell, class_="t") for cell in row)) for row in rows[1:])
    words = "Oxides with 1 sigma beside the nearest of the returned soils, in mass percent."
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return [tag("p", words, class_="quiet small"), table]


def _sample(library: Library, header: Header, entry: JournalEntry) -> Html:
    picture = _about(library, header, entry, ProductKind.FRAME) or _about(
        library, header, entry, ProductKind.THUMBNAIL
    )
    telemetry = _about(library, header, entry, ProductKind.TELEMETRY)
    pieces = sample_pictures(picture, telemetry)
    return join(pieces) if pieces else _absent("no picture that can be read has arrived")


def _absent(what: str) -> Html:
    return tag("div", what, class_="absent")
