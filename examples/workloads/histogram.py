"""How often each of 256 values occurs in a picture."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from examples.workloads.filters import grey, inputs
from examples.workloads.workload import Arrays, Workload, exported

BINS = 256


class Histogram(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = image.flatten().to(torch.int64)
        bins = torch.zeros(BINS, dtype=torch.int32)
        return bins.scatter_add(0, values, torch.ones_like(values, dtype=torch.int32))


def reference(image: np.ndarray) -> Arrays:
    return (np.bincount(image.ravel(), minlength=BINS).astype(np.int32),)


HISTOGRAM = Workload(
    "histogram",
    f"histogram of {BINS} bins, {grey().shape[0]} × {grey().shape[1]} pixels",
    partial(exported, "histogram", Histogram, inputs, ["counts"]),
    inputs,
    reference,
    tolerance=0,
    operation="pixel",
    count=grey().size,
)
