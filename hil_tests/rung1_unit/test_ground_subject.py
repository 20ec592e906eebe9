"""How strongly a hazard is drawn: by the model's raw output, where it has come home."""

from pathlib import Path

import numpy as np

from flight.product.part import ProductKind, decode_part
from ground.archive import open_archive
from ground.library import Library
from ground.rows import Filter
from ground.subject import FAINTEST, Subject
from tools.sim.downlink import Board
from tools.sim.exposures import camera


def strength_of(folder: Path, *, with_outputs: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    board, exposure = Board(), camera(0)
    arrivals = [*board.start(), *board.expose(exposure)]
    if not with_outputs:
        arrivals = [
            a for a in arrivals if decode_part(a.payload).header.kind is not ProductKind.OUTPUTS
        ]
    with open_archive(folder, make=True) as archive:
        archive.keep(arrivals)
        library = Library(archive)
        (row,) = library.rows(Filter(kinds=frozenset((ProductKind.HAZARD_MAP,))))
        array = library.read(row.header.id).array
        assert array is not None
        about = Subject(library, row.header, array, library.entry_of(row.header))
        hazard = array.samples == 1
        return exposure.outputs[0][0, :, :, 0], hazard, about.hazard_strength(hazard)


def test_the_surer_the_model_the_stronger_the_hazard(tmp_path: Path) -> None:
    logits, hazard, strength = strength_of(tmp_path, with_outputs=True)
    order = np.argsort(logits[hazard], kind="stable")
    assert (np.diff(strength[hazard][order]) >= 0).all()
    assert np.isclose(strength[hazard].min(), FAINTEST)
    assert strength.max() <= 1


def test_without_the_raw_output_every_hazard_is_drawn_alike(tmp_path: Path) -> None:
    _, hazard, strength = strength_of(tmp_path, with_outputs=False)
    assert hazard.any()
    assert (strength == 1).all()
