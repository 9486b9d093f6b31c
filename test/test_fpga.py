"""The FPGA device behind the public API: a model's kernels in the twin, and in their SystemVerilog."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import small_models
from onnx import TensorProto, helper

import tetrarch
from conftest import BUILD, ROOT
from rtl.fpga import proof

F32, U32 = TensorProto.FLOAT, TensorProto.UINT32


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """What Verilator makes of kernels stays with these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A product of matrices with a bias and a ReLU, and an input."""
    random, folder = np.random.default_rng(5), tmp_path_factory.mktemp("fpga")
    arrays = {"w": random.normal(0, 0.4, (12, 7)), "b": random.normal(0, 0.3, (7,))}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    model = small_models.save(folder, "product", nodes, [("x", F32, [5, 12])], [("y", F32, [5, 7])], arrays)
    return model, random.normal(0, 1, (5, 12)).astype(np.float32)


def run(network, device: str) -> tuple[np.ndarray, dict[str, int]]:
    """The output on a device, and what it counted."""
    model, x = network
    program = tetrarch.compile(model, devices=[device], measure=False)
    y = np.array(program(x))
    counters: dict[str, int] = {}
    for task in program.report()["tasks"]:
        for part in task["parts"]:
            for name, count in part.get("counters", {}).items():
                counters[name] = counters.get(name, 0) + count
    return y, counters


def test_units_and_whole_runs_in_the_rtl_give_the_same_bits(network):
    y, none = run(network, "fpga")
    checked, some = run(network, "fpga:check_rtl=1")
    whole, all_of_it = run(network, "fpga:engine=rtl")
    assert none["rtl_units"] == 0 and none["reconfigurations"] == 1 and none["transfer_bytes"] > 0
    assert some["rtl_units"] > 0 and some["rtl_cycles"] > 0
    assert all_of_it["rtl_units"] >= some["rtl_units"]
    assert np.array_equal(y, checked) and np.array_equal(y, whole)
    on_cpu, _ = run(network, "cpu")
    assert np.allclose(y, on_cpu, rtol=1e-5, atol=1e-6)


def test_integers_are_those_of_the_cpu(tmp_path):
    nodes = [
        helper.make_node("BitShift", ["x", "n"], ["a"], direction="RIGHT"),
        helper.make_node("BitwiseXor", ["a", "x"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bits",
        [helper.make_tensor_value_info(name, U32, [33]) for name in ("x", "n")],
        [helper.make_tensor_value_info("y", U32, [33])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    random = np.random.default_rng(6)
    x, n = (random.integers(0, high, 33, dtype=np.uint32) for high in (2**32, 32))
    program = tetrarch.compile(model, devices=["fpga"], measure=False)
    assert np.array_equal(np.array(program(x, n)), (x >> n) ^ x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("part=virtex", "there is no part 'virtex'; there are ecp5-25k, ecp5-45k, ecp5-85k"),
        ("engine=gates", "option 'engine' is 'gates'; it is model or rtl"),
        ("check_rtl=1:engine=rtl", "engine rtl runs everything in the RTL"),
    ],
)
def test_bad_options_are_explained(network, options, message):
    with pytest.raises(tetrarch.Error, match=message):
        run(network, f"fpga:{options}")


def test_the_device_is_listed():
    fpga = next(device for device in tetrarch.devices() if device.name == "fpga")
    assert (fpga.device_class, fpga.kind) == ("fpga", "simulated")


def test_the_long_proof_in_small(tmp_path):
    """`make fpga-proof`: interpreter, twin and SystemVerilog on what tasks and kernels a few seeds give."""
    words = ("--graphs", "1", "--kernels", "1", "--route", "0", "--build", BUILD)
    done = subprocess.run(
        [sys.executable, "-m", "rtl.fpga.proof", *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tasks, kernels, differences, units, cycles, routed = map(
        int, re.findall(r"\d+", done.stdout.splitlines()[-1].replace(",", ""))
    )
    assert tasks > 1 and kernels == 1 and differences == 0 and routed == 0
    assert units >= tasks and cycles > units
    assert "[========================] 2/2" in done.stderr


def test_estimates_are_compared_with_what_was_routed():
    totals = proof.Totals(tasks=3)
    for luts, clock in ((90, 100e6), (100, 150e6)):
        estimate = {"used": {"luts": 100}, "clock": {"value": 120e6}}
        totals.routed.append({"used": {"luts": luts}, "clock": {"value": clock}, "estimate": estimate})
    assert totals.line().endswith("2 kernels routed, worst estimate error 20% of a clock, 11% of LUTs")
