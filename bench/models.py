"""The networks of the benchmarks, one row each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from bench.contenders import Inputs, Model
from examples.models import efficientnet_lite0, minilm, resnet50
from examples.models.cache import cached
from examples.models.photographs import as_input, centre_crop, photograph


def image() -> Inputs:
    return {"image": as_input(centre_crop(photograph("chelsea")))}


def sentence() -> Inputs:
    return minilm.tokens(" ".join(minilm.EXAMPLE * 3))


def empty_file() -> Path:
    """A model whose one operation hands its input on."""

    def write(path: Path) -> None:
        value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "empty", value[:1], value[1:])
        opset = [helper.make_opsetid("", 18)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)

    return cached("empty.onnx", write)


MODELS = {
    "resnet50": Model("ResNet-50", resnet50.onnx_file, image, resnet50.seeded),
    "minilm": Model("MiniLM, 6 × 384, 128 tokens", minilm.onnx_file, sentence, minilm.trained),
    "efficientnet-lite0": Model(
        "EfficientNet-Lite0", efficientnet_lite0.onnx_file, image, efficientnet_lite0.trained
    ),
}
EMPTY = Model("empty model", empty_file, lambda: {"x": np.ones(1, np.float32)}, torch.nn.Identity)
