from argparse import Namespace

import pytest

from flight.autonomy.tasks import TASKS
from tools.bench import models


def test_each_models_path_is_timed_beside_its_bare_interpreter():
    figures = models.run(Namespace(rounds=1, round_ms=0.1))
    assert set(figures["models"]) == set(TASKS)
    for path in figures["models"].values():
        assert path["pipeline_over_invoke"] > 0
        assert set(path["us"]) == {"prepare", "invoke", "findings", "pipeline"}
    assert figures["models"]["mineral"]["batch"] == 256
    assert figures["mineral_spectra_per_s"]["int8"] > 0


def test_the_numpy_network_says_what_the_file_says():
    pytest.importorskip("ai_edge_litert", reason="needs the extra [train]")
    import numpy as np

    from flight.autonomy.tasks import prepare
    from flight.board.card import read_card, read_model
    from flight.board.runtime import load
    from models.int8.floats import forward_of

    card = read_card(models.MODELS / "mineral")
    data = read_model(models.MODELS / "mineral", card.digest)
    tensor = prepare("mineral", models.frames()["mineral"])
    real = (tensor.astype(np.float32) - card.input.zero_point) * np.float32(card.input.scale)
    pairs = zip(load(data).invoke(tensor), forward_of(data)(real), card.outputs, strict=True)
    for told, found, output in pairs:
        steps = np.clip(np.rint(found / output.scale) + output.zero_point, -128, 127)
        assert np.abs(steps - told).mean() < 1
