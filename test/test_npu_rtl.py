"""The NPU's RTL behind the public API: windows of a model's programs, or all of them, computed again in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import small_models
from onnx import TensorProto, helper

import tetrarch

F32 = TensorProto.FLOAT


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Three convolutions as an artifact for CPU and NPU, the placement that gives the NPU what it takes, and an input."""
    random, folder = np.random.default_rng(8), tmp_path_factory.mktemp("npu")
    weights = {
        "w1": random.normal(0, 0.4, (21, 3, 3, 3)),
        "w2": random.normal(0, 0.3, (18, 21, 3, 3)),
        "w3": random.normal(0, 0.3, (9, 18, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "w3"], ["y"]),
    ]
    ports = [("x", F32, [1, 3, 17, 15])], [("y", F32, [1, 9, 9, 8])]
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    model = small_models.save(folder, "three", nodes, *ports, arrays)
    x = random.normal(0, 1, (1, 3, 17, 15)).astype(np.float32)
    options = {"quantize": "int8", "calibration": [{"x": x}], "measure": False}
    tasks = tetrarch.compile(model, devices=["cpu", "npu"], **options).report()["tasks"]
    taken = [task["name"] for task in tasks if "npu says" not in task["reason"]]
    assert taken
    program = tetrarch.compile(model, devices=["cpu", "npu"], **options)
    program.save(folder / "three.tet")
    return folder, taken, x


def run(network, options: str) -> tuple[np.ndarray, dict[str, int]]:
    """The output on an NPU with these options, and what it counted."""
    folder, taken, x = network
    npu = f"npu:{options}" if options else "npu"
    place = folder / "place.json"
    place.write_text(json.dumps({name: npu for name in taken}))
    program = tetrarch.load(folder / "three.tet", devices=["cpu", npu], place=place)
    y = np.array(program(x))
    counters: dict[str, int] = {}
    for task in program.report()["tasks"]:
        for part in task["parts"]:
            for name, count in part.get("counters", {}).items():
                counters[name] = counters.get(name, 0) + count
    return y, counters


def test_windows_and_whole_runs_in_the_rtl_give_the_same_bits(network):
    y, none = run(network, "")
    checked, some = run(network, "check_rtl=5:check_seed=2")
    whole, all_of_it = run(network, "engine=rtl")
    assert none["rtl_windows"] == 0
    assert some["rtl_windows"] == 5 and some["rtl_cycles"] > 0
    assert all_of_it["rtl_cycles"] >= some["rtl_cycles"] / 5
    assert np.array_equal(y, checked) and np.array_equal(y, whole)


def test_windows_of_a_segment_run_in_the_rtl(network):
    folder, taken, x = network
    options = {"quantize": "int8", "calibration": [{"x": x}], "measure": False}
    results = []
    for npu in ("npu", "npu:check_rtl=5:check_seed=3", "npu:engine=rtl"):
        place = folder / "place.json"
        place.write_text(json.dumps({name: npu for name in taken}))
        program = tetrarch.compile(folder / "three.onnx", devices=["cpu", npu], place=place, **options)
        results.append(np.array(program(x)))
        tasks = program.report()["tasks"]
        assert sum("segment" in task for task in tasks) >= 2
        counters = [part["counters"] for task in tasks for part in task["parts"] if "counters" in part]
        if "check" in npu:
            assert sum(counter["rtl_windows"] for counter in counters) == 5
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


def test_a_missing_rtl_says_what_to_build(network):
    with pytest.raises(tetrarch.Error, match="npu_rtl_int8_16 of a build that has Verilator"):
        run(network, "engine=rtl:rtl=/nowhere")
