"""The TFLite runtime, whichever of its two packages this Python has, behind one adapter.

``tflite-runtime`` 2.14 below Python 3.12, ``ai-edge-litert`` from there on. Only the model
worker, the self-test and people's tools import this; the control process never does, because a
damaged model can take its process down.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Tensor

GOLDEN_RUNTIME = "tflite-runtime 2.14"
Kernels: TypeAlias = Literal["fast", "reference"]
"""reference: the same bits on every machine, for golden vectors; fast: within two steps of it."""
_RESOLVERS: dict[Kernels, tuple[str, ...]] = {
    "reference": ("BUILTIN_REF",),
    "fast": ("AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
}
"""Sets of kernels, the first that takes the model: ai-edge-litert's fastest refuses some slices."""


class RuntimeModelError(ValueError):
    """The runtime is absent or broken, or refuses the model, or the input does not fit it."""


class _Interpreter(Protocol):
    """What both packages' Interpreter offers and this module uses."""

    def allocate_tensors(self) -> None: ...
    def get_input_details(self) -> list[Mapping[str, object]]: ...
    def get_output_details(self) -> list[Mapping[str, object]]: ...
    def set_tensor(self, tensor_index: int, value: Tensor) -> None: ...
    def invoke(self) -> None: ...
    def get_tensor(self, tensor_index: int) -> Tensor: ...


_MakeInterpreter: TypeAlias = Callable[[bytes, str], _Interpreter]


class Runtime:
    """One model, loaded; it answers batches of any length through the file's fixed batch."""

    def __init__(self, interpreter: _Interpreter) -> None:
        self._interpreter = interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1:
            raise RuntimeModelError(f"the model has {len(inputs)} inputs; flight feeds exactly one")
        self._input, self.input_shape = _index_and_shape(inputs[0])
        places = [_index_and_shape(detail) for detail in outputs]
        self._outputs = tuple(index for index, _ in places)
        self.output_shapes = tuple(shape for _, shape in places)
        batches = {shape[0] for shape in (self.input_shape, *self.output_shapes)}
        if len(batches) != 1:
            raise RuntimeModelError(f"input and outputs differ in batch: {sorted(batches)}")

    def invoke(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Return each output for ``samples``, (N, ...) int8, as (N, ...) int8.

        N is cut into the model's batch; the last batch is padded with zeros that are not returned.

        Raises:
            RuntimeModelError: the shape is not the model's, or the runtime fails.
        """
        batch, one = self.input_shape[0], self.input_shape[1:]
        if samples.dtype != np.int8 or samples.shape[1:] != one or samples.shape[0] < 1:
            raise RuntimeModelError(
                f"input is {samples.dtype} {samples.shape}, the model wants int8 (N, {one})"
            )
        count = samples.shape[0]
        outputs = tuple(np.empty((count, *s[1:]), np.int8) for s in self.output_shapes)
        for start in range(0, count, batch):
            stop = min(start + batch, count)
            answers = self._invoke_batch(_pad(samples[start:stop], batch))
            for output, answer in zip(outputs, answers, strict=True):
                output[start:stop] = answer[: stop - start]
        return outputs

    def _invoke_batch(self, batch: Tensor) -> tuple[Tensor, ...]:
        try:
            self._interpreter.set_tensor(self._input, batch)
            self._interpreter.invoke()
            return tuple(self._interpreter.get_tensor(index) for index in self._outputs)
        except (RuntimeError, ValueError) as error:
            raise RuntimeModelError(f"the runtime failed: {error}") from error


def load(model: bytes, kernels: Kernels = "fast") -> Runtime:
    """Return the model, ready to answer, with one thread (two ruin the 99th percentile).

    The caller has checked the digest of ``model``: damaged bytes can crash the process here.

    Raises:
        RuntimeModelError: no runtime works here, or it refuses the model.
    """
    make, _ = _package()
    for resolver in _RESOLVERS[kernels]:
        try:
            interpreter = make(model, resolver)
            interpreter.allocate_tensors()
            return Runtime(interpreter)
        except (RuntimeError, ValueError, TypeError, AttributeError, ImportError) as error:
            # 2.14 beside numpy 2 imports well and fails here.
            refusal = error
    raise RuntimeModelError(f"the runtime refuses the model: {refusal}") from refusal


def runtime_name() -> str:
    """Return package and version, such as "tflite-runtime 2.14.0".

    Raises:
        RuntimeModelError: neither package can be imported.
    """
    return _package()[1]


def has_golden_kernels() -> bool:
    """Return whether the reference kernels here are those that wrote the cards' known answers.

    Other versions round a step differently now and then: there the cards' tolerance holds.

    Raises:
        RuntimeModelError: neither package can be imported.
    """
    return runtime_name().startswith(GOLDEN_RUNTIME)


def _package() -> tuple[_MakeInterpreter, str]:
    try:
        return _tflite_runtime()
    except ImportError:
        pass
    try:
        return _litert()
    except ImportError as error:
        raise RuntimeModelError(
            f"no TFLite runtime ({error}); pip install tflite-runtime (Python below 3.12) "
            "or ai-edge-litert"
        ) from error


def _tflite_runtime() -> tuple[_MakeInterpreter, str]:
    from tflite_runtime import __version__
    from tflite_runtime.interpreter import Interpreter, OpResolverType

    def make(model: bytes, resolver: str) -> _Interpreter:
        interpreter: _Interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType[resolver],
        )
        return interpreter

    return make, f"tflite-runtime {__version__}"


def _litert() -> tuple[_MakeInterpreter, str]:
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def make(model: bytes, resolver: str) -> _Interpreter:
        interpreter: _Interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType[resolver],
        )
        return interpreter

    return make, f"ai-edge-litert {version('ai-edge-litert')}"


def _index_and_shape(detail: Mapping[str, object]) -> tuple[int, tuple[int, ...]]:
    index, shape, dtype = detail["index"], detail["shape"], detail["dtype"]
    if dtype is not np.int8:
        raise RuntimeModelError(f"tensor {detail['name']} is {dtype}, not int8: quantise it fully")
    if not isinstance(index, int) or not isinstance(shape, np.ndarray) or shape.size < 1:
        raise RuntimeModelError(f"tensor {detail['name']} has no fixed shape")
    return index, tuple(int(n) for n in shape)


def _pad(rows: NDArray[np.int8], batch: int) -> NDArray[np.int8]:
    if rows.shape[0] == batch:
        return np.ascontiguousarray(rows)
    padded = np.zeros((batch, *rows.shape[1:]), np.int8)
    padded[: rows.shape[0]] = rows
    return padded
