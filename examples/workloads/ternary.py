"""A product of 8-bit activations with weights of -1, 0 and 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.models.cache import cached
from examples.workloads.graph import Graph
from examples.workloads.workload import Arrays, Inputs, Workload

SIZE = 256
SEED = 3


def weights() -> np.ndarray:
    """int8 [256, 256] of -1, 0 and 1, as many of each."""
    return np.random.default_rng(SEED).integers(-1, 2, (SIZE, SIZE), np.int8)


def inputs() -> Inputs:
    return {"x": np.random.default_rng(SEED + 1).integers(-128, 128, (SIZE, SIZE), np.int8)}


def onnx_file() -> Path:
    def write(path: Path) -> None:
        g = Graph()
        x = g.input("x", np.int8, [SIZE, SIZE])
        g.output("y", g.MatMulInteger(x, weights()), np.int32, [SIZE, SIZE])
        g.save(path)

    return cached("workload-ternary-matmul.onnx", write)


def reference(x: np.ndarray) -> Arrays:
    return (x.astype(np.int32) @ weights().astype(np.int32),)


TERNARY_MATMUL = Workload(
    "ternary-matmul",
    f"ternary matmul, {SIZE} × {SIZE}, {SIZE} rows",
    onnx_file,
    inputs,
    reference,
    tolerance=0,
    operation="operation (an addition or a multiplication)",
    count=2 * SIZE**3,
)
