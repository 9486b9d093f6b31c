"""Operators as older opsets spell them: attributes that became inputs, other defaults, other names.

ONNX's own suite has only the newest form of an operator; files in the wild have all of them. Each row is computed by the
reference interpreter and by ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tetrarch
from conftest import assert_close, onnxruntime_outputs

OLDEST, NEWEST = 7, onnx.defs.onnx_opset_version()


@dataclass
class Form:
    """One operator in the form of `opset`: inputs are shapes of floats, constants are initializers."""

    opset: int
    op: str
    inputs: tuple = ((2, 3, 4, 6),)
    attributes: dict = field(default_factory=dict)
    constants: tuple = ()
    outputs: int = 1

    def __str__(self) -> str:
        return f"{self.op}-{self.opset}" + "".join(f"-{name}" for name in self.attributes)


def form(opset: int, op: str, *inputs: tuple, constants: tuple = (), outputs: int = 1, **attributes) -> Form:
    return Form(opset, op, inputs or ((2, 3, 4, 6),), attributes, tuple(map(np.asarray, constants)), outputs)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


FORMS = [
    form(7, "Add", (2, 3, 4), (3, 1)),
    form(7, "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    form(10, "AveragePool", kernel_shape=[2, 3], ceil_mode=1, strides=[2, 2]),
    form(
        7,
        "BatchNormalization",
        constants=[floats(1, 2, 3), floats(0, 1, 2), floats(1, 0, 1), floats(2, 1, 3)],
    ),
    form(
        9,
        "BatchNormalization",
        constants=[floats(1, 2, 3), floats(0, 1, 2), floats(1, 0, 1), floats(2, 1, 3)],
    ),
    form(7, "Cast", to=TensorProto.INT32),
    form(7, "Clip", min=-0.5, max=0.25),
    form(7, "Clip", max=0.25),
    form(11, "Clip", constants=[np.float32(-0.5)]),
    form(7, "Dropout", ratio=0.4),
    form(10, "Dropout"),
    form(8, "Expand", (3, 1), constants=[np.int64([2, 1, 6])]),
    form(7, "Flatten", axis=2),
    form(7, "Gemm", (4, 3), (4, 5), (1, 5), transA=1, alpha=0.5, beta=2.0),
    form(7, "Greater", (2, 3), (2, 3)),
    form(7, "Hardmax", (2, 3, 4)),
    form(11, "Hardmax", (2, 3, 4), axis=1),
    form(7, "LogSoftmax", (2, 3, 4)),
    form(7, "Softmax", (2, 3, 4)),
    form(7, "Softmax", (2, 3, 4), axis=2),
    form(11, "Softmax", (2, 3, 4), axis=-2),
    form(13, "Softmax", (2, 3, 4)),
    form(8, "Max", (2, 3), (3,), (1, 1)),
    form(8, "MaxPool", kernel_shape=[2, 2], strides=[2, 2], outputs=2),
    form(10, "MaxPool", kernel_shape=[3, 3], dilations=[1, 2]),
    form(8, "Mean", (2, 3), (3,)),
    form(9, "OneHot", (2, 3), constants=[np.int64(4), floats(-1, 1)]),
    form(7, "Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=1.5),
    form(7, "Pad", mode="reflect", pads=[0, 0, 1, 2, 0, 0, 0, 1]),
    form(11, "Pad", constants=[np.int64([0, 0, 1, 2, 0, 0, 0, 1])], mode="edge"),
    form(7, "PRelu", (2, 3, 4), (3, 1)),
    form(7, "ReduceSum", axes=[1, -1], keepdims=0),
    form(11, "ReduceSum", axes=[-1]),
    form(13, "ReduceSum", constants=[np.int64([1, 3])]),
    form(7, "ReduceMean", axes=[2, 3]),
    form(18, "ReduceMean", constants=[np.int64([2, 3])], keepdims=0),
    form(7, "ReduceMax", axes=[0]),
    form(7, "ArgMax", axis=1, keepdims=0),
    form(11, "ArgMin", axis=-1),
    form(12, "ArgMax", axis=1, select_last_index=1),
    form(10, "Resize", constants=[floats(1, 1, 2, 1.5)], mode="nearest"),
    form(10, "Resize", constants=[floats(1, 1, 2, 2)], mode="linear"),
    form(11, "Resize", constants=[floats(), floats(1, 1, 2, 2)], mode="linear"),
    form(13, "Resize", constants=[floats(), floats(1, 1, 0.5, 0.5)], mode="cubic"),
    form(7, "Slice", axes=[1, 3], starts=[1, -4], ends=[3, 100]),
    form(10, "Slice", constants=[np.int64([3]), np.int64([0]), np.int64([3]), np.int64([-2])]),
    form(7, "Split", axis=3, split=[1, 2, 3], outputs=3),
    form(11, "Split", axis=-1, outputs=2),
    form(13, "Split", constants=[np.int64([1, 2, 3])], axis=3, outputs=3),
    form(18, "Split", (2, 7), axis=1, num_outputs=3, outputs=3),
    form(7, "Squeeze", (1, 3, 1, 2), axes=[0, 2]),
    form(13, "Squeeze", (1, 3, 1, 2), constants=[np.int64([0])]),
    form(8, "Sum", (2, 3), (1, 3), (1,)),
    form(7, "TopK", axis=1, k=2, outputs=2),
    form(10, "TopK", constants=[np.int64([2])], axis=1, outputs=2),
    form(7, "Unsqueeze", (2, 3), axes=[0, 2]),
    form(13, "Unsqueeze", (2, 3), constants=[np.int64([1, -1])]),
    form(7, "Upsample", scales=[1.0, 1.0, 2.0, 3.0], mode="nearest"),
    form(7, "Upsample", scales=[1.0, 1.0, 2.0, 2.0], mode="linear"),
    form(9, "Upsample", constants=[floats(1, 1, 2, 3)], mode="nearest"),
    form(7, "DepthToSpace", (1, 8, 2, 3), blocksize=2),
    form(11, "DepthToSpace", (1, 8, 2, 3), blocksize=2, mode="CRD"),
    form(7, "LSTM", (3, 2, 4), (1, 20, 4), (1, 20, 5), (1, 40), hidden_size=5, outputs=3),
    form(7, "GRU", (3, 2, 4), (1, 15, 4), (1, 15, 5), (1, 30), hidden_size=5, outputs=2),
    form(7, "RNN", (3, 2, 4), (1, 5, 4), (1, 5, 5), hidden_size=5, outputs=2),
]


def save(path: Path, row: Form) -> Path:
    names = [f"x{i}" for i in range(len(row.inputs))]
    constants = [f"c{i}" for i in range(len(row.constants))]
    results = [f"y{i}" for i in range(row.outputs)]
    node = helper.make_node(row.op, names + constants, results, **row.attributes)
    graph = helper.make_graph(
        [node],
        "form",
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
            for n, s in zip(names, row.inputs, strict=True)
        ],
        [onnx.ValueInfoProto(name=name) for name in results],
        [numpy_helper.from_array(value, name) for value, name in zip(row.constants, constants, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", row.opset)], ir_version=7)
    if row.op == "OneHot":  # its indices are integers
        model.graph.node.insert(0, helper.make_node("Cast", ["x0"], ["i0"], to=TensorProto.INT64))
        model.graph.node[1].input[0] = "i0"
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_a_form_of_an_older_opset(row, tmp_path):
    model = save(tmp_path / "form.onnx", row)
    random = np.random.default_rng(11)
    inputs = {f"x{i}": random.uniform(-1, 1, shape).astype(np.float32) for i, shape in enumerate(row.inputs)}
    expected = onnxruntime_outputs(model, inputs)
    results = tetrarch.reference(model)(**inputs)
    results = results if isinstance(results, tuple) else (results,)
    for ours, theirs in zip(results, expected, strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize("opset", [OLDEST, NEWEST])
def test_a_whole_network_in_the_oldest_and_the_newest_opset(opset, tmp_path):
    import small_models

    model = onnx.load(small_models.perceptron(tmp_path))
    path = tmp_path / f"opset{opset}.onnx"
    model.opset_import[0].version = opset
    onnx.save(model, path)
    x = np.random.default_rng(5).standard_normal((4, 32), np.float32)
    for ours, theirs in zip(tetrarch.reference(path)(x), onnxruntime_outputs(path, {"x": x}), strict=True):
        assert_close(ours, theirs)


def test_scan_over_a_batch_as_in_opset_8(tmp_path):
    def value(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Add", ["sum", "x"], ["next"]),
        helper.make_node("Mul", ["next", "x"], ["product"]),
    ]
    body = helper.make_graph(
        nodes, "body", [value("sum", 4), value("x", 4)], [value("next", 4), value("product", 4)]
    )
    scan = helper.make_node(
        "Scan", ["", "start", "xs"], ["last", "products"], num_scan_inputs=1, directions=[1], body=body
    )
    inputs, outputs = (
        [value("start", 2, 4), value("xs", 2, 3, 4)],
        [value("last", 2, 4), value("products", 2, 3, 4)],
    )
    model = helper.make_model(
        helper.make_graph([scan], "scan", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 8)],
        ir_version=7,
    )
    path = tmp_path / "scan.onnx"
    onnx.save(model, path)
    random = np.random.default_rng(3)
    arrays = {"start": random.random((2, 4), np.float32), "xs": random.random((2, 3, 4), np.float32)}
    for ours, theirs in zip(
        tetrarch.reference(path)(**arrays), onnxruntime_outputs(path, arrays), strict=True
    ):
        assert_close(ours, theirs)


def test_an_opset_before_the_oldest_is_declined(tmp_path):
    path = save(tmp_path / "form.onnx", form(6, "Relu"))
    with pytest.raises(tetrarch.InputError, match="opset"):
        tetrarch.compile(path)
