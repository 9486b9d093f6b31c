"""A detector with the layers of YOLOv8 (C2f, SPPF, a pyramid down and up again), and the heads of v8 and v5.

Weights come from a seed. Boxes come out decoded, in pixels, as the exported files of both have them; which of them
to keep (non-maximum suppression) is left to the caller there too.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from examples.models.family import Network

STRIDES = (8, 16, 32)
BINS = 16  # v8: each side of a box is a mean over this many distances
V5_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


class Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.activation = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels: int, around: bool):
        super().__init__()
        self.layers = nn.Sequential(Conv(channels, channels, 3), Conv(channels, channels, 3))
        self.around = around

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.around else self.layers(x)


class C2f(nn.Module):
    """Half goes through a row of bottlenecks; all of their outputs are joined."""

    def __init__(self, inputs: int, outputs: int, count: int, around: bool = False):
        super().__init__()
        half = outputs // 2
        self.enter = Conv(inputs, 2 * half)
        self.blocks = nn.ModuleList(Bottleneck(half, around) for _ in range(count))
        self.leave = Conv((2 + count) * half, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = list(self.enter(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class SPPF(nn.Module):
    """Maxima over 5, 9 and 13 pixels, by pooling three times."""

    def __init__(self, channels: int):
        super().__init__()
        self.enter, self.leave = Conv(channels, channels // 2), Conv(channels * 2, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class DistributionHead(nn.Module):
    """v8: distances of the four sides as distributions, classes apart. [batch, 4 + classes, places]."""

    def __init__(self, channels: list[int], classes: int):
        super().__init__()
        sides, scores = max(16, channels[0] // 4, BINS * 4), max(channels[0], min(classes, 100))

        def branch(inputs: int, inner: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(Conv(inputs, inner, 3), Conv(inner, inner, 3), nn.Conv2d(inner, outputs, 1))

        self.sides = nn.ModuleList(branch(inputs, sides, 4 * BINS) for inputs in channels)
        self.scores = nn.ModuleList(branch(inputs, scores, classes) for inputs in channels)
        self.classes = classes
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32).reshape(1, BINS, 1, 1))

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        joined, centres, strides = [], [], []
        for level, side, score, stride in zip(levels, self.sides, self.scores, STRIDES, strict=True):
            both = torch.cat((side(level), score(level)), 1)
            joined.append(both.view(level.shape[0], 4 * BINS + self.classes, -1))
            rows, columns = level.shape[2], level.shape[3]
            y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
            centres.append(torch.stack((x, y)).reshape(2, -1))
            strides.append(torch.full((1, rows * columns), float(stride)))
        side, score = torch.cat(joined, 2).split((4 * BINS, self.classes), 1)
        side = side.view(side.shape[0], 4, BINS, -1).transpose(1, 2).softmax(1)
        near, far = nn.functional.conv2d(side, self.bins)[:, 0].chunk(2, 1)
        place = torch.cat(centres, 1)[None]
        low, high = place - near, place + far
        boxes = torch.cat(((low + high) / 2, high - low), 1) * torch.cat(strides, 1)
        return torch.cat((boxes, score.sigmoid()), 1)


class AnchorHead(nn.Module):
    """v5: three anchors a place, each with box, certainty and classes. [batch, places, 5 + classes]."""

    def __init__(self, channels: list[int], classes: int):
        super().__init__()
        self.each = classes + 5
        self.layers = nn.ModuleList(nn.Conv2d(inputs, 3 * self.each, 1) for inputs in channels)
        self.register_buffer("anchors", torch.tensor(V5_ANCHORS, dtype=torch.float32).view(3, 1, 3, 1, 1, 2))

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        found = []
        for index, (level, layer) in enumerate(zip(levels, self.layers, strict=True)):
            x = layer(level)
            batch, _, rows, columns = x.shape
            x = x.view(batch, 3, self.each, rows, columns).permute(0, 1, 3, 4, 2).contiguous()
            y, places = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            grid = torch.stack((places, y), 2).expand(1, 3, rows, columns, 2).float() - 0.5
            centre, size, rest = x.sigmoid().split((2, 2, self.each - 4), 4)
            centre = (centre * 2 + grid) * STRIDES[index]
            size = (size * 2) ** 2 * self.anchors[index]
            found.append(torch.cat((centre, size, rest), 4).view(batch, 3 * rows * columns, self.each))
        return torch.cat(found, 1)


class Yolo(nn.Module):
    """float32 [batch, 3, height, width], both multiples of 32, to the decoded boxes of each head."""

    def __init__(self, *heads: type[nn.Module], width: float = 0.25, depth: float = 1 / 3, classes: int = 80):
        super().__init__()
        c1, c2, c3, c4, c5 = (math.ceil(c * width / 8) * 8 for c in (64, 128, 256, 512, 1024))
        few, many = (max(1, round(count * depth)) for count in (3, 6))
        self.stem = nn.Sequential(Conv(3, c1, 3, 2), Conv(c1, c2, 3, 2), C2f(c2, c2, few, True))
        self.third = nn.Sequential(Conv(c2, c3, 3, 2), C2f(c3, c3, many, True))
        self.fourth = nn.Sequential(Conv(c3, c4, 3, 2), C2f(c4, c4, many, True))
        self.fifth = nn.Sequential(Conv(c4, c5, 3, 2), C2f(c5, c5, few, True), SPPF(c5))
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.up4, self.up3 = C2f(c5 + c4, c4, few), C2f(c4 + c3, c3, few)
        self.down3, self.down4 = Conv(c3, c3, 3, 2), Conv(c4, c4, 3, 2)
        self.out4, self.out5 = C2f(c3 + c4, c4, few), C2f(c4 + c5, c5, few)
        self.heads = nn.ModuleList(head([c3, c4, c5], classes) for head in heads)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        third = self.third(self.stem(image))
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        up4 = self.up4(torch.cat((self.up(fifth), fourth), 1))
        out3 = self.up3(torch.cat((self.up(up4), third), 1))
        out4 = self.out4(torch.cat((self.down3(out3), up4), 1))
        out5 = self.out5(torch.cat((self.down4(out4), fifth), 1))
        return tuple(head([out3, out4, out5]) for head in self.heads)


def images(size: int):
    return lambda: {"images": torch.rand(1, 3, size, size)}


SIZES = {"images": {0: "batch", 2: "height", 3: "width"}}
SMALL = (
    Network(
        "yolo-small",
        lambda: Yolo(DistributionHead, AnchorHead, width=1 / 64, depth=1 / 6, classes=7),
        images(64),
        ("v8", "v5"),
        SIZES,
        opset=12,
    ),
)
FULL = (
    Network("yolo-v8n", lambda: Yolo(DistributionHead), images(640), ("boxes",)),
    Network("yolo-v5n", lambda: Yolo(AnchorHead), images(640), ("boxes",), SIZES, opset=12),
)
