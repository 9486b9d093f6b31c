"""Whisper (Radford et al. 2022), weights from a seed: sound to features, and the next token with key-value cache."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from examples.models.family import Network
from examples.models.transformer import Attention, Block, causal_mask, perceptron, split_heads

BANDS = 80


@dataclass(frozen=True)
class Size:
    """`frames` of sound become half as many features. The defaults are Whisper tiny's."""

    layers: int = 4
    width: int = 384
    heads: int = 6
    vocabulary: int = 51865
    frames: int = 3000
    tokens: int = 448


def waves(length: int, width: int) -> torch.Tensor:
    """Sines and cosines that say where each feature is."""
    rates = torch.exp(-math.log(10000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * rates[None]
    return torch.cat((angles.sin(), angles.cos()), 1)


class Encoder(nn.Module):
    """float32 mel spectrogram [batch, 80, frames] to features [batch, frames / 2, width]."""

    def __init__(self, size: Size):
        super().__init__()
        self.first = nn.Conv1d(BANDS, size.width, 3, padding=1)
        self.second = nn.Conv1d(size.width, size.width, 3, 2, 1)
        self.register_buffer("places", waves(size.frames // 2, size.width))
        self.blocks = nn.ModuleList(Block(size.width, size.heads, 4 * size.width) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.first(mel))
        x = nn.functional.gelu(self.second(x)).permute(0, 2, 1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class DecoderLayer(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.itself, self.sound = Attention(size.width, size.heads), Attention(size.width, size.heads)
        self.perceptron = perceptron(size.width, 4 * size.width, nn.GELU())
        self.itself_norm, self.sound_norm, self.norm = (nn.LayerNorm(size.width) for _ in range(3))

    def forward(self, x, features, mask, past_key, past_value):
        y = self.itself_norm(x)
        key, value = (
            split_heads(part(y), self.itself.heads) for part in (self.itself.key, self.itself.value)
        )
        key, value = torch.cat((past_key, key), 2), torch.cat((past_value, value), 2)
        x = x + self.itself.attend(y, key, value, mask)
        x = x + self.sound(self.sound_norm(x), seen=features)
        return x + self.perceptron(self.norm(x)), key, value


class Decoder(nn.Module):
    """int64 tokens [batch, sequence], features, and for each layer the keys and values of tokens before
    [batch, heads, past, width / heads] to logits [batch, sequence, vocabulary] and the keys and values with the new."""

    def __init__(self, size: Size):
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.width)
        self.places = nn.Parameter(torch.randn(size.tokens, size.width) * 0.5)
        self.layers = nn.ModuleList(DecoderLayer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.register_buffer("mask", causal_mask(size.tokens), persistent=False)

    def forward(
        self, tokens: torch.Tensor, features: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        before, total = past[0].shape[2], past[0].shape[2] + tokens.shape[1]
        x = self.words(tokens) + self.places[before:total]
        present = []
        for index, layer in enumerate(self.layers):
            mask = self.mask[before:total, :total]
            x, key, value = layer(x, features, mask, past[2 * index], past[2 * index + 1])
            present += [key, value]
        return self.norm(x) @ self.words.weight.T, *present


def cache_names(layers: int, prefix: str) -> list[str]:
    return [f"{prefix}.{layer}.{part}" for layer in range(layers) for part in ("key", "value")]


def sound(size: Size, batch: int = 1):
    return lambda: {"mel": torch.randn(batch, BANDS, size.frames)}


def step(size: Size, sequence: int, past: int):
    """Inputs of one step of the decoder: the first one when `past` is 0."""

    def make() -> dict[str, torch.Tensor]:
        shape = (1, size.heads, past, size.width // size.heads)
        cache = {name: torch.randn(shape) for name in cache_names(size.layers, "past")}
        tokens = torch.randint(0, size.vocabulary, (1, sequence))
        return {"tokens": tokens, "features": torch.randn(1, size.frames // 2, size.width), **cache}

    return make


def networks(name: str, size: Size, opset: int) -> tuple[Network, Network]:
    """Encoder and decoder."""
    axes = {"tokens": {1: "sequence"}}
    axes |= {cache: {2: "past"} for cache in cache_names(size.layers, "past")}
    outputs = ("logits", *cache_names(size.layers, "present"))
    calls = {"first": step(size, 4, 0), "next": step(size, 1, 4)}
    return (
        Network(f"{name}-encoder", lambda: Encoder(size), sound(size), ("features",), opset=opset),
        Network(f"{name}-decoder", lambda: Decoder(size), step(size, 3, 4), outputs, axes, calls, opset),
    )


TINY = Size(2, 64, 4, 500, 60, 32)
SMALL = networks("whisper-small", TINY, 17)
FULL = networks("whisper-tiny", Size(), 17)
