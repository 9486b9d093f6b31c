"""GPT-2 (Radford et al. 2019) with key-value cache, weights from a seed.

One file serves both steps of generating text: the prompt with an empty cache, then each new token with the cache that
the step before gave back. Batch, new tokens and tokens in the cache are named dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from examples.models.family import Network
from examples.models.transformer import join_heads, perceptron, split_heads

POSITIONS = 1024


@dataclass(frozen=True)
class Size:
    layers: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 50257


class Layer(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.heads = size.heads
        self.attention_norm, self.norm = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.qkv, self.out = nn.Linear(size.width, 3 * size.width), nn.Linear(size.width, size.width)
        self.perceptron = perceptron(size.width, 4 * size.width, nn.GELU("tanh"))
        order = torch.ones(POSITIONS, POSITIONS, dtype=torch.bool).tril()
        self.register_buffer("order", order[None, None], persistent=False)

    def forward(
        self, x: torch.Tensor, padding: torch.Tensor, past_key: torch.Tensor, past_value: torch.Tensor
    ):
        parts = self.qkv(self.attention_norm(x)).split(x.shape[-1], 2)
        query, key, value = (split_heads(part, self.heads) for part in parts)
        key, value = torch.cat((past_key, key), 2), torch.cat((past_value, value), 2)
        scores = query @ key.transpose(-1, -2) / (query.shape[-1] ** 0.5)
        seen = self.order[:, :, key.shape[2] - query.shape[2] : key.shape[2], : key.shape[2]]
        scores = torch.where(seen, scores, torch.finfo(scores.dtype).min) + padding
        x = x + self.out(join_heads(torch.softmax(scores, -1) @ value))
        return x + self.perceptron(self.norm(x)), key, value


class Gpt2(nn.Module):
    """int64 ids [batch, sequence], mask [batch, past + sequence], and for each layer the keys and values of the past,
    [batch, heads, past, width / heads], to logits [batch, sequence, vocabulary] and the keys and values with the new."""

    def __init__(self, size: Size):
        super().__init__()
        self.words, self.positions = (
            nn.Embedding(size.vocabulary, size.width),
            nn.Embedding(POSITIONS, size.width),
        )
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)
        self.head.weight = self.words.weight  # shared

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, *past: torch.Tensor) -> tuple[torch.Tensor, ...]:
        places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        x = self.words(ids) + self.positions(places)
        padding = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        present = []
        for index, layer in enumerate(self.layers):
            x, key, value = layer(x, padding, past[2 * index], past[2 * index + 1])
            present += [key, value]
        return self.head(self.norm(x)), *present


def cache_names(layers: int, prefix: str) -> list[str]:
    return [f"{prefix}.{layer}.{part}" for layer in range(layers) for part in ("key", "value")]


def step(size: Size, batch: int, sequence: int, past: int):
    """Inputs of one step: the prompt when `past` is 0. The first sentence is padded on the left."""

    def make() -> dict[str, torch.Tensor]:
        mask = torch.ones(batch, past + sequence, dtype=torch.int64)
        if batch > 1:
            mask[0, :2] = 0
        shape = (batch, size.heads, past, size.width // size.heads)
        cache = {name: torch.randn(shape) for name in cache_names(size.layers, "past_key_values")}
        return {
            "input_ids": torch.randint(0, size.vocabulary, (batch, sequence)),
            "attention_mask": mask,
            **cache,
        }

    return make


def network(name: str, size: Size, batch: int, prompt: int, opset: int) -> Network:
    axes = {"input_ids": {0: "batch", 1: "sequence"}, "attention_mask": {0: "batch", 1: "total"}}
    for cache in cache_names(size.layers, "past_key_values"):
        axes[cache] = {0: "batch", 2: "past"}
    outputs = ("logits", *cache_names(size.layers, "present"))
    calls = {"prompt": step(size, batch, prompt, 0), "next": step(size, batch, 1, prompt)}
    return Network(name, lambda: Gpt2(size), step(size, 2, 3, 5), outputs, axes, calls, opset)


TINY, BASE = Size(2, 64, 4, 500), Size()
SMALL = (network("gpt2-small", TINY, 2, 6, 14), network("gpt2-dynamo-small", TINY, 1, 6, 18))
FULL = (network("gpt2", BASE, 1, 64, 14),)
