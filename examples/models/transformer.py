"""The parts that the transformers here share: attention and a block of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[batch, length, width] to [batch, heads, length, width / heads]."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def join_heads(x: torch.Tensor) -> torch.Tensor:
    batch, heads, length, width = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * width)


class Attention(nn.Module):
    """Queries of `x` look at keys and values of `seen` (of `x` itself by default).

    With `whole`, PyTorch's own attention operator is used, which exporters spell out in their own way; without it the
    scores are an op of their own, as in older models. `mask` is added to the scores.
    """

    def __init__(
        self, width: int, heads: int, seen: int | None = None, bias: bool = True, whole: bool = False
    ):
        super().__init__()
        self.heads, self.whole = heads, whole
        self.query = nn.Linear(width, width, bias)
        self.key, self.value = (nn.Linear(seen or width, width, bias) for _ in range(2))
        self.out = nn.Linear(width, width)

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None, seen: torch.Tensor | None = None
    ) -> torch.Tensor:
        seen = x if seen is None else seen
        key, value = split_heads(self.key(seen), self.heads), split_heads(self.value(seen), self.heads)
        return self.attend(x, key, value, mask)

    def attend(self, x, key, value, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The same with keys and values [batch, heads, length, width / heads] that are there already."""
        query = split_heads(self.query(x), self.heads)
        if self.whole:
            return self.out(
                join_heads(nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask))
            )
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores + mask
        return self.out(join_heads(torch.softmax(scores, -1) @ value))


def perceptron(width: int, inner: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, inner), activation, nn.Linear(inner, width))


class Block(nn.Module):
    """Norm, attention, norm, perceptron: each added to what comes in."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: Callable[[], nn.Module] = nn.GELU,
        epsilon: float = 1e-5,
        whole: bool = False,
    ):
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.attention = Attention(width, heads, whole=whole)
        self.perceptron = perceptron(width, inner, activation())

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.perceptron(self.norm(x))


def causal_mask(length: int) -> torch.Tensor:
    """[length, length]: nothing sees what comes after it."""
    return torch.full((length, length), torch.finfo(torch.float32).min).triu(1)
