"""Contractions of bf16: on the CPU, on the NPU of that kind, in its RTL; a transformer, and a step of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_models
from onnx import TensorProto, helper, numpy_helper

import tetrarch

F32 = TensorProto.FLOAT
BF16 = {"quantize": "bf16", "measure": False}
NPU = "npu:kind=bf16"


def relative(actual, expected) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


def on_npu(model: Path, folder: Path, npu: str = NPU, **given) -> tuple[tetrarch.Program, list[str]]:
    """The model over CPU and NPU, which gets all that it takes; and the names of those tasks."""
    options = BF16 | given
    tasks = tetrarch.compile(model, devices=["cpu", npu], **options).report()["tasks"]
    place = {
        task["name"]: "cpu" if "npu" in task["reason"] and "says" in task["reason"] else npu for task in tasks
    }
    file = folder / "place.json"
    file.write_text(json.dumps(place))
    program = tetrarch.compile(model, devices=["cpu", npu], place=file, **options)
    return program, [name for name, device in place.items() if device == npu]


@pytest.mark.parametrize("device", ["cpu", "opencl"])
def test_compiled_code_is_near_the_graph_of_bf16(device, tmp_path):
    model, inputs = small_models.transformer(tmp_path), small_models.tokens(3)
    program = tetrarch.compile(model, devices=[device], **BF16)
    reference = tetrarch.reference(model, quantize="bf16")
    floats = tetrarch.compile(model, measure=False)
    for sample in inputs:
        y, expected = program(**sample), floats(**sample)
        assert relative(y, reference(**sample)) < 2e-3  # a rounding to bf16 may fall the other way
        assert 1e-4 < relative(y, expected) < 1e-2


def test_npu_computes_a_transformer_block(tmp_path):
    model, inputs = small_models.transformer(tmp_path), small_models.tokens(3)
    program, taken = on_npu(model, tmp_path)
    assert len(taken) >= 11
    reference = tetrarch.reference(model, quantize="bf16")
    floats = tetrarch.compile(model, measure=False)
    for sample in inputs:
        y = program(**sample)
        assert relative(y, reference(**sample)) < 3e-3
        assert relative(y, floats(**sample)) < 1e-2
    parts = [part for task in program.report()["tasks"] for part in task["parts"] if part["device"] == NPU]
    assert {part["time"]["source"] for part in parts} == {"modelled"}


def in_bf16(model: Path) -> Path:
    """The model with every tensor of f32 in bf16."""
    import ml_dtypes

    proto = onnx.load(model)
    for i, tensor in enumerate(proto.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            narrow = numpy_helper.from_array(array.astype(ml_dtypes.bfloat16), tensor.name)
            proto.graph.initializer[i].CopyFrom(narrow)
    for port in (*proto.graph.input, *proto.graph.output):
        port.type.tensor_type.elem_type = TensorProto.BFLOAT16
    path = model.with_name("narrow.onnx")
    onnx.save(proto, path)
    return path


def test_npu_computes_a_model_that_is_in_bf16(tmp_path):
    import ml_dtypes

    wide = small_models.transformer(tmp_path)
    model, (sample, *_) = in_bf16(wide), small_models.tokens(1)
    program, taken = on_npu(model, tmp_path, quantize="")
    assert len(taken) >= 11
    narrow = {name: array.astype(ml_dtypes.bfloat16) for name, array in sample.items()}
    y, expected = (np.asarray(run(**narrow), np.float32) for run in (program, tetrarch.reference(model)))
    assert relative(y, expected) < 2e-2  # each operation rounds: eight bits, some of them the other way
    assert relative(y, tetrarch.compile(wide, measure=False)(**sample)) < 3e-2


def test_errors_of_tasks_are_in_the_artifact(tmp_path):
    model, inputs = small_models.transformer(tmp_path), small_models.tokens(3)
    tasks = tetrarch.compile(model, calibration=inputs, **BF16).report()["tasks"]
    errors = [task["error"] for task in tasks if "error" in task]
    assert len(errors) >= 8
    assert all(error["source"] == "measured" and 0 < error["value"] < 1e-2 for error in errors)


def test_windows_in_the_rtl_give_the_same_bits(tmp_path):
    model, (sample, *_) = small_models.transformer(tmp_path), small_models.tokens(1)
    plain, _ = on_npu(model, tmp_path, f"{NPU}:side=8")
    checked, _ = on_npu(model, tmp_path, f"{NPU}:side=8:check_rtl=3:check_seed=4:check_cycles=1000")
    assert np.array_equal(plain(**sample), checked(**sample))
    windows = sum(
        part.get("counters", {}).get("rtl_windows", 0)
        for task in checked.report()["tasks"]
        for part in task["parts"]
    )
    assert windows >= 3


def training_step(folder: Path, batch: int = 32, rate: float = 0.1) -> Path:
    """One step of gradient descent of a perceptron as a plain program of tensors: forward, the gradients of the
    mean square error by hand, new weights. Weights go in and come out."""
    inner, features, outputs = 48, 20, 12
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w1"], ["xw"]),
        node("Add", ["xw", "b1"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("MatMul", ["h", "w2"], ["y"]),
        node("Sub", ["y", "target"], ["difference"]),
        node("Mul", ["difference", "two_by_count"], ["dy"]),
        # Backwards.
        node("Transpose", ["h"], ["ht"], perm=[1, 0]),
        node("MatMul", ["ht", "dy"], ["dw2"]),
        node("Transpose", ["w2"], ["w2t"], perm=[1, 0]),
        node("MatMul", ["dy", "w2t"], ["dh"]),
        node("Greater", ["a", "zero"], ["is_active"]),
        node("Where", ["is_active", "dh", "zero"], ["da"]),
        node("Transpose", ["x"], ["xt"], perm=[1, 0]),
        node("MatMul", ["xt", "da"], ["dw1"]),
        node("ReduceSum", ["da", "rows"], ["db1"], keepdims=0),
    ]
    for name in ("w1", "b1", "w2"):
        nodes += [
            node("Mul", [f"d{name}", "rate"], [f"step_{name}"]),
            node("Sub", [name, f"step_{name}"], [f"new_{name}"]),
        ]
    shapes = {"w1": [features, inner], "b1": [inner], "w2": [inner, outputs]}
    numbers = {"two_by_count": 2 / (batch * outputs), "zero": 0, "rate": rate}
    return small_models.save(
        folder,
        "step",
        nodes,
        [("x", F32, [batch, features]), ("target", F32, [batch, outputs])]
        + [(name, F32, shape) for name, shape in shapes.items()],
        [("y", F32, [batch, outputs])] + [(f"new_{name}", F32, shape) for name, shape in shapes.items()],
        {name: np.float32(number) for name, number in numbers.items()} | {"rows": np.array([0])},
    )


def test_npu_trains_a_perceptron(tmp_path):
    random = np.random.default_rng(3)
    x = random.normal(0, 1, (32, 20)).astype(np.float32)
    target = np.tanh(x @ random.normal(0, 0.3, (20, 12))).astype(np.float32)
    shapes = {"w1": (20, 48), "b1": (48,), "w2": (48, 12)}
    start = {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    model = training_step(tmp_path, rate=0.5)
    npu, taken = on_npu(model, tmp_path)
    assert len(taken) == len(npu.report()["tasks"])
    floats = tetrarch.compile(model, measure=False)
    ours, exact, wide = (
        program(x=x, target=target, **start)
        for program in (npu, tetrarch.reference(model, quantize="bf16"), floats)
    )
    for i, name in enumerate(start, 1):
        assert relative(ours[i] - start[name], exact[i] - start[name]) < 1e-5, name
        # bf16 moves what is nearly 0 before the ReLU to its other side.
        assert relative(ours[i] - start[name], wide[i] - start[name]) < 5e-2, name
    losses: dict[str, list[float]] = {"npu": [], "floats": []}
    for name, program in {"npu": npu, "floats": floats}.items():
        now = start
        for _ in range(20):
            y, *new = (np.array(result) for result in program(x=x, target=target, **now))
            losses[name].append(float(np.mean((y - target) ** 2)))
            now = dict(zip(start, new, strict=True))
    assert losses["floats"][-1] < 0.3 * losses["floats"][0]
    np.testing.assert_allclose(losses["npu"], losses["floats"], rtol=2e-2)


@pytest.mark.parametrize(("name", "least"), [("mobilenet-v3-short", 34), ("vit-small", 31)])
def test_npu_computes_families_of_networks(name, least, tmp_path):
    from examples.families import SMALL

    (network,) = (network for network in SMALL if network.name == name)
    inputs = next(iter(network.arrays().values()))
    shapes = {key: list(array.shape) for key, array in inputs.items()}
    program, taken = on_npu(network.onnx_file(), tmp_path, shapes=shapes)
    assert len(taken) >= least
    y, expected = program(**inputs), tetrarch.compile(network.onnx_file(), **BF16)(**inputs)
    assert relative(y, expected) < 5e-3


def test_minilm_keeps_its_ranking_on_the_npu(tmp_path):
    from examples.models import minilm

    model = minilm.onnx_file(sequence=16)
    inputs = [minilm.tokens(sentence, sequence=16) for sentence in minilm.EXAMPLE]
    npu, taken = on_npu(model, tmp_path)
    assert len(taken) >= 60
    programs = {
        "floats": tetrarch.compile(model, measure=False),
        "cpu": tetrarch.compile(model, **BF16),
        "npu": npu,
    }
    vectors = {name: [np.array(program(**given)) for given in inputs] for name, program in programs.items()}
    for name in ("cpu", "npu"):
        for narrow, floats in zip(vectors[name], vectors["floats"], strict=True):
            assert float(narrow.ravel() @ floats.ravel()) > 0.9999
        assert minilm.ranked(vectors[name][0], vectors[name][1:]) == minilm.ranked(
            vectors["floats"][0], vectors["floats"][1:]
        )
