"""The runtime adapter, on whichever runtime this Python has."""

from pathlib import Path

import numpy as np
import pytest

from flight.board.card import read_card
from flight.board.known_answer import disagreement, pattern
from flight.board.runtime import Runtime, RuntimeModelError, load, runtime_name

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_model"
MODEL = (TINY / "model.tflite").read_bytes()


def test_the_runtime_names_itself() -> None:
    assert runtime_name().split()[0] in {"tflite-runtime", "ai-edge-litert"}


def test_reference_kernels_give_the_known_answer_to_the_bit() -> None:
    card = read_card(TINY)
    outputs = load(MODEL, "reference").invoke(pattern(card.input.shape, card.known_answer.seed))
    assert disagreement(card.known_answer, outputs, exact=True) is None


def test_fast_kernels_give_the_known_answer_within_tolerance() -> None:
    card = read_card(TINY)
    outputs = load(MODEL, "fast").invoke(pattern(card.input.shape, card.known_answer.seed))
    assert disagreement(card.known_answer, outputs, exact=False) is None


def test_any_number_of_inputs_goes_through_the_fixed_batch() -> None:
    runtime = load(MODEL, "reference")
    samples = pattern((11, 1, 16, 1), 3)
    whole = runtime.invoke(samples)
    assert [output.shape for output in whole] == [(11, 1, 1, 5), (11, 1, 16, 8)]
    for start in range(11):
        single = runtime.invoke(samples[start : start + 1])
        for output, row in zip(whole, single, strict=True):
            assert np.array_equal(output[start : start + 1], row)


def test_outputs_stay_as_they_are_when_the_runtime_goes_on() -> None:
    runtime = load(MODEL)
    first = runtime.invoke(pattern((4, 1, 16, 1), 1))
    kept = [output.copy() for output in first]
    runtime.invoke(pattern((4, 1, 16, 1), 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((4, 1, 15, 1), np.int8),
        np.zeros((4, 1, 16, 1), np.uint8),
        np.zeros((0, 1, 16, 1), np.int8),
    ],
)
def test_an_input_that_is_not_the_models_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(RuntimeModelError, match="the model wants"):
        load(MODEL).invoke(samples)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(RuntimeModelError, match="refuses the model"):
        load(b"not a model at all")


class FloatModel:
    """A runtime whose model was not quantised."""

    def allocate_tensors(self) -> None: ...

    def get_input_details(self) -> list[dict[str, object]]:
        return [{"name": "x", "index": 0, "shape": np.array([1, 4]), "dtype": np.float32}]

    def get_output_details(self) -> list[dict[str, object]]:
        return []

    def set_tensor(self, tensor_index: int, value: np.ndarray) -> None: ...

    def invoke(self) -> None: ...

    def get_tensor(self, tensor_index: int) -> np.ndarray:
        return np.zeros(tensor_index, np.int8)


def test_a_float_model_is_refused() -> None:
    with pytest.raises(RuntimeModelError, match="not int8"):
        Runtime(FloatModel())
