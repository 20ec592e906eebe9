import numpy as np
import pytest

from models.mineral.examples import Examples


def loss(scores, *, visible=1.0):
    """What composition costs on a hidden or visible pyroxene of Wo 0.25 and an olivine."""
    torch = pytest.importorskip("torch", reason="needs the extra [train]")
    from models.mineral.training import composition_loss

    rows = 2
    examples = Examples(
        tensor=np.zeros((rows, 1, 80, 4), np.int8),
        target=np.zeros((rows, 5), np.float32),
        strange=np.zeros(rows, np.float32),
        shares=np.array([[1, 0, 0], [0, 1, 0]], np.float32),
        calcium=np.array([0.25, 0], np.float32),
        visible=np.full(rows, visible, np.float32),
        covered=np.ones(rows, np.bool_),
    )
    return float(composition_loss(torch.tensor(scores), examples))


TRUE = [[20.0, 0.0, 0.0, 0.0], [0.0, 20.0, 0.0, 0.0]]


def test_the_true_composition_costs_nothing_and_calcium_is_not_asked_of_olivine():
    assert loss(TRUE) < 1e-6
    assert loss([TRUE[0], [*TRUE[1][:3], 5.0]]) < 1e-6


def test_wrong_shares_and_wrong_calcium_cost_and_what_is_hidden_does_not():
    assert loss([TRUE[1], TRUE[0]]) > 10
    assert loss([[*TRUE[0][:3], 5.0], TRUE[1]]) == pytest.approx(1 - 2 * 0.0134, abs=0.02)
    assert loss([TRUE[1], TRUE[0]], visible=0.0) == 0
