"""Wavelet, cosine and Fourier transform."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy import fft
from torch import nn

from examples.workloads.filters import grey, inputs
from examples.workloads.workload import Arrays, Inputs, Workload, exported

LEVELS = 3  # of the wavelet transform
BLOCK = 8  # side of what the cosine transform is of
POINTS, SIGNALS = 256, 64  # of the Fourier transform
SEED = 8


class Haar(nn.Module):
    """Haar's wavelets in two dimensions, without the halves, so that integers stay exact.

    Each level puts sums and differences of 2 x 2 pixels into the quarters of the picture, and goes on with the sums.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.level(image.to(torch.int32), LEVELS)

    def level(self, x: torch.Tensor, levels: int) -> torch.Tensor:
        if levels == 0:
            return x
        a, b, c, d = x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
        sums = self.level((a + b) + (c + d), levels - 1)
        top = torch.cat((sums, (a - b) + (c - d)), 1)
        return torch.cat((top, torch.cat(((a + b) - (c + d), (a - b) - (c - d)), 1)), 0)


def haar(image: np.ndarray) -> Arrays:
    """One matrix for each direction and level."""
    x = image.astype(np.int32)
    size = x.shape[0]
    for _ in range(LEVELS):
        pairs = np.eye(size // 2, dtype=np.int32)
        matrix = np.concatenate((np.kron(pairs, [1, 1]), np.kron(pairs, [1, -1]))).astype(np.int32)
        x[:size, :size] = matrix @ x[:size, :size] @ matrix.T
        size //= 2
    return (x,)


def cosines() -> np.ndarray:
    """The matrix of the orthonormal cosine transform (type II) of 8 numbers."""
    return fft.dct(np.eye(BLOCK), axis=0, norm="ortho").astype(np.float32)


class BlockCosines(nn.Module):
    """The cosine transform of each 8 x 8 block of pixels, as in JPEG."""

    def __init__(self):
        super().__init__()
        self.register_buffer("matrix", torch.from_numpy(cosines()))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape
        pixels = image.to(torch.float32) - 128
        blocks = pixels.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(1, 2)
        return self.matrix @ blocks @ self.matrix.T


def block_cosines(image: np.ndarray) -> Arrays:
    height, width = image.shape
    blocks = (image - 128.0).reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)
    return (fft.dctn(blocks, axes=(2, 3), norm="ortho").astype(np.float32),)


class Fourier(nn.Module):
    """The radix-2 transform in Stockham's order, which needs no reversal of bits; real and imaginary parts apart."""

    def __init__(self):
        super().__init__()
        halves = [POINTS >> stage for stage in range(1, POINTS.bit_length())]
        for half in halves:
            angles = -np.pi * np.arange(half) / half
            self.register_buffer(f"cosine{half}", torch.from_numpy(np.cos(angles)[:, None]).float())
            self.register_buffer(f"sine{half}", torch.from_numpy(np.sin(angles)[:, None]).float())
        self.halves = halves

    def forward(self, real: torch.Tensor, imaginary: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = real.shape
        for half in self.halves:
            cosine, sine = getattr(self, f"cosine{half}"), getattr(self, f"sine{half}")
            ar, br = real.reshape(shape[0], 2, half, -1).unbind(1)
            ai, bi = imaginary.reshape(shape[0], 2, half, -1).unbind(1)
            r, i = ar - br, ai - bi
            real = torch.stack((ar + br, r * cosine - i * sine), 2)
            imaginary = torch.stack((ai + bi, r * sine + i * cosine), 2)
        return real.reshape(shape), imaginary.reshape(shape)


def fourier(real: np.ndarray, imaginary: np.ndarray) -> Arrays:
    spectrum = fft.fft(real.astype(np.float64) + 1j * imaginary)
    return spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32)


def signals() -> Inputs:
    """Tones of random frequencies in noise."""
    random = np.random.default_rng(SEED)
    time = np.arange(POINTS) / POINTS
    phases = 2 * np.pi * (random.uniform(1, 100, (SIGNALS, 1)) * time + random.uniform(size=(SIGNALS, 1)))
    noise = 0.1 * random.standard_normal((2, SIGNALS, POINTS))
    return {
        "real": (np.cos(phases) + noise[0]).astype(np.float32),
        "imaginary": (np.sin(phases) + noise[1]).astype(np.float32),
    }


DWT = Workload(
    "dwt",
    f"Haar wavelets, {LEVELS} levels, {grey().shape[0]} × {grey().shape[1]} pixels",
    partial(exported, "dwt", Haar, inputs, ["coefficients"]),
    inputs,
    haar,
    tolerance=0,
    operation="pixel",
    count=grey().size,
)
DCT = Workload(
    "dct",
    f"cosine transform of {BLOCK} × {BLOCK} blocks, {grey().shape[0]} × {grey().shape[1]} pixels",
    partial(exported, "dct", BlockCosines, inputs, ["coefficients"]),
    inputs,
    block_cosines,
    tolerance=1e-6,
    operation="pixel",
    count=grey().size,
)
FFT = Workload(
    "fft",
    f"Fourier transform, radix 2, {SIGNALS} signals of {POINTS} points",
    partial(exported, "fft", Fourier, signals, ["spectrum_real", "spectrum_imaginary"]),
    signals,
    fourier,
    tolerance=1e-6,
    operation="transform",
    count=SIGNALS,
)
