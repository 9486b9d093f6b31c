"""Small networks for scikit-learn's handwritten digits, trained here: a CNN, an MLP, and an MLP of ternary weights.

python -m examples.workloads.digits        trains them and prints how many of the held-out digits each names right
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import tetrarch
from examples.models.cache import cached, export
from examples.workloads.graph import Graph
from examples.workloads.workload import Arrays, Inputs, Workload

SEED = 64
EPOCHS, BATCH, RATE = 25, 32, 3e-3
SIDE, GREATEST, CLASSES = 8, 16, 10
HIDDEN = 64
CALIBRATION = 64  # digits, of those that it was trained with


@dataclass(frozen=True)
class Digits:
    """Pictures, float32 [count, 1, 8, 8] from 0 to 1, and what they show."""

    pictures: np.ndarray
    classes: np.ndarray


def digits() -> tuple[Digits, Digits]:
    """Those to train with, and every fourth, which is held out; as many of each class."""
    bunch = load_digits()
    pictures = (bunch.images[:, None] / GREATEST).astype(np.float32)
    split = train_test_split(pictures, bunch.target, test_size=0.25, random_state=SEED, stratify=bunch.target)
    seen, held_out, seen_classes, held_out_classes = split
    return Digits(seen, seen_classes), Digits(held_out, held_out_classes)


def ternary(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """-1, 0 and 1, and the factor of each output with which they come near `weight` (Li et al. 2016)."""
    signs = torch.sign(weight) * (weight.abs() > 0.7 * weight.abs().mean(1, keepdim=True))
    kept = signs.abs().sum(1, keepdim=True).clamp(min=1)
    return signs, (weight * signs).sum(1, keepdim=True) / kept


class TernaryLinear(nn.Linear):
    """A layer whose weights are ternary; gradients reach the ones below as if they were not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signs, scale = ternary(self.weight)
        weight = self.weight + (signs * scale - self.weight).detach()
        return functional.linear(x, weight, self.bias)


def perceptron(layer: type[nn.Linear] = nn.Linear) -> nn.Module:
    layers = (layer(SIDE * SIDE, HIDDEN), nn.ReLU(), layer(HIDDEN, HIDDEN), nn.ReLU(), layer(HIDDEN, CLASSES))
    return nn.Sequential(nn.Flatten(), *layers)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * (SIDE // 2) ** 2, CLASSES),
    )


def trained(make: Callable[[], nn.Module]) -> nn.Module:
    """The network after EPOCHS passes over the digits, always the same."""
    torch.set_num_threads(1)  # such small tensors only wait for further ones
    torch.manual_seed(SEED)
    network, (seen, _) = make(), digits()
    pictures, classes = torch.from_numpy(seen.pictures), torch.from_numpy(seen.classes)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pictures)).split(BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(network(pictures[chosen]), classes[chosen]).backward()
            optimiser.step()
        schedule.step()
    return network.eval()


def write_float(make: Callable[[], nn.Module], path: Path) -> None:
    sample = torch.zeros(1, 1, SIDE, SIDE)
    export(trained(make), (sample,), path, ["picture"], ["logits"], ({0: "batch"},))


def write_ternary(path: Path) -> None:
    """As a quantised model: ternary weights with a scale an output, 8-bit activations with one scale a tensor."""
    network, (seen, _) = trained(partial(perceptron, TernaryLinear)), digits()
    g, x = Graph(), torch.from_numpy(seen.pictures).flatten(1)
    value = g.Flatten(g.input("picture", np.float32, ["batch", 1, SIDE, SIDE]))
    step = 1 / GREATEST  # of a picture: its values are these multiples
    for layer in (layer for layer in network if isinstance(layer, nn.Linear)):
        signs, scale = (part.detach().numpy() for part in ternary(layer.weight))
        weight = g.DequantizeLinear(
            np.ascontiguousarray(signs.T, np.int8), scale.ravel(), np.zeros(len(scale), np.int8), axis=1
        )
        value = g.MatMul(quantised(g, value, step), weight)
        value = g.Add(value, layer.bias.detach().numpy())
        if layer is not network[-1]:
            value = g.Relu(value)
            x = torch.relu(layer(x)).detach()
            step = float(x.max()) / 127
    g.output("logits", value, np.float32, ["batch", CLASSES])
    g.save(path)


def quantised(g: Graph, value: str, step: float) -> str:
    """`value` in multiples of `step`, of 8 bits."""
    parameters = np.array(step, np.float32), np.array(0, np.int8)
    return g.DequantizeLinear(g.QuantizeLinear(value, *parameters), *parameters)


@dataclass(frozen=True)
class Classifier:
    """One of the networks, and how it becomes integers."""

    name: str
    title: str
    write: Callable[[Path], None]
    products: int  # multiply-adds of one digit
    is_quantised: bool = False  # by its file

    def onnx_file(self) -> Path:
        """The ONNX file: input `picture` [batch, 1, 8, 8], output `logits` [batch, 10]."""
        return cached(f"workload-{self.name}.onnx", self.write)

    def options(self) -> Mapping:
        if self.is_quantised:
            return {}
        return {"quantize": "int8", "calibration": [{"picture": digits()[0].pictures[:CALIBRATION]}]}

    def reference(self, picture: np.ndarray) -> Arrays:
        """The file as ONNX Runtime computes it: in floats, between quantised ones if it has them."""
        session = onnxruntime.InferenceSession(str(self.onnx_file()), providers=["CPUExecutionProvider"])
        return tuple(session.run(None, {"picture": picture}))

    def accuracies(self) -> tuple[float, float]:
        """The share of the held-out digits that is named right: by the file's floats, and by Tetrarch's integers."""
        _, held_out = digits()
        program = tetrarch.compile(self.onnx_file(), dims={"batch": 1}, measure=False, **self.options())
        integers = np.concatenate([program(picture[None]) for picture in held_out.pictures])
        answers = self.reference(held_out.pictures)[0], integers
        return tuple(float((logits.argmax(1) == held_out.classes).mean()) for logits in answers)

    def workload(self) -> Workload:
        return Workload(
            self.name,
            self.title,
            self.onnx_file,
            inputs,
            self.reference,
            tolerance=0.1,
            operation="digit",
            count=1,
            options=self.options,
        )


def inputs() -> Inputs:
    return {"picture": digits()[1].pictures[:1]}


PERCEPTRON_PRODUCTS = SIDE * SIDE * HIDDEN + HIDDEN * HIDDEN + HIDDEN * CLASSES
CONVOLUTION_PRODUCTS = SIDE * SIDE * 9 * (16 + 16 * 16) + 16 * (SIDE // 2) ** 2 * CLASSES
CLASSIFIERS = (
    Classifier("digits-cnn", "a digit by a CNN", partial(write_float, convolutional), CONVOLUTION_PRODUCTS),
    Classifier("digits-mlp", "a digit by an MLP", partial(write_float, perceptron), PERCEPTRON_PRODUCTS),
    Classifier(
        "digits-ternary", "a digit by an MLP of ternary weights", write_ternary, PERCEPTRON_PRODUCTS, True
    ),
)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for classifier in CLASSIFIERS:
        floats, integers = classifier.accuracies()
        print(
            f"{classifier.name}: {floats:.1%} of {len(digits()[1].classes)} held-out digits by the file, "
            f"{integers:.1%} by integers"
        )


if __name__ == "__main__":
    main()
