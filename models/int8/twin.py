"""The float32 twin of an int8 model, run for comparison only; no board ever loads one."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FloatTwin:
    """A float32 .tflite file with one input, ready to answer one sample at a time."""

    def __init__(self, path: Path) -> None:
        self._interpreter = _interpreter(path.read_bytes())
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def answer(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return each output for (N, ...) samples, N a multiple of the file's batch."""
        batch = int(self._input["shape"][0])
        answers: list[list[NDArray[np.float32]]] = [[] for _ in self._outputs]
        for start in range(0, len(samples), batch):
            self._interpreter.set_tensor(self._input["index"], samples[start : start + batch])
            self._interpreter.invoke()
            for rows, index in zip(answers, self._outputs, strict=True):
                rows.append(self._interpreter.get_tensor(index))
        return tuple(np.concatenate(rows) for rows in answers)


def _interpreter(model: bytes) -> Any:
    try:
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        from ai_edge_litert.interpreter import Interpreter
    return Interpreter(model_content=model, num_threads=1)
