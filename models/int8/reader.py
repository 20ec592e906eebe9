"""A .tflite file back as a graph: the oracle can compute any model that was written here."""

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
_SAME, _RELU = 0, 1


def read(model: bytes) -> Graph:
    """Return the graph of an int8 file that ``writer.write`` made."""
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    return _Reader(whole).graph()


class _Reader:
    """Lookups in one parsed file."""

    def __init__(self, model: "schema.ModelT") -> None:
        self._buffers = model.buffers
        self._codes = [code.builtinCode for code in model.operatorCodes]
        self._main = model.subgraphs[0]

    def graph(self) -> Graph:
        return Graph(
            tuple(self._value(index) for index in self._main.inputs),
            tuple(self._step(operator) for operator in self._main.operators),
            tuple(self._value(index) for index in self._main.outputs),
        )

    def _value(self, index: int) -> Value:
        tensor = self._main.tensors[index]
        scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
        shape = tuple(int(size) for size in tensor.shape)
        return Value(tensor.name.decode(), shape, Quantisation(float(scale), int(zero_point)))

    def _constant(self, index: int, dtype: type[np.generic]) -> NDArray[np.generic]:
        tensor = self._main.tensors[index]
        data = self._buffers[tensor.buffer].data
        return np.frombuffer(bytes(data), dtype).reshape(tensor.shape)

    def _scales(self, index: int) -> NDArray[np.float32]:
        return np.array(self._main.tensors[index].quantization.scale, np.float32)

    def _step(self, operator: "schema.OperatorT") -> Step:
        code, options = self._codes[operator.opcodeIndex], operator.builtinOptions
        source, result = self._value(operator.inputs[0]), self._value(operator.outputs[0])
        if code in (_OPERATOR.CONV_2D, _OPERATOR.FULLY_CONNECTED):
            weights, bias = operator.inputs[1], operator.inputs[2]
            parts = (
                self._constant(weights, np.int8),
                self._scales(weights),
                self._constant(bias, np.int32),
            )
            relu = options.fusedActivationFunction == _RELU
            if code == _OPERATOR.FULLY_CONNECTED:
                return FullyConnected(source, result, *parts, relu=relu)
            stride, same = (options.strideH, options.strideW), options.padding == _SAME
            return Conv2D(source, result, *parts, stride=stride, same=same, relu=relu)
        if code == _OPERATOR.MAX_POOL_2D:
            return MaxPool(source, result, (options.filterHeight, options.filterWidth))
        if code == _OPERATOR.RESIZE_NEAREST_NEIGHBOR:
            return ResizeNearest(source, result)
        if code == _OPERATOR.CONCATENATION:
            return Concat(tuple(self._value(index) for index in operator.inputs), result)
        if code == _OPERATOR.SLICE:
            return Rows(source, result, int(self._constant(operator.inputs[1], np.int32)[1]))
        return Reshape(source, result)
