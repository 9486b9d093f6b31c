"""If, Loop, Scan and functions with bodies: whole models, compiled for the CPU and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import torch

import tetrarch
from conftest import assert_close, onnxruntime_outputs
from examples.models.cache import export_script

HEADER = '<ir_version: 8, opset_import: ["": 17, "own": 1]>\n'

# The sign of a sum decides which of two layers is used.
CONDITION_FROM_DATA = """
choose (float[2, 8] x, float[8, 4] a, float[8, 4] b) => (float[2, 4] y, float[1] kept) {
  zero = Constant <value_float = 0.0> ()
  sum = ReduceSum <keepdims = 0> (x)
  positive = Greater (sum, zero)
  y, kept = If (positive) <
    then_branch = taken () => (float[2, 4] large, float[1] one) {
      one = Constant <value_floats = [1.0]> ()
      product = MatMul (x, a)
      large = Relu (product)
    },
    else_branch = other () => (float[2, 4] small, float[1] two) {
      two = Constant <value_floats = [2.0]> ()
      negated = Neg (x)
      shrunk = MatMul (negated, b)
      small = Tanh (shrunk)
    }>
}"""

# Power iteration: the number of turns is known, each turn gives a row of the second result.
TURNS_KNOWN = """
power (float[6, 6] m, float[6] start) => (float[6] last, float[turns] norms) {
  turns = Constant <value = int64 {5}> ()
  yes = Constant <value = bool {1}> ()
  last, norms = Loop (turns, yes, start) <
    body = turn (int64 i, bool go, float[6] v) => (bool on, float[6] next, float norm) {
      on = Identity (go)
      product = MatMul (m, v)
      norm = ReduceL2 <keepdims = 0> (product)
      next = Div (product, norm)
    }>
}"""

# Doubles until the sum is large: how many turns that takes, only the data say. Odd turns add, even ones multiply.
TURNS_FROM_DATA = """
grow (float[3] x, float limit) => (float[3] last, int64 turns) {
  none = Constant <value = int64 {0}> ()
  one = Constant <value = int64 {1}> ()
  two = Constant <value = int64 {2}> ()
  yes = Constant <value = bool {1}> ()
  most = Constant <value = int64 {100}> ()
  last, turns = Loop (most, yes, x, none) <
    body = turn (int64 i, bool go, float[3] v, int64 count) => (bool on, float[3] next, int64 counted) {
      counted = Add (count, one)
      rest = Mod (i, two)
      odd = Equal (rest, one)
      next = If (odd) <
        then_branch = add () => (float[3] added) { added = Add (v, x) },
        else_branch = multiply () => (float[3] doubled) { doubled = Add (v, v) }>
      sum = ReduceSum <keepdims = 0> (next)
      on = Less (sum, limit)
    }>
}"""

# A recurrent cell over a sequence, whose weights belong to the graph around it.
SCAN = """
cell (float[4] start, float[7, 3] xs, float[4, 4] w, float[3, 4] u) => (float[4] last, float[7, 4] all) {
  last, all = Scan <num_scan_inputs = 1,
    body = step (float[4] h, float[3] x) => (float[4] next, float[4] out) {
      kept = MatMul (h, w)
      new = MatMul (x, u)
      sum = Add (kept, new)
      next = Tanh (sum)
      out = Identity (next)
    }> (start, xs)
}"""

# A function that calls another, with attributes of the call and by default.
FUNCTIONS = """
blocks (float[5, 8] x, float[8, 8] w) => (float[5, 8] y) {
  a = own.Block <slope = 0.3> (x, w)
  y = own.Block (a, w)
}
<opset_import: ["": 17, "own": 1], domain: "own">
Leaky <slope: float = 0.1> (x) => (y) {
  zero = Constant <value = float {0.0}> ()
  slope = Constant <value_float: float = @slope> ()
  positive = Max (x, zero)
  negative = Min (x, zero)
  scaled = Mul (negative, slope)
  y = Add (positive, scaled)
}
<opset_import: ["": 17, "own": 1], domain: "own">
Block <slope: float = 0.2> (x, w) => (y) {
  z = MatMul (x, w)
  a = own.Leaky <slope: float = @slope> (z)
  y = Add (x, a)
}"""

RANDOM = np.random.default_rng(19)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


LAYERS = {"a": normal(8, 4), "b": normal(8, 4)}
CASES = {
    "if, taken": (CONDITION_FROM_DATA, {"x": np.abs(normal(2, 8)), **LAYERS}),
    "if, not taken": (CONDITION_FROM_DATA, {"x": -np.abs(normal(2, 8)), **LAYERS}),
    "loop, turns known": (TURNS_KNOWN, {"m": normal(6, 6), "start": normal(6)}),
    "loop, many turns": (TURNS_FROM_DATA, {"x": np.abs(normal(3)), "limit": np.float32(1e6)}),
    "loop, one turn": (TURNS_FROM_DATA, {"x": np.abs(normal(3)), "limit": np.float32(1e-6)}),
    "scan": (SCAN, {"start": normal(4), "xs": normal(7, 3), "w": normal(4, 4), "u": normal(3, 4)}),
    "functions": (FUNCTIONS, {"x": normal(5, 8), "w": normal(8, 8)}),
}


def assert_agrees(model: Path, inputs: dict[str, np.ndarray]) -> None:
    inputs = {name: np.asarray(array) for name, array in inputs.items()}
    results = tetrarch.compile(model, measure=False)(**inputs)
    results = results if isinstance(results, tuple) else (results,)
    for ours, theirs in zip(results, onnxruntime_outputs(model, inputs), strict=True):
        assert_close(ours, np.asarray(theirs))


@pytest.mark.parametrize("case", CASES)
def test_a_model(case, tmp_path):
    text, inputs = CASES[case]
    model = onnx.parser.parse_model(HEADER + text)
    onnx.checker.check_model(model)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert_agrees(path, inputs)


@torch.jit.script
def decode(start: torch.Tensor, scores: torch.Tensor, steps: int) -> torch.Tensor:
    """The likeliest next token, again and again, until token 0 or `steps`."""
    token, tokens = start, start
    for _ in range(steps):
        if bool(token[0] != 0):
            token = scores[token].argmax(1)
        tokens = torch.cat((tokens, token))
    return tokens


class Decode(torch.nn.Module):
    def forward(self, start: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return decode(start, scores, 6)


def test_a_loop_of_pytorch(tmp_path):
    inputs = {"start": torch.tensor([3]), "scores": torch.from_numpy(normal(9, 9))}
    path = tmp_path / "decode.onnx"
    export_script(Decode(), inputs, path, ["tokens"], {}, 17)
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert "Loop" in operators
    assert_agrees(path, {name: tensor.numpy() for name, tensor in inputs.items()})
