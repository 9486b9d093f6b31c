"""Physics on a grid, in steps: the temperature of a chip, and diffusion that smooths a speckled picture.

Both follow the Rodinia benchmarks of their names (Che et al. 2009); a neighbour beyond the edge is the edge.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from examples.workloads.filters import grey
from examples.workloads.workload import Arrays, Inputs, Workload, exported

SEED = 17
SIZE = 512
HOTSPOT_STEPS, SRAD_STEPS = 8, 2

# Of the chip: metres, watts a metre and kelvin, joules a cubic metre and kelvin, degrees, seconds.
THICKNESS, SIDE, CONDUCTIVITY, HEAT, AMBIENT = 0.0005, 0.016, 100.0, 0.5 * 1.75e6, 80.0
STEP_SECONDS = 0.001 * THICKNESS * HEAT / 3e6
CELL = SIDE / SIZE
FACTOR = STEP_SECONDS / (HEAT * THICKNESS * CELL**2)  # degrees a watt, in one step
ACROSS = 2 * CONDUCTIVITY * THICKNESS  # watts a degree, between neighbours and to the outside
OUT = CONDUCTIVITY * CELL**2 / THICKNESS

LAMBDA = 0.5  # of SRAD
REGION = 128  # side of its speckled square without structure


def around(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The neighbours to the north, south, west and east."""
    p = functional.pad(x[None, None], (1, 1, 1, 1), mode="replicate").squeeze()
    return p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]


class Hotspot(nn.Module):
    """Temperatures after some steps in which each cell takes its power and exchanges heat with its neighbours."""

    def forward(self, temperature: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        t = temperature
        for _ in range(HOTSPOT_STEPS):
            n, s, w, e = around(t)
            flow = power + (n + s - 2 * t) * ACROSS + (w + e - 2 * t) * ACROSS + (AMBIENT - t) * OUT
            t = t + FACTOR * flow
        return t


class Srad(nn.Module):
    """Speckle-reducing anisotropic diffusion (Yu and Acton 2002)."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        j = image
        for _ in range(SRAD_STEPS):
            region = j[:REGION, :REGION]
            mean = region.mean()
            q0 = (region.square().mean() - mean * mean) / (mean * mean)
            n, s, w, e = (x - j for x in around(j))
            gradient = (n * n + s * s + w * w + e * e) / (j * j)
            laplacian = (n + s + w + e) / j
            change = 1 + 0.25 * laplacian
            q = (0.5 * gradient - laplacian * laplacian / 16) / (change * change)
            c = (1 / (1 + (q - q0) / (q0 * (1 + q0)))).clamp(0, 1)
            _, south, _, east = around(c)
            j = j + 0.25 * LAMBDA * (c * n + south * s + c * w + east * e)
        return j


def hotspot_inputs() -> Inputs:
    """A chip that is somewhat warm, with some blocks that take much power."""
    random = np.random.default_rng(SEED)
    power = np.kron(random.gamma(0.5, 1.0, (16, 16)), np.ones((SIZE // 16, SIZE // 16)))
    temperature = AMBIENT + 10 + 0.5 * random.standard_normal((SIZE, SIZE))
    return {
        "temperature": temperature.astype(np.float32),
        "power": (power * 40.0 / power.sum()).astype(np.float32),  # 40 W in all
    }


def srad_inputs() -> Inputs:
    """A photograph on a logarithmic scale, with speckle."""
    speckle = np.random.default_rng(SEED).gamma(25, 1 / 25, (SIZE, SIZE))
    return {"image": (np.exp(grey() / 255.0) * speckle).astype(np.float32)}


def shifted(x: np.ndarray) -> Arrays:
    p = np.pad(x, 1, mode="edge")
    return p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]


def hotspot(temperature: np.ndarray, power: np.ndarray) -> Arrays:
    """The same in doubles."""
    t = temperature.astype(np.float64)
    for _ in range(HOTSPOT_STEPS):
        exchanged = sum(shifted(t)) - 4 * t
        t = t + FACTOR * (power + ACROSS * exchanged + OUT * (AMBIENT - t))
    return (t.astype(np.float32),)


def srad(image: np.ndarray) -> Arrays:
    """The same in doubles."""
    j = image.astype(np.float64)
    for _ in range(SRAD_STEPS):
        region = j[:REGION, :REGION]
        q0 = region.var() / region.mean() ** 2
        n, s, w, e = (x - j for x in shifted(j))
        gradient, laplacian = (n**2 + s**2 + w**2 + e**2) / j**2, (n + s + w + e) / j
        q = (gradient / 2 - laplacian**2 / 16) / (1 + laplacian / 4) ** 2
        c = np.clip(1 / (1 + (q - q0) / (q0 * (1 + q0))), 0, 1)
        _, south, _, east = shifted(c)
        j = j + LAMBDA / 4 * (c * n + south * s + c * w + east * e)
    return (j.astype(np.float32),)


HOTSPOT = Workload(
    "hotspot",
    f"hotspot, {SIZE} × {SIZE} cells, {HOTSPOT_STEPS} steps",
    partial(exported, "hotspot", Hotspot, hotspot_inputs, ["result"]),
    hotspot_inputs,
    hotspot,
    tolerance=1e-6,
    operation="cell in one step",
    count=HOTSPOT_STEPS * SIZE**2,
)
SRAD = Workload(
    "srad",
    f"SRAD, {SIZE} × {SIZE} pixels, {SRAD_STEPS} steps",
    partial(exported, "srad", Srad, srad_inputs, ["smooth"]),
    srad_inputs,
    srad,
    tolerance=1e-5,
    operation="pixel in one step",
    count=SRAD_STEPS * SIZE**2,
)
