"""ResNet-50's first stage in 8-bit integers: stem, pool and the three bottlenecks of 64 channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from examples.models import resnet50
from examples.models.cache import cached, export
from examples.models.photographs import as_input, centre_crop, photograph
from examples.workloads.workload import Arrays, Inputs, Workload

CALIBRATION = ("china",)
BLOCKS = resnet50.STAGES[0][1]


class FirstStage(nn.Module):
    """float32 [1, 3, 224, 224] to [1, 256, 56, 56]."""

    def __init__(self):
        super().__init__()
        network = resnet50.seeded()
        self.stem, self.pool, self.blocks = network.stem, network.pool, network.blocks[:BLOCKS]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.pool(torch.relu(self.stem(x))))


def image(name: str) -> np.ndarray:
    return as_input(centre_crop(photograph(name)))


def inputs() -> Inputs:
    return {"image": image("chelsea")}


def onnx_file() -> Path:
    def write(path: Path) -> None:
        export(FirstStage().eval(), (torch.zeros(1, 3, 224, 224),), path, ["image"], ["features"])

    return cached("workload-resnet50-stage1.onnx", write)


def reference(image: np.ndarray) -> Arrays:
    """In floats, by ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(onnx_file()), providers=["CPUExecutionProvider"])
    return tuple(session.run(None, {"image": image}))


RESNET50_STAGE1 = Workload(
    "resnet50-stage1",
    "ResNet-50's first stage, 8-bit integers",
    onnx_file,
    inputs,
    reference,
    tolerance=0.1,
    operation="operation (an addition or a multiplication)",
    # The stem, then 1 x 1, 3 x 3 and 1 x 1 of each block; the first block's way around has one more.
    count=2 * (112**2 * 64 * 3 * 49 + 56**2 * 64 * (64 + 2 * 256 + 3 * (9 * 64 + 256) + 256)),
    options=lambda: {"quantize": "int8", "calibration": [{"image": image(name)} for name in CALIBRATION]},
)
