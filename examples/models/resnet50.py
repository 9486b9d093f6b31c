"""ResNet-50 (He et al. 2015, the v1.5 layout: the 3x3 convolution has the stride) with seeded weights.

No trained ResNet-50 weights come with any package that this project installs, so these are drawn from a fixed
seed: the arithmetic, the sizes and the time are the real network's, the class that it names means nothing.
Batch-norm statistics are calibrated on real photographs, so that activations have the size that they
would have in a trained network.

    python -m examples.models.resnet50        makes the ONNX file and prints where it is
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.models.cache import cached, export
from examples.models.photographs import NAMES, as_input, centre_crop, photograph

SEED = 50
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride of the first block
EXPANSION = 4
INPUT, OUTPUT = "image", "logits"


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, and the way around them."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = width * EXPANSION
        self.reduce = conv_bn(inputs, width, 1)
        self.middle = conv_bn(width, width, 3, stride)
        self.expand = conv_bn(width, outputs, 1)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.reduce(x))
        y = torch.relu(self.middle(y))
        return torch.relu(self.expand(y) + self.shortcut(x))


class ResNet50(nn.Module):
    """float32 [batch, 3, 224, 224] to the logits of 1000 classes [batch, 1000]."""

    def __init__(self, classes: int = 1000):
        super().__init__()
        self.stem = conv_bn(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        blocks, inputs = [], 64
        for width, count, stride in STAGES:
            for index in range(count):
                blocks.append(Bottleneck(inputs, width, stride if index == 0 else 1))
                inputs = width * EXPANSION
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        x = self.blocks(x)
        return self.head(x.mean((2, 3)))


def seeded(seed: int = SEED) -> ResNet50:
    """The network with weights from `seed`, in eval mode."""
    torch.manual_seed(seed)
    network = ResNet50()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are the plain mean over all batches seen
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    calibrate(network)
    return network.eval()


def calibrate(network: nn.Module) -> None:
    """Let batch norm learn its statistics from photographs, upright and mirrored."""
    pictures = np.concatenate([as_input(centre_crop(photograph(name))) for name in NAMES])
    batch = torch.from_numpy(pictures)
    network.train()
    with torch.no_grad():
        for pixels in (batch, batch.flip(3)):
            network(pixels)


def onnx_file(batch: int = 1) -> Path:
    """The ONNX file: input `image` [batch, 3, 224, 224], output `logits` [batch, 1000]."""

    def write(path: Path) -> None:
        sample = torch.zeros(batch, 3, 224, 224)
        export(seeded(), (sample,), path, [INPUT], [OUTPUT])

    return cached(f"resnet50-b{batch}.onnx", write)


if __name__ == "__main__":
    print(onnx_file())
