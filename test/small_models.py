"""Networks that compile in a moment and look like the real ones from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE, CLASSES, CHANNELS = [1, 3, 224, 224], 10, 16


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
