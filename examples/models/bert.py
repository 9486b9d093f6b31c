"""BERT (Devlin et al. 2018), weights from a seed: tokens to a vector each and one for the whole."""

from __future__ import annotations

import torch
from torch import nn

from examples.models.family import Network
from examples.models.transformer import Attention, perceptron

VOCABULARY, POSITIONS, TYPES, EPSILON = 30522, 512, 2, 1e-12


class Layer(nn.Module):
    """Attention and a perceptron, each added to what comes in and normalised."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attention = Attention(width, heads)
        self.perceptron = perceptron(width, 4 * width, nn.GELU())
        self.attention_norm, self.norm = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.perceptron(x))


class Bert(nn.Module):
    """int64 ids, mask and types [batch, length] to hidden [batch, length, width] and pooled [batch, width]."""

    def __init__(self, layers: int, width: int, heads: int, vocabulary: int = VOCABULARY):
        super().__init__()
        self.words, self.types = nn.Embedding(vocabulary, width), nn.Embedding(TYPES, width)
        self.positions = nn.Embedding(POSITIONS, width)
        self.register_buffer("places", torch.arange(POSITIONS)[None])
        self.norm = nn.LayerNorm(width, EPSILON)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.pool = nn.Linear(width, width)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        places = self.places[:, : ids.shape[1]]
        x = self.norm(self.words(ids) + self.types(types) + self.positions(places))
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer(x, bias)
        return x, torch.tanh(self.pool(x[:, 0]))


def sentences(vocabulary: int, length: int, batch: int = 2):
    """Token ids, the last ones of the last sentence being padding, and its second half being of type 1."""

    def make() -> dict[str, torch.Tensor]:
        mask = torch.ones(batch, length, dtype=torch.int64)
        mask[-1, length * 3 // 4 :] = 0
        types = (torch.arange(length) >= length // 2).long().expand(batch, length).contiguous()
        ids = torch.randint(0, vocabulary, (batch, length))
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}

    return make


AXES = {name: {0: "batch", 1: "sequence"} for name in ("input_ids", "attention_mask", "token_type_ids")}
OUTPUTS = ("last_hidden_state", "pooler_output")
SMALL = (Network("bert-small", lambda: Bert(2, 64, 4, 500), sentences(500, 24), OUTPUTS, AXES, opset=11),)
FULL = (
    Network("bert-base", lambda: Bert(12, 768, 12), sentences(VOCABULARY, 128, 1), OUTPUTS, AXES, opset=14),
)
