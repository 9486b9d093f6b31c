"""U-Net (Ronneberger et al. 2015, with padding and batch norm as it is built today), weights from a seed."""

from __future__ import annotations

import torch
from torch import nn

from examples.models.family import Network


def double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """float32 [batch, 3, height, width] to a mask's logits [batch, classes, height, width].

    Height and width are multiples of 2 ** (levels - 1). `transposed` chooses how it goes up: by transposed
    convolutions, or by bilinear interpolation and a 1x1 one.
    """

    def __init__(self, width: int = 64, levels: int = 5, classes: int = 2, transposed: bool = True):
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.down = nn.ModuleList(double(a, b) for a, b in zip([3, *widths], widths, strict=False))
        self.pool = nn.MaxPool2d(2)

        def up(inputs: int) -> nn.Module:
            if transposed:
                return nn.ConvTranspose2d(inputs, inputs // 2, 2, 2)
            bilinear = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            return nn.Sequential(bilinear, nn.Conv2d(inputs, inputs // 2, 1))

        self.up = nn.ModuleList(up(channels) for channels in widths[:0:-1])
        self.joined = nn.ModuleList(double(channels, channels // 2) for channels in widths[:0:-1])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            levels.append(x)
        for up, join, around in zip(self.up, self.joined, levels[-2::-1], strict=True):
            x = join(torch.cat((around, up(x)), 1))
        return self.head(x)


def images(size: int):
    return lambda: {"image": torch.randn(1, 3, size, size)}


SMALL = (
    Network("unet-small", lambda: UNet(8, 3), images(24), ("mask",)),
    Network("unet-bilinear-small", lambda: UNet(8, 3, transposed=False), images(24), ("mask",), opset=11),
)
FULL = (Network("unet", UNet, images(256), ("mask",), opset=17),)
