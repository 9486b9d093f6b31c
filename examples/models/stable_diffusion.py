"""The three networks of Stable Diffusion 1.5 (Rombach et al. 2022), weights from a seed.

The text encoder makes vectors of a prompt's tokens; the U-Net takes noise away, many times; the decoder makes an
image of what is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from examples.models.family import Network
from examples.models.transformer import Attention, Block, causal_mask

GROUPS, EPSILON = 32, 1e-5


@dataclass(frozen=True)
class Size:
    """The defaults are the published network's. `latent` is an eighth of the image's side."""

    layers: int = 12
    text_width: int = 768
    text_heads: int = 12
    vocabulary: int = 49408
    tokens: int = 77
    widths: tuple[int, ...] = (320, 640, 1280, 1280)
    heads: int = 8
    blocks: int = 2
    image_widths: tuple[int, ...] = (128, 256, 512, 512)
    latent: int = 64


class QuickGelu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class TextEncoder(nn.Module):
    """int64 tokens [batch, 77] to vectors [batch, 77, width]: CLIP's."""

    def __init__(self, size: Size):
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.text_width)
        self.places = nn.Embedding(size.tokens, size.text_width)
        inner = 4 * size.text_width
        self.blocks = nn.ModuleList(
            Block(size.text_width, size.text_heads, inner, QuickGelu) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(size.text_width)
        self.register_buffer("mask", causal_mask(size.tokens), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        x = self.words(tokens) + self.places.weight[:length]
        for block in self.blocks:
            x = block(x, self.mask[:length, :length])
        return self.norm(x)


class Residual(nn.Module):
    """Two convolutions around which the input goes; `time`, where there is one, is added between them."""

    def __init__(self, inputs: int, outputs: int, time: int = 0):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, inputs, EPSILON), nn.GroupNorm(GROUPS, outputs, EPSILON)
        self.conv1, self.conv2 = nn.Conv2d(inputs, outputs, 3, 1, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.time = nn.Linear(time, outputs) if time else None
        self.around = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor | None = None) -> torch.Tensor:
        y = self.conv1(nn.functional.silu(self.norm1(x)))
        if self.time is not None:
            y = y + self.time(nn.functional.silu(time))[:, :, None, None]
        return self.around(x) + self.conv2(nn.functional.silu(self.norm2(y)))


class GatedPerceptron(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.enter, self.leave = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = self.enter(x).chunk(2, -1)
        return self.leave(value * nn.functional.gelu(gate))


class SpatialTransformer(nn.Module):
    """Each pixel looks at all pixels, then at the prompt."""

    def __init__(self, width: int, size: Size):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width, 1e-6)
        self.enter, self.leave = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.itself = Attention(width, size.heads, bias=False, whole=True)
        self.prompt = Attention(width, size.heads, size.text_width, bias=False, whole=True)
        self.perceptron = GatedPerceptron(width)

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        batch, width, rows, columns = image.shape
        x = self.enter(self.norm(image)).permute(0, 2, 3, 1).reshape(batch, rows * columns, width)
        x = x + self.itself(self.norms[0](x))
        x = x + self.prompt(self.norms[1](x), seen=text)
        x = x + self.perceptron(self.norms[2](x))
        return image + self.leave(x.reshape(batch, rows, columns, width).permute(0, 3, 1, 2))


class Upsample(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.Module):
    """A residual block and, where `looks`, a transformer."""

    def __init__(self, inputs: int, outputs: int, size: Size, looks: bool):
        super().__init__()
        self.residual = Residual(inputs, outputs, 4 * size.widths[0])
        self.transformer = SpatialTransformer(outputs, size) if looks else None

    def forward(self, x: torch.Tensor, time: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        x = self.residual(x, time)
        return x if self.transformer is None else self.transformer(x, text)


class UNet(nn.Module):
    """float32 latent [batch, 4, rows, columns], time [batch] and text [batch, tokens, width] to the noise in it."""

    def __init__(self, size: Size):
        super().__init__()
        widths, last = size.widths, len(size.widths) - 1
        self.first_width, time = widths[0], 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], time), nn.SiLU(), nn.Linear(time, time))
        self.enter = nn.Conv2d(4, widths[0], 3, 1, 1)
        self.down, self.shrink, kept, inputs = nn.ModuleList(), nn.ModuleList(), [widths[0]], widths[0]
        for level, width in enumerate(widths):
            for _ in range(size.blocks):
                self.down.append(Stage(inputs, width, size, level < last))
                kept.append(inputs := width)
            if level < last:
                self.shrink.append(nn.Conv2d(width, width, 3, 2, 1))
                kept.append(width)
        self.middle = Stage(inputs, inputs, size, True)
        self.leave_middle = Residual(inputs, inputs, time)
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(size.blocks + 1):
                self.up.append(Stage(inputs + kept.pop(), width, size, level < last))
                inputs = width
            if level:
                self.grow.append(Upsample(width))
        self.norm, self.leave = nn.GroupNorm(GROUPS, inputs, EPSILON), nn.Conv2d(inputs, 4, 3, 1, 1)
        self.blocks = size.blocks

    def embed(self, time: torch.Tensor) -> torch.Tensor:
        half = self.first_width // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
        angles = time[:, None].float() * rates[None]
        return self.time(torch.cat((angles.cos(), angles.sin()), -1))

    def forward(self, latent: torch.Tensor, time: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        time, x = self.embed(time), self.enter(latent)
        kept = [x]
        for index, stage in enumerate(self.down):
            kept.append(x := stage(x, time, text))
            level, place = divmod(index + 1, self.blocks)
            if place == 0 and level <= len(self.shrink):
                kept.append(x := self.shrink[level - 1](x))
        x = self.leave_middle(self.middle(x, time, text), time)
        for index, stage in enumerate(self.up):
            x = stage(torch.cat((x, kept.pop()), 1), time, text)
            level, place = divmod(index + 1, self.blocks + 1)
            if place == 0 and level <= len(self.grow):
                x = self.grow[level - 1](x)
        return self.leave(nn.functional.silu(self.norm(x)))


class PixelAttention(nn.Module):
    """One head over all pixels."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.attention = nn.GroupNorm(GROUPS, width, 1e-6), Attention(width, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        batch, width, rows, columns = image.shape
        x = self.attention(self.norm(image).view(batch, width, rows * columns).transpose(1, 2))
        return image + x.transpose(1, 2).reshape(batch, width, rows, columns)


class ImageDecoder(nn.Module):
    """float32 latent [batch, 4, rows, columns] to an image [batch, 3, 8 rows, 8 columns]: the decoder of the VAE."""

    def __init__(self, size: Size):
        super().__init__()
        widths = size.image_widths[::-1]
        self.prepare, self.enter = nn.Conv2d(4, 4, 1), nn.Conv2d(4, widths[0], 3, 1, 1)
        layers: list[nn.Module] = [
            Residual(widths[0], widths[0]),
            PixelAttention(widths[0]),
            Residual(widths[0], widths[0]),
        ]
        inputs = widths[0]
        for level, width in enumerate(widths):
            for _ in range(size.blocks + 1):
                layers.append(Residual(inputs, width))
                inputs = width
            if level + 1 < len(widths):
                layers.append(Upsample(width))
        self.layers = nn.Sequential(*layers)
        self.norm, self.leave = nn.GroupNorm(GROUPS, inputs, 1e-6), nn.Conv2d(inputs, 3, 3, 1, 1)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        x = self.layers(self.enter(self.prepare(latent / 0.18215)))
        return self.leave(nn.functional.silu(self.norm(x)))


def networks(
    name: str, size: Size, opset: int, batch: int = 1, large: bool = False
) -> tuple[Network, Network, Network]:
    """Text encoder, U-Net, which may be too large for one file, and image decoder."""

    def tokens() -> dict[str, torch.Tensor]:
        return {"tokens": torch.randint(0, size.vocabulary, (batch, size.tokens))}

    def noise() -> dict[str, torch.Tensor]:
        text = torch.randn(batch, size.tokens, size.text_width)
        latent = torch.randn(batch, 4, size.latent, size.latent)
        return {"latent": latent, "time": torch.full((batch,), 981), "text": text}

    def latent() -> dict[str, torch.Tensor]:
        return {"latent": torch.randn(batch, 4, size.latent, size.latent)}

    return (
        Network(f"{name}-text", lambda: TextEncoder(size), tokens, ("vectors",), opset=opset),
        Network(
            f"{name}-unet",
            lambda: UNet(size),
            noise,
            ("noise",),
            opset=18 if large else opset,
            large=large,
        ),
        Network(f"{name}-image", lambda: ImageDecoder(size), latent, ("image",), opset=opset),
    )


TINY = Size(2, 64, 4, 500, 16, (64, 64), 4, 1, (64, 64), 8)
SMALL = networks("sd-small", TINY, 14)
FULL = networks("sd15", Size(), 17, large=True)
