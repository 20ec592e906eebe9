"""Int8 files written without a converter compute what the integer oracle computes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flight.board.runtime import load
from models.int8.graph import (
    Concat,
    Conv2D,
    FullyConnected,
    Graph,
    MaxPool,
    Quantisation,
    Reshape,
    ResizeNearest,
    Rows,
    Value,
    same_padding,
)
from models.int8.oracle import quantised_multiplier, run

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def write() -> Callable[[Graph], bytes]:
    return pytest.importorskip("models.int8.writer", reason="needs the extra [train]").write


def value(name: str, shape: tuple[int, ...], scale: float, zero_point: int = -128) -> Value:
    return Value(name, shape, Quantisation(float(np.float32(scale)), zero_point))


def convolution(
    rng: np.random.Generator, source: Value, result: Value, kernel: int, stride: int, *, relu: bool
) -> Conv2D:
    channels = result.shape[-1]
    return Conv2D(
        source,
        result,
        rng.integers(-127, 128, (channels, kernel, kernel, source.shape[-1])).astype(np.int8),
        rng.uniform(0.001, 0.01, channels).astype(np.float32),
        rng.integers(-500, 500, channels).astype(np.int32),
        stride=(stride, stride),
        relu=relu,
    )


def every_step(rng: np.random.Generator) -> Graph:
    """Return a graph that uses every kind of step once or more."""
    frame = value("frame", (1, 20, 20, 1), 1 / 64, 3)
    small = value("small", (1, 10, 10, 4), 0.02)
    pooled = value("pooled", (1, 5, 5, 4), 0.02)
    deep = value("deep", (1, 5, 5, 4), 0.02)
    large = value("large", (1, 10, 10, 4), 0.02)
    both = value("both", (1, 10, 10, 8), 0.02)
    chart = value("chart", (1, 10, 10, 2), 0.1, 0)
    flat = value("flat", (1, 100), 0.02)
    some = value("some", (1, 3, 10, 2), 0.1, 0)
    answer = value("answer", (1, 5), 0.3, 4)
    scales = np.array([0.004], np.float32)
    weights = rng.integers(-127, 128, (5, 100)).astype(np.int8)
    bias = rng.integers(-99, 99, 5).astype(np.int32)
    steps = (
        convolution(rng, frame, small, 5, 2, relu=True),
        MaxPool(small, pooled),
        convolution(rng, pooled, deep, 3, 1, relu=True),
        ResizeNearest(deep, large),
        Concat((large, small), both),
        convolution(rng, both, chart, 1, 1, relu=False),
        Rows(chart, some, first=4),
        Reshape(deep, flat),
        FullyConnected(flat, answer, weights, scales, bias, relu=False),
    )
    return Graph((frame,), steps, (chart, some, answer))


def test_the_reference_kernels_give_the_oracles_bits(write: Callable[[Graph], bytes]) -> None:
    rng = np.random.default_rng(1)
    graph = every_step(rng)
    runtime = load(write(graph), "reference")
    for _ in range(5):
        frame = rng.integers(-128, 128, (1, 20, 20, 1)).astype(np.int8)
        for got, expected in zip(runtime.invoke(frame), run(graph, frame), strict=True):
            assert np.array_equal(got, expected)


def test_the_fast_kernels_stay_within_two_steps(write: Callable[[Graph], bytes]) -> None:
    rng = np.random.default_rng(2)
    graph = every_step(rng)
    frame = rng.integers(-128, 128, (1, 20, 20, 1)).astype(np.int8)
    outputs = load(write(graph)).invoke(frame)
    for got, expected in zip(outputs, run(graph, frame), strict=True):
        assert np.abs(got.astype(int) - expected).max() <= 2


def test_the_same_graph_gives_the_same_bytes(write: Callable[[Graph], bytes]) -> None:
    graphs = [every_step(np.random.default_rng(3)) for _ in range(2)]
    assert write(graphs[0]) == write(graphs[1])


def test_the_oracle_computes_the_committed_model_bit_for_bit() -> None:
    reader = pytest.importorskip("models.int8.reader", reason="needs the extra [train]")
    model = (MODELS / "terrain" / "model.tflite").read_bytes()
    runtime = load(model, "reference")
    frame = np.random.default_rng(4).integers(-128, 128, runtime.input_shape).astype(np.int8)
    (expected,) = run(reader.read(model), frame)
    (got,) = runtime.invoke(frame)
    assert np.array_equal(got, expected)


def test_same_padding_puts_the_odd_zero_after() -> None:
    assert same_padding(128, 3, 2) == (0, 1)
    assert same_padding(128, 5, 2) == (1, 2)
    assert same_padding(64, 3, 1) == (1, 1)
    assert same_padding(5, 1, 1) == (0, 0)


@pytest.mark.parametrize("factor", [1e-4, 0.25, 0.49999999999, 0.7, 1.0, 3.0])
def test_a_quantised_multiplier_stands_for_its_factor(factor: float) -> None:
    multiplier, shift = quantised_multiplier(factor)
    assert 1 << 30 <= multiplier < 1 << 31
    assert multiplier / 2**31 * 2**shift == pytest.approx(factor, rel=1e-9)


def test_training_and_the_exported_file_agree_to_a_step(write: Callable[[Graph], bytes]) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra [train]")
    from models.terrain.network import INPUT_SHAPE, TerrainNet

    torch.manual_seed(0)
    network = TerrainNet()
    frame = torch.randint(-128, 128, INPUT_SHAPE, dtype=torch.int8)
    network.train()
    network(frame)
    network.quantise([frame])
    graph = network.export(INPUT_SHAPE)
    with torch.no_grad():
        (expected,) = network(frame)
    (got,) = load(write(graph), "reference").invoke(frame.numpy())
    real = got.astype(np.float64) * graph.outputs[0].grid.scale
    steps = np.abs(real - expected.permute(0, 2, 3, 1).numpy()) / graph.outputs[0].grid.scale
    assert np.percentile(steps, 99) <= 2
