"""The price of European options by the formula of Black and Scholes (1973)."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy import special
from torch import nn

from examples.workloads.workload import Arrays, Inputs, Workload, exported

OPTIONS = 1 << 16
RATE, VOLATILITY = 0.02, 0.3
SEED = 1973


def normal(x: torch.Tensor) -> torch.Tensor:
    """The share of a normal distribution that lies below `x`."""
    return 0.5 * (1 + torch.erf(x * 0.5**0.5))


class BlackScholes(nn.Module):
    """The prices of the right to buy, and to sell, at `strike` in so many `years` what costs `spot` today."""

    def forward(
        self, spot: torch.Tensor, strike: torch.Tensor, years: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        spread = VOLATILITY * torch.sqrt(years)
        high = (torch.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
        low = high - spread
        discounted = strike * torch.exp(-RATE * years)
        call = spot * normal(high) - discounted * normal(low)
        put = discounted * normal(-low) - spot * normal(-high)
        return call, put


def inputs() -> Inputs:
    random = np.random.default_rng(SEED)
    spot = random.uniform(5, 30, OPTIONS)
    return {
        "spot": spot.astype(np.float32),
        "strike": (spot * random.uniform(0.5, 1.5, OPTIONS)).astype(np.float32),
        "years": random.uniform(0.1, 5, OPTIONS).astype(np.float32),
    }


def reference(spot: np.ndarray, strike: np.ndarray, years: np.ndarray) -> Arrays:
    """The same in doubles."""
    s, k, t = (x.astype(np.float64) for x in (spot, strike, years))
    spread = VOLATILITY * np.sqrt(t)
    high = (np.log(s / k) + (RATE + VOLATILITY**2 / 2) * t) / spread
    discounted = k * np.exp(-RATE * t)
    call = s * special.ndtr(high) - discounted * special.ndtr(high - spread)
    put = call - s + discounted  # by parity
    return call.astype(np.float32), put.astype(np.float32)


BLACK_SCHOLES = Workload(
    "black-scholes",
    f"Black-Scholes, {OPTIONS} options",
    partial(exported, "black-scholes", BlackScholes, inputs, ["call", "put"]),
    inputs,
    reference,
    tolerance=1e-6,
    operation="option",
    count=OPTIONS,
)
