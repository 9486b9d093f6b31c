"""ONNX's own conformance suite: a node test passes, or is declined by name; none gives another number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.helper

ROOT = Path(__file__).resolve().parents[1]
AT_LEAST = "85"  # percent; docs/onnx-conformance.md has the counts
SAMPLE = "60"  # every how many-th case is compiled and run on the CPU device


def test_the_suite_passes_or_is_declined() -> None:
    script = [sys.executable, "test/onnx_conformance.py", "--every", SAMPLE, "--at-least", AT_LEAST]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def model_of(operator: str) -> onnx.ModelProto:
    """y = operator(x) with x of 2 x 3 floats."""
    floats = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, ["x"], ["y"])], "one", floats[:1], floats[1:]
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])


def test_backend_runs_a_model() -> None:
    from tetrarch import onnx_backend as backend

    x = np.array([[-1, 0, 1], [2, -2, 3]], np.float32)
    (y,) = backend.run_model(model_of("Relu"), [x])
    np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_backend_declines_by_name() -> None:
    from tetrarch import onnx_backend as backend

    assert not backend.is_compatible(model_of("RandomNormalLike"))
