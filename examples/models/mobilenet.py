"""MobileNetV2 (Sandler et al. 2018) and MobileNetV3-Large and -Small (Howard et al. 2019), weights from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from examples.models.family import Network

# Expansion, channels, blocks, stride of the first one.
V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class Block:
    """One row of the papers' tables."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    activation: type[nn.Module]
    stride: int


R, H = nn.ReLU, nn.Hardswish
V3_LARGE = (
    Block(3, 16, 16, False, R, 1),
    Block(3, 64, 24, False, R, 2),
    Block(3, 72, 24, False, R, 1),
    Block(5, 72, 40, True, R, 2),
    Block(5, 120, 40, True, R, 1),
    Block(5, 120, 40, True, R, 1),
    Block(3, 240, 80, False, H, 2),
    Block(3, 200, 80, False, H, 1),
    Block(3, 184, 80, False, H, 1),
    Block(3, 184, 80, False, H, 1),
    Block(3, 480, 112, True, H, 1),
    Block(3, 672, 112, True, H, 1),
    Block(5, 672, 160, True, H, 2),
    Block(5, 960, 160, True, H, 1),
    Block(5, 960, 160, True, H, 1),
)
V3_SMALL = (
    Block(3, 16, 16, True, R, 2),
    Block(3, 72, 24, False, R, 2),
    Block(3, 88, 24, False, R, 1),
    Block(5, 96, 40, True, H, 2),
    Block(5, 240, 40, True, H, 1),
    Block(5, 240, 40, True, H, 1),
    Block(5, 120, 48, True, H, 1),
    Block(5, 144, 48, True, H, 1),
    Block(5, 288, 96, True, H, 2),
    Block(5, 576, 96, True, H, 1),
    Block(5, 576, 96, True, H, 1),
)


def rounded(channels: float) -> int:
    """A multiple of 8, not less than nine tenths of `channels`."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def conv(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] = nn.Identity,
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation())


class SqueezeExcite(nn.Module):
    """Scales each channel by what the mean of all channels says."""

    def __init__(self, channels: int):
        super().__init__()
        inner = rounded(channels / 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sequential(
            nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(self.pool(x))


class InvertedResidual(nn.Module):
    """1x1 up, depthwise, 1x1 down; around it where shapes allow."""

    def __init__(self, inputs: int, row: Block):
        super().__init__()
        layers: list[nn.Module] = []
        if row.expanded != inputs:
            layers.append(conv(inputs, row.expanded, activation=row.activation))
        layers.append(conv(row.expanded, row.expanded, row.kernel, row.stride, row.expanded, row.activation))
        if row.squeeze:
            layers.append(SqueezeExcite(row.expanded))
        layers.append(conv(row.expanded, row.channels))
        self.layers = nn.Sequential(*layers)
        self.around = row.stride == 1 and inputs == row.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.around else y


class MobileNet(nn.Module):
    """float32 [batch, 3, height, width] to the logits of `classes` classes."""

    def __init__(self, stem: int, rows: list[Block], last: int, hidden: int, activation, classes: int = 1000):
        super().__init__()
        blocks: list[nn.Module] = [conv(3, stem, 3, 2, activation=activation)]
        inputs = stem
        for row in rows:
            blocks.append(InvertedResidual(inputs, row))
            inputs = row.channels
        blocks.append(conv(inputs, last, activation=activation))
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        hide = [nn.Linear(last, hidden), activation()] if hidden else []
        self.head = nn.Sequential(*hide, nn.Linear(hidden or last, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.pool(self.features(x)), 1))


def v2(width: float = 1.0, stages: int = len(V2_STAGES)) -> MobileNet:
    """With the first `stages` stages, all channels scaled by `width`."""
    rows, inputs = [], rounded(32 * width)
    for expansion, channels, count, stride in V2_STAGES[:stages]:
        for index in range(count):
            outputs = rounded(channels * width)
            first = stride if index == 0 else 1
            rows.append(Block(3, expansion * inputs, outputs, False, nn.ReLU6, first))
            inputs = outputs
    return MobileNet(rounded(32 * width), rows, rounded(1280 * max(1.0, width)), 0, nn.ReLU6)


def v3(table: tuple[Block, ...], hidden: int, width: float = 1.0) -> MobileNet:
    """With the blocks of `table` and `hidden` units before the classes, all channels scaled by `width`."""

    def scaled(channels: int) -> int:
        return rounded(channels * width)

    rows = [
        Block(row.kernel, scaled(row.expanded), scaled(row.channels), row.squeeze, row.activation, row.stride)
        for row in table
    ]
    last = 6 * rows[-1].channels
    return MobileNet(scaled(16), rows, last, scaled(hidden), nn.Hardswish)


def images(size: int):
    return lambda: {"image": torch.randn(2 if size < 100 else 1, 3, size, size)}


BATCH = {"image": {0: "batch"}}
SMALL = (
    Network("mobilenet-v2-short", lambda: v2(0.25, 3), images(32), ("logits",), BATCH, opset=11),
    Network(
        "mobilenet-v3-short", lambda: v3(V3_SMALL[:5], 1024, 0.25), images(32), ("logits",), BATCH, opset=14
    ),
)
FULL = (
    Network("mobilenet-v2", v2, images(224), ("logits",), BATCH),
    Network("mobilenet-v3-small", lambda: v3(V3_SMALL, 1024), images(224), ("logits",), BATCH),
    Network("mobilenet-v3-large", lambda: v3(V3_LARGE, 1280), images(224), ("logits",), BATCH, opset=14),
)
