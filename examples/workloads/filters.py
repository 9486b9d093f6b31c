"""Filters of 3 x 3 pixels: bytes in, and the part of the picture whose neighbours are all in it out."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from examples.models.photographs import photograph
from examples.workloads.workload import Arrays, Inputs, Workload, exported


def grey(name: str = "astronaut") -> np.ndarray:
    """The photograph in grey, uint8 [512, 512]: luma of ITU-R BT.601."""
    weights = np.array([0.299, 0.587, 0.114])
    return np.round(photograph(name) @ weights).astype(np.uint8)


def inputs() -> Inputs:
    return {"image": grey()}


def neighbours(p: torch.Tensor) -> list[list[torch.Tensor]]:
    """The nine shifts of a picture by row and column."""
    height, width = p.shape
    return [[p[i : height - 2 + i, j : width - 2 + j] for j in range(3)] for i in range(3)]


class Sobel(nn.Module):
    """|horizontal| + |vertical| gradient, at most 255."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (a, b, c), (d, _, f), (g, h, i) = neighbours(image.to(torch.int32))
        across = (c - a) + 2 * (f - d) + (i - g)
        down = (g - a) + 2 * (h - b) + (i - c)
        return (across.abs() + down.abs()).clamp(max=255).to(torch.uint8)


class Laplacian(nn.Module):
    """Four neighbours less four times the pixel."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (_, n, _), (w, p, e), (_, s, _) = neighbours(image.to(torch.int32))
        return (n + s + w + e - 4 * p).to(torch.int16)


class Mean(nn.Module):
    """The mean of nine pixels, to the nearest integer."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        total = sum(pixel for row in neighbours(image.to(torch.int32)) for pixel in row)
        return ((total + 4) // 9).to(torch.uint8)


# Pairs to put in order, one after the other; then the median of nine is in place 4 (Paeth, Graphics Gems 1990).
MEDIAN_NETWORK = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


class Median(nn.Module):
    """The median of nine pixels by a network of minima and maxima."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        p = [pixel for row in neighbours(image) for pixel in row]
        for low, high in MEDIAN_NETWORK:
            p[low], p[high] = torch.minimum(p[low], p[high]), torch.maximum(p[low], p[high])
        return p[4]


def inner(x: np.ndarray) -> np.ndarray:
    return x[1:-1, 1:-1]


def sobel(image: np.ndarray) -> Arrays:
    p = image.astype(np.int32)
    gradient = np.abs(ndimage.sobel(p, 0)) + np.abs(ndimage.sobel(p, 1))
    return (inner(np.minimum(gradient, 255)).astype(np.uint8),)


def laplacian(image: np.ndarray) -> Arrays:
    return (inner(ndimage.laplace(image.astype(np.int32))).astype(np.int16),)


def mean(image: np.ndarray) -> Arrays:
    total = ndimage.correlate(image.astype(np.int32), np.ones((3, 3), np.int32))
    return (inner((total + 4) // 9).astype(np.uint8),)


def median(image: np.ndarray) -> Arrays:
    return (inner(ndimage.median_filter(image, 3)),)


def workload(name: str, title: str, module: type[nn.Module], reference) -> Workload:
    height, width = grey().shape
    return Workload(
        name,
        f"{title}, {height} × {width} pixels",
        partial(exported, name, module, inputs, ["filtered"]),
        inputs,
        reference,
        tolerance=0,
        operation="pixel",
        count=(height - 2) * (width - 2),
    )


SOBEL = workload("sobel", "Sobel filter", Sobel, sobel)
LAPLACIAN = workload("laplacian", "Laplacian", Laplacian, laplacian)
MEAN = workload("mean-filter", "mean filter 3 × 3", Mean, mean)
MEDIAN = workload("median-filter", "median filter 3 × 3", Median, median)
