"""What every made network has in common: weights from a seed, an exporter, and a call that shows it at work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.models.cache import cached, export, export_script

Axes = Mapping[str, Mapping[int, str]]  # of an input: which of its axes has which named size
Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Network:
    """One network in one size: its weights come from a seed, so they mean nothing; its arithmetic is the real one's.

    `make` builds the module, `inputs` what it is exported with, in the order of its arguments; `calls` are further
    ones that `axes` allow, by name. `opset` chooses the exporter: 18 is PyTorch's of today (dynamo), older ones are
    written by the one before it (TorchScript), whose files are the most common ones. The weights of a `large` one, of
    more than 2 GB, lie in a file of their own.
    """

    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]
    outputs: tuple[str, ...]
    axes: Axes = field(default_factory=dict)
    calls: Mapping[str, Callable[[], Inputs]] = field(default_factory=dict)
    opset: int = 18
    large: bool = False
    seed: int = 7

    def module(self) -> nn.Module:
        """The network in eval mode, its weights drawn from the seed."""
        torch.manual_seed(self.seed)
        network = self.make()
        draw_weights(network)
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            calibrate(network, *self.inputs().values())
        return network.eval()

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """Inputs of each call by its name, always the same; of the one that it is exported with when it has no others."""
        made = {}
        for call, inputs in (self.calls or {"call": self.inputs}).items():
            torch.manual_seed(self.seed)
            made[call] = {name: tensor.numpy() for name, tensor in inputs().items()}
        return made

    def onnx_file(self) -> Path:
        """The ONNX file, made when it is missing."""
        if not self.large:
            return cached(f"{self.name}.onnx", self.write)

        def write(folder: Path) -> None:
            folder.mkdir()
            self.write(folder / "model.onnx")

        return cached(self.name, write) / "model.onnx"

    def write(self, path: Path) -> None:
        """Export to `path`."""
        torch.manual_seed(self.seed)
        inputs, module = self.inputs(), self.module()
        if self.opset < 18:
            export_script(module, inputs, path, self.outputs, self.axes, self.opset)
            return
        dynamic = self.dynamic_shapes(module)
        arguments = tuple(inputs.values())
        export(module, arguments, path, tuple(inputs), self.outputs, dynamic, external_data=self.large)

    def dynamic_shapes(self, module: nn.Module) -> tuple | None:
        """`axes` as torch.export wants them: for each argument of forward, the starred one's in a tuple."""
        if not self.axes:
            return None
        named = [self.axes.get(name) for name in self.inputs()]
        kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            return tuple(named)
        plain = kinds.index(inspect.Parameter.VAR_POSITIONAL)
        return *named[:plain], tuple(named[plain:])


def draw_weights(network: nn.Module) -> None:
    """Weights with which activations keep their size from layer to layer, and no norm or bias is trivial."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.5)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)


def calibrate(network: nn.Module, image: torch.Tensor) -> None:
    """Let batch norm learn its statistics from noise of the image's size."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are the plain mean over all batches seen
    network.train()
    with torch.no_grad():
        network(torch.randn(8, *image.shape[1:]))
