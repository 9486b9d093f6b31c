"""Vision transformer (Dosovitskiy et al. 2020), weights from a seed: an image to the logits of its classes."""

from __future__ import annotations

import torch
from torch import nn

from examples.models.family import Network
from examples.models.transformer import Block


class Vit(nn.Module):
    """float32 [batch, 3, size, size] to logits [batch, classes]."""

    def __init__(self, layers: int, width: int, heads: int, size: int, patch: int = 16, classes: int = 1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.5)
        self.blocks = nn.Sequential(
            *(Block(width, heads, 4 * width, epsilon=1e-6, whole=True) for _ in range(layers))
        )
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.first.expand(x.shape[0], -1, -1), x), 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


def images(size: int, batch: int):
    return lambda: {"image": torch.randn(batch, 3, size, size)}


BATCH = {"image": {0: "batch"}}
SMALL = (
    Network("vit-small", lambda: Vit(2, 64, 4, 64, classes=10), images(64, 2), ("logits",), BATCH, opset=17),
)
FULL = (Network("vit-b16", lambda: Vit(12, 768, 12, 224), images(224, 1), ("logits",), BATCH),)
