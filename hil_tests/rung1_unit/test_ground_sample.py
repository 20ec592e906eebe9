"""A sampling attempt's way home: decided again, told in words, drawn, reported."""

from pathlib import Path

import numpy as np
import pytest

from flight.product.part import ProductKind
from flight.product.values import Finding, Kind, Verdict
from ground.archive import open_archive
from ground.library import Library
from ground.pictures.telemetry import in_units
from ground.replay import Outcome, replay
from ground.report.page import write_report
from ground.rows import Filter
from ground.show import show
from ground.words import finding_words, verdict_name
from tools.sim.downlink import Board
from tools.sim.exposures import sample

EXPOSURES = [sample(number) for number in range(3)]


def keep(folder: Path) -> None:
    board = Board()
    arrivals = board.start()
    for exposure in EXPOSURES:
        arrivals += board.expose(exposure)
    with open_archive(folder, make=True) as archive:
        archive.keep(tuple(arrivals))


def products(archive: object, kind: ProductKind) -> list[object]:
    return [row.header.id for row in archive.products(Filter(kinds=frozenset((kind,))))]


def test_every_verdict_is_repeated_bit_for_bit(tmp_path: Path) -> None:
    keep(tmp_path)
    with open_archive(tmp_path) as archive:
        result = replay(Library(archive))
    assert result.identical
    assert result.count(Outcome.AGREES) == len(EXPOSURES)


def test_the_telemetry_arrives_as_the_sensors_gave_it(tmp_path: Path) -> None:
    keep(tmp_path)
    with open_archive(tmp_path) as archive:
        library = Library(archive)
        found = [library.read(p).array for p in products(archive, ProductKind.TELEMETRY)]
    assert len(found) == len(EXPOSURES)
    for array, exposure in zip(found, EXPOSURES, strict=True):
        assert array is not None
        assert np.array_equal(array.samples, exposure.frame.samples[-11:])


@pytest.mark.parametrize("kind", [ProductKind.FRAME, ProductKind.TELEMETRY, ProductKind.THUMBNAIL])
def test_frame_telemetry_and_thumbnail_are_drawn(kind: ProductKind, tmp_path: Path) -> None:
    keep(tmp_path)
    with open_archive(tmp_path) as archive:
        library = Library(archive)
        shown = show(library, products(archive, kind)[0], tmp_path / "pictures")
    assert shown.picture is not None
    assert shown.picture.stat().st_size > 10_000


def test_the_report_has_a_card_for_each_attempt(tmp_path: Path) -> None:
    keep(tmp_path)
    out = tmp_path / "report.html"
    with open_archive(tmp_path) as archive:
        write_report(archive, out, title="Run", progress=lambda _done, _total: None)
    text = out.read_text(encoding="utf-8")
    assert text.count("canister frame") >= len(EXPOSURES)
    assert "lid gap A" in text
    assert "closing force" in text


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (Finding(Kind.SEALED, score=90), "canister shut and tight"),
        (Finding(Kind.SEAL_OBSTRUCTED), "holds it off the seal"),
        (Finding(Kind.JAM), "jammed"),
        (Finding(Kind.ACQUIRED, label=2), "100 to 200 g"),
        (Finding(Kind.ACQUIRED, label=4), "more than 300 g"),
        (Finding(Kind.ACQUIRED, label=99), "more than 300 g"),
        (Finding(Kind.NOT_ACQUIRED), "less than 20 g"),
        (Finding(Kind.SPILL), "beside the canister"),
    ],
)
def test_each_finding_reads_as_a_sentence(finding: Finding, words: str) -> None:
    assert words in finding_words(finding)


def test_verdicts_read_as_words() -> None:
    assert verdict_name(Verdict.SAMPLE_SEALED) == "sample sealed"
    assert verdict_name(Verdict.SAMPLE_FAULT) == "sample fault"


def test_lost_values_are_no_values() -> None:
    values = in_units(np.zeros((11, 4), np.uint16))
    assert np.isnan(values).all()
