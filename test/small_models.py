"""Networks that compile in a moment and look like the real ones from outside."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE, CLASSES, CHANNELS = [1, 3, 224, 224], 10, 16
FLOAT = TensorProto.FLOAT


def write_classifier(path: Path) -> Path:
    """A convolution, batch norm, ReLU, mean and a matrix: `image` [1, 3, 224, 224] to `logits` [1, 10]."""
    random = np.random.default_rng(7)
    weights = {
        "kernel": random.normal(0, 0.2, (CHANNELS, 3, 8, 8)),
        "scale": random.uniform(0.5, 1.5, CHANNELS),
        "shift": random.normal(0, 0.1, CHANNELS),
        "mean": random.normal(0, 0.1, CHANNELS),
        "variance": random.uniform(0.5, 1.5, CHANNELS),
        "matrix": random.normal(0, 0.3, (CHANNELS, CLASSES)),
        "bias": random.normal(0, 0.3, CLASSES),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["a"], strides=[8, 8]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "matrix", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, IMAGE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def save(folder: Path, name: str, nodes, inputs, outputs, initializers=(), opset: int = 17) -> Path:
    """A checked model file. Inputs and outputs are (name, type, shape); initializers map names to arrays."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, key) for key, array in dict(initializers).items()],
    )
    ir = 8 if opset < 19 else 10
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    onnx.checker.check_model(model)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def perceptron(folder: Path, batch: int | str = 4) -> Path:
    """y = relu(x w + b) v, two outputs: y and the hidden layer h."""
    random = np.random.default_rng(1)
    weights = {
        "w": random.standard_normal((32, 64), np.float32),
        "b": random.standard_normal(64, np.float32),
        "v": random.standard_normal((64, 10), np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["xwb"]),
        helper.make_node("Relu", ["xwb"], ["h"]),
        helper.make_node("MatMul", ["h", "v"], ["y"]),
    ]
    outputs = [("y", FLOAT, [batch, 10]), ("h", FLOAT, [batch, 64])]
    return save(folder, "perceptron", nodes, [("x", FLOAT, [batch, 32])], outputs, weights)


def addition(folder: Path, element: int = FLOAT, shape: Sequence[int] = (2, 3)) -> Path:
    """z = x + y, both of the same shape."""
    node = helper.make_node("Add", ["x", "y"], ["z"])
    values = [(name, element, list(shape)) for name in "xyz"]
    return save(folder, "addition", [node], values[:2], values[2:])


def indexed(folder: Path, operator: str, rows: int = 4096, columns: int = 16) -> Path:
    """y = operator(x, i[, u]): positions in the rows of x that only a call says, and what goes there."""
    by_element = operator.endswith("Elements")
    places = [rows, columns] if by_element else [rows, 1] if operator.endswith("ND") else [rows]
    inputs = [("x", FLOAT, [rows, columns]), ("i", TensorProto.INT64, places)]
    if operator.startswith("Scatter"):
        inputs.append(("u", FLOAT, [rows, columns]))
    node = helper.make_node(operator, [name for name, *_ in inputs], ["y"])
    return save(folder, operator, [node], inputs, [("y", FLOAT, [rows, columns])])


def conversion(folder: Path, from_type: int, to_type: int) -> Path:
    """y = x as another type."""
    node = helper.make_node("Cast", ["x"], ["y"], to=to_type)
    return save(folder, "conversion", [node], [("x", from_type, [2, 3])], [("y", to_type, [2, 3])], opset=21)


def conjunction(folder: Path) -> Path:
    """z = x and y."""
    node = helper.make_node("And", ["x", "y"], ["z"])
    values = [(name, TensorProto.BOOL, [4]) for name in "xyz"]
    return save(folder, "conjunction", [node], values[:2], values[2:])


def powers(folder: Path, size: int, count: int) -> Path:
    """y = x to the power 2^count, x a matrix: as much work as one likes."""
    names = ["x", *(f"x{i}" for i in range(1, count)), "y"]
    nodes = [helper.make_node("MatMul", [a, a], [b]) for a, b in itertools.pairwise(names)]
    shape = [size, size]
    return save(folder, "powers", nodes, [("x", FLOAT, shape)], [("y", FLOAT, shape)])


def reshape_by_input(folder: Path) -> Path:
    """y = reshape(x, sizes): the value of an input decides the shape of the output."""
    node = helper.make_node("Reshape", ["x", "sizes"], ["y"])
    inputs = [("x", FLOAT, [2, 6]), ("sizes", TensorProto.INT64, [2])]
    return save(folder, "reshape", [node], inputs, [("y", FLOAT, ["a", "b"])])


def convolutions(folder: Path) -> Path:
    """Four 3x3 convolutions with ReLU: enough work to be placed."""
    random = np.random.default_rng(2)
    nodes, weights, value = [], {}, "x"
    for i in range(4):
        weights[f"w{i}"] = random.standard_normal((16, 16, 3, 3), np.float32) / 12
        nodes.append(helper.make_node("Conv", [value, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        value = "y" if i == 3 else f"r{i}"
        nodes.append(helper.make_node("Relu", [f"c{i}"], [value]))
    shape = [1, 16, 32, 32]
    return save(folder, "convolutions", nodes, [("x", FLOAT, shape)], [("y", FLOAT, shape)], weights)


def transformer(folder: Path) -> Path:
    """One block: masked attention of 3 heads, two layer norms, gelu; 23 tokens of 51 features, all sizes odd."""
    random = np.random.default_rng(11)
    heads, width, length = 3, 51, 23
    weights = {name: random.normal(0, 0.15, (width, width)) for name in ("wq", "wk", "wv", "wo")}
    weights |= {"w1": random.normal(0, 0.2, (width, 45)), "w2": random.normal(0, 0.2, (45, width))}
    weights |= {f"b{name}": random.normal(0, 0.3, width) for name in "qkvo"}
    weights |= {"g": random.normal(1, 0.2, width), "b": random.normal(0, 0.2, width)}
    numbers = {"root": (width // heads) ** -0.5, "low": -1e9, "one": 1, "half": 0.5, "root2": 2**0.5}
    weights |= {name: np.float32(number) for name, number in numbers.items()}
    shape = {"split": np.array([1, length, heads, width // heads]), "join": np.array([1, length, width])}
    node = helper.make_node
    nodes = []
    for part in "qkv":
        nodes += [
            node("MatMul", ["x", f"w{part}"], [f"{part}m"]),
            node("Add", [f"{part}m", f"b{part}"], [f"{part}b"]),
            node("Reshape", [f"{part}b", "split"], [f"{part}s"]),
            node("Transpose", [f"{part}s"], [part], perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("Sub", ["one", "mask"], ["hidden"]),
        node("Mul", ["hidden", "low"], ["bias"]),
        node("MatMul", ["q", "k"], ["raw"]),
        node("Mul", ["raw", "root"], ["scaled"]),
        node("Add", ["scaled", "bias"], ["scores"]),
        node("Softmax", ["scores"], ["p"], axis=-1),
        node("MatMul", ["p", "v"], ["seen"]),
        node("Transpose", ["seen"], ["tokens"], perm=[0, 2, 1, 3]),
        node("Reshape", ["tokens", "join"], ["joined"]),
        node("MatMul", ["joined", "wo"], ["om"]),
        node("Add", ["om", "bo"], ["o"]),
        node("Add", ["x", "o"], ["first"]),
        node("LayerNormalization", ["first", "g", "b"], ["n"], axis=-1),
        node("MatMul", ["n", "w1"], ["wide"]),
        node("Div", ["wide", "root2"], ["narrower"]),
        node("Erf", ["narrower"], ["erf"]),
        node("Add", ["erf", "one"], ["twice"]),
        node("Mul", ["wide", "twice"], ["doubled"]),
        node("Mul", ["doubled", "half"], ["active"]),
        node("MatMul", ["active", "w2"], ["narrow"]),
        node("Add", ["n", "narrow"], ["second"]),
        node("LayerNormalization", ["second", "g", "b"], ["last"], axis=-1),
        node("MatMul", ["last", "wo"], ["y"]),
    ]
    return save(
        folder,
        "transformer",
        nodes,
        [("x", FLOAT, [1, length, width]), ("mask", FLOAT, [1, 1, 1, length])],
        [("y", FLOAT, [1, length, width])],
        {name: array.astype(np.float32) for name, array in weights.items()} | shape,
    )


def tokens(count: int) -> list[dict[str, np.ndarray]]:
    """Inputs of the transformer, each with a mask of its own."""
    random = np.random.default_rng(12)
    masks = (np.arange(23) < random.integers(3, 24, (count, 1))).astype(np.float32)
    return [
        {"x": random.normal(0, 1, (1, 23, 51)).astype(np.float32), "mask": mask[None, None, None]}
        for mask in masks
    ]
