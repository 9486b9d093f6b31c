"""Whole paths, in the user's terms: what is here runs the built command and the built Python package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("TETRARCH_BUILD", "build")

# The build tree's package before an installed one, and `examples` as a package.
sys.path[:0] = [str(BUILD / "python"), str(ROOT)]
# Measured costs are kept between runs of the tests, apart from the user's own.
os.environ.setdefault("TETRARCH_PROFILE", str(BUILD / "test-profile.db"))

# fp32 results agree with ONNX Runtime's within this share of the largest value.
TOLERANCE = 1e-4


def assert_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """Shapes and types are equal; no element differs by more than `tolerance` of the largest magnitude."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    difference = np.abs(ours.astype(np.float64) - theirs).max()
    assert difference <= tolerance * np.abs(theirs).max()


def onnxruntime_outputs(
    model: Path, inputs: dict[str, np.ndarray], *, optimized: bool = True
) -> list[np.ndarray]:
    """What ONNX Runtime makes of the same inputs; unless optimized, operator by operator as the file states them."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options).run(None, inputs)


Command = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs `tetrarch` with the given arguments."""
    program = BUILD / "bin" / "tetrarch"
    assert program.exists(), f"{program} is missing; run 'make build' first"

    def run(*arguments: object, **options) -> subprocess.CompletedProcess:
        words = [str(program), *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, timeout=600, **options)

    return run


@pytest.fixture(scope="session")
def command_json(command: Command) -> Callable[..., dict]:
    """Runs `tetrarch ... --json`, which must succeed, and returns what it printed."""

    def run(*arguments: object, **options) -> dict:
        done = command(*arguments, "--json", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
