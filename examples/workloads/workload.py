"""What every workload has: a model file, inputs of a real size, what must come out, and what of it is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from examples.models.cache import cached, export

Arrays = tuple[np.ndarray, ...]
Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Workload:
    """A tensor program beside an independent computation of the same.

    `reference` takes the inputs by name. `tolerance` is the largest difference of any element, as a share of the
    output's largest value; 0 where integers have to be equal. `count` of `operation` is what one call does.
    """

    name: str
    title: str
    onnx_file: Callable[[], Path]
    inputs: Callable[[], Inputs]
    reference: Callable[..., Arrays]
    tolerance: float
    operation: str
    count: int
    options: Callable[[], Mapping] = field(default=dict)  # further ones of `tetrarch.compile`


def exported(
    name: str, module: Callable[[], torch.nn.Module], inputs: Callable[[], Inputs], outputs: Sequence[str]
) -> Path:
    """The ONNX file of a PyTorch module, made when it is missing."""

    def write(path: Path) -> None:
        arrays = inputs()
        sample = tuple(torch.from_numpy(array) for array in arrays.values())
        export(module(), sample, path, list(arrays), outputs)

    return cached(f"workload-{name}.onnx", write)
