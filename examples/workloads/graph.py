"""ONNX written node by node, for what PyTorch has no types for: arithmetic in unsigned 32-bit integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18


class Graph:
    """A graph that grows: `graph.Add(a, b)` appends that node and returns the name of its result.

    Operands are names, arrays, or plain numbers, which become constants of the type `number`.
    """

    def __init__(self, number: np.dtype | type = np.float32):
        self.number = number
        self.inputs, self.outputs, self.nodes = [], [], []
        self.constants: dict[tuple, onnx.TensorProto] = {}

    def input(self, name: str, dtype: np.dtype | type, shape: Sequence[int | str]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, _element(dtype), list(shape)))
        return name

    def output(self, name: str, value: str, dtype: np.dtype | type, shape: Sequence[int | str]) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, _element(dtype), list(shape)))

    def constant(self, value: np.ndarray | float) -> str:
        array = value if isinstance(value, np.ndarray) else np.array(value, self.number)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, f"constant_{len(self.constants)}")
        return self.constants[key].name

    def split(self, value: str, parts: int, axis: int = 0) -> list[str]:
        """`parts` equal pieces."""
        names = [f"v{len(self.nodes)}_{index}" for index in range(parts)]
        self.nodes.append(helper.make_node("Split", [value], names, axis=axis, num_outputs=parts))
        return names

    def __getattr__(self, operator: str) -> Callable[..., str]:
        def append(*operands: str | np.ndarray | float, **attributes) -> str:
            names = [x if isinstance(x, str) else self.constant(x) for x in operands]
            result = f"v{len(self.nodes)}"
            self.nodes.append(helper.make_node(operator, names, [result], **attributes))
            return result

        return append

    def save(self, path: Path) -> None:
        """The checked model."""
        constants = list(self.constants.values())
        graph = helper.make_graph(self.nodes, "workload", self.inputs, self.outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def _element(dtype: np.dtype | type) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
