"""A graph as the bytes of a TensorFlow Lite file, written with the schema's object interface.

Each tensor gets its own buffer, in the order of the steps, and nothing that changes between
runs (no time, no version string of a tool) enters the file.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

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
    Step,
    Value,
)

_OPERATOR = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_RELU, _NO_ACTIVATION = 1, 0
_SAME, _VALID = 0, 1

VERSIONS = {
    _OPERATOR.CONV_2D: 3,
    _OPERATOR.FULLY_CONNECTED: 4,
    _OPERATOR.MAX_POOL_2D: 2,
    _OPERATOR.RESIZE_NEAREST_NEIGHBOR: 2,
    _OPERATOR.CONCATENATION: 2,
    _OPERATOR.RESHAPE: 1,
    _OPERATOR.SLICE: 2,
}
"""The first version of each operator that takes int8; older runtimes refuse higher ones."""


def write(graph: Graph) -> bytes:
    """Return the .tflite file of a graph; the same graph gives the same bytes."""
    writer = _Writer()
    for value in graph.inputs:
        writer.activation(value)
    for step in graph.steps:
        writer.step(step)
    return writer.finish(graph)


class _Writer:
    """The tables of one file under construction."""

    def __init__(self) -> None:
        self._tensors: list[schema.TensorT] = []
        self._buffers: list[schema.BufferT] = [schema.BufferT()]  # buffer 0 means "no data"
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[int, int] = {}
        self._index: dict[str, int] = {}

    def activation(self, value: Value) -> int:
        if value.name not in self._index:
            kind = schema.TensorType.FLOAT32 if value.grid is None else schema.TensorType.INT8
            self._index[value.name] = self._tensor(value.name, value.shape, kind, grid=value.grid)
        return self._index[value.name]

    def step(self, step: Step) -> None:
        if isinstance(step, Conv2D):
            self._convolution(step)
        elif isinstance(step, FullyConnected):
            self._fully_connected(step)
        elif isinstance(step, MaxPool):
            self._max_pool(step)
        elif isinstance(step, ResizeNearest):
            self._resize(step)
        elif isinstance(step, Concat):
            self._concat(step)
        elif isinstance(step, Rows):
            self._rows(step)
        else:
            self._reshape(step)

    def finish(self, graph: Graph) -> bytes:
        main = schema.SubGraphT()
        main.name = b"main"
        main.tensors = self._tensors
        main.operators = self._operators
        main.inputs = _int32([self._index[value.name] for value in graph.inputs])
        main.outputs = _int32([self._index[value.name] for value in graph.outputs])
        model = schema.ModelT()
        model.version = 3
        model.description = b"farside"
        model.operatorCodes = [_operator_code(code) for code in self._codes]
        model.subgraphs = [main]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: int,
        *,
        grid: Quantisation | None = None,
        scales: NDArray[np.float32] | None = None,
        data: NDArray[np.generic] | None = None,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = name.encode()
        tensor.shape = _int32(shape)
        tensor.type = kind
        tensor.buffer = 0 if data is None else self._buffer(data)
        if grid is not None:
            tensor.quantization = _quantisation([grid.scale], grid.zero_point)
        elif scales is not None:
            tensor.quantization = _quantisation(scales, 0)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _buffer(self, data: NDArray[np.generic]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def _operator(
        self, code: int, sources: list[int], result: Value, kind: int, options: object
    ) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs = _int32(sources)
        operator.outputs = _int32([self.activation(result)])
        operator.builtinOptionsType = kind
        operator.builtinOptions = options
        self._operators.append(operator)

    def _weights(self, step: Conv2D | FullyConnected) -> tuple[int, int]:
        """Return the indices of the weight and the bias tensor."""
        name, grid = step.result.name, step.source.grid
        if grid is None:
            kind = schema.TensorType.FLOAT32
            weights = self._tensor(f"{name}/weights", step.weights.shape, kind, data=step.weights)
            return weights, self._tensor(f"{name}/bias", step.bias.shape, kind, data=step.bias)
        weights = self._tensor(
            f"{name}/weights",
            step.weights.shape,
            schema.TensorType.INT8,
            scales=step.weight_scales,
            data=step.weights,
        )
        bias = self._tensor(
            f"{name}/bias",
            step.bias.shape,
            schema.TensorType.INT32,
            scales=(step.weight_scales * np.float32(grid.scale)).astype(np.float32),
            data=step.bias,
        )
        return weights, bias

    def _convolution(self, step: Conv2D) -> None:
        options = schema.Conv2DOptionsT()
        options.padding = _SAME if step.same else _VALID
        options.strideH, options.strideW = step.stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = _RELU if step.relu else _NO_ACTIVATION
        sources = [self.activation(step.source), *self._weights(step)]
        self._operator(_OPERATOR.CONV_2D, sources, step.result, _OPTIONS.Conv2DOptions, options)

    def _fully_connected(self, step: FullyConnected) -> None:
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = _RELU if step.relu else _NO_ACTIVATION
        sources = [self.activation(step.source), *self._weights(step)]
        kind = _OPTIONS.FullyConnectedOptions
        self._operator(_OPERATOR.FULLY_CONNECTED, sources, step.result, kind, options)

    def _max_pool(self, step: MaxPool) -> None:
        options = schema.Pool2DOptionsT()
        options.padding = _VALID
        options.filterHeight, options.filterWidth = step.window
        options.strideH, options.strideW = step.window
        sources = [self.activation(step.source)]
        self._operator(_OPERATOR.MAX_POOL_2D, sources, step.result, _OPTIONS.Pool2DOptions, options)

    def _resize(self, step: ResizeNearest) -> None:
        options = schema.ResizeNearestNeighborOptionsT()
        size = self._constant(f"{step.result.name}/size", step.result.shape[1:3])
        sources = [self.activation(step.source), size]
        kind = _OPTIONS.ResizeNearestNeighborOptions
        self._operator(_OPERATOR.RESIZE_NEAREST_NEIGHBOR, sources, step.result, kind, options)

    def _concat(self, step: Concat) -> None:
        options = schema.ConcatenationOptionsT()
        options.axis = len(step.result.shape) - 1
        sources = [self.activation(source) for source in step.sources]
        kind = _OPTIONS.ConcatenationOptions
        self._operator(_OPERATOR.CONCATENATION, sources, step.result, kind, options)

    def _rows(self, step: Rows) -> None:
        name = step.result.name
        begin = self._constant(f"{name}/begin", (0, step.first, 0, 0))
        size = self._constant(f"{name}/size", step.result.shape)
        sources = [self.activation(step.source), begin, size]
        kind = _OPTIONS.SliceOptions
        self._operator(_OPERATOR.SLICE, sources, step.result, kind, schema.SliceOptionsT())

    def _reshape(self, step: Reshape) -> None:
        options = schema.ReshapeOptionsT()
        options.newShape = _int32(step.result.shape)
        shape = self._constant(f"{step.result.name}/shape", step.result.shape)
        sources = [self.activation(step.source), shape]
        self._operator(_OPERATOR.RESHAPE, sources, step.result, _OPTIONS.ReshapeOptions, options)

    def _constant(self, name: str, numbers: tuple[int, ...]) -> int:
        data = _int32(numbers)
        return self._tensor(name, data.shape, schema.TensorType.INT32, data=data)


def _int32(numbers: "tuple[int, ...] | list[int]") -> NDArray[np.int32]:
    return np.array(numbers, np.int32)


def _quantisation(
    scales: "NDArray[np.float32] | list[float]", zero_point: int
) -> "schema.QuantizationParametersT":
    quantisation = schema.QuantizationParametersT()
    quantisation.scale = np.array(scales, np.float32)
    quantisation.zeroPoint = np.full(len(scales), zero_point, np.int64)
    quantisation.quantizedDimension = 0
    return quantisation


def _operator_code(code: int) -> "schema.OperatorCodeT":
    operator_code = schema.OperatorCodeT()
    operator_code.builtinCode = code
    operator_code.deprecatedBuiltinCode = code
    operator_code.version = VERSIONS[code]
    return operator_code
