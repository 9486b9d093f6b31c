"""The tensor programs of examples/workloads: what they compute, beside independent references, and their tasks."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest

import tetrarch
from bench import workloads
from conftest import BUILD, assert_close
from examples.workloads import digits, sha256
from examples.workloads.table import WORKLOADS

# How many tasks a program becomes: a stencil, a hash or a price is one loop.
TASKS = {
    "ternary-matmul": 1,
    "sha256": 1,
    "sha256-2-blocks": 1,
    "sobel": 1,
    "laplacian": 1,
    "mean-filter": 1,
    "median-filter": 1,
    "hotspot": 8,  # one a step
    "srad": 8,  # four a step: two sums, coefficients, the next picture
    "histogram": 1,
    "dwt": 3,  # one a level
    "dct": 3,  # one a direction, and the pixels as floats
    "fft": 8,  # one a stage
    "black-scholes": 1,
}


@functools.cache
def compiled(name: str, device: str = "cpu") -> tetrarch.Program:
    workload = WORKLOADS[name]
    return tetrarch.compile(workload.onnx_file(), devices=[device], measure=False, **workload.options())


def outputs_of(name: str, device: str = "cpu") -> tuple[np.ndarray, ...]:
    result = compiled(name, device)(**WORKLOADS[name].inputs())
    return result if isinstance(result, tuple) else (result,)


def check(workload, outputs) -> None:
    expected = workload.reference(**workload.inputs())
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected, strict=True):
        if workload.tolerance == 0:
            np.testing.assert_array_equal(ours, theirs, strict=True)
        else:
            assert_close(ours, theirs, workload.tolerance)


@pytest.mark.parametrize("name", WORKLOADS)
def test_cpu_computes_the_reference(name):
    check(WORKLOADS[name], outputs_of(name))
    tasks = [task["name"] for task in compiled(name).report()["tasks"]]
    assert len(tasks) == TASKS.get(name, len(tasks)), tasks


@pytest.mark.parametrize("name", [name for name in TASKS if name != "sha256-2-blocks"])
def test_opencl_computes_the_reference(name):
    check(WORKLOADS[name], outputs_of(name, "opencl"))


@pytest.mark.parametrize(
    "name", ["sobel", "laplacian", "mean-filter", "median-filter", "hotspot", "srad", "histogram"]
)
def test_fpga_computes_the_reference(name):
    check(WORKLOADS[name], outputs_of(name, "fpga"))


# FIPS 180-4, by the messages of sha256.NIST.
HASHES = {
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
}


@pytest.mark.parametrize("blocks", sha256.NIST)
def test_hashes_of_the_standard(blocks):
    (digest,) = outputs_of(sha256.workload(blocks).name)
    for index, message in enumerate(sha256.NIST[blocks]):
        assert digest[:, index].astype(">u4").tobytes().hex() == HASHES[message]


@pytest.mark.parametrize("classifier", digits.CLASSIFIERS, ids=lambda classifier: classifier.name)
def test_digits_stay_right_in_integers(classifier):
    floats, integers = classifier.accuracies()
    assert floats > 0.95
    assert integers >= floats - 0.01


# Integers up to the last layer, whose sums are floats again.
@pytest.mark.parametrize("name", ["resnet50-stage1", "digits-cnn", "digits-mlp"])
def test_networks_are_their_integer_graph(name):
    workload = WORKLOADS[name]
    reference = tetrarch.reference(workload.onnx_file(), **workload.options())
    assert_close(outputs_of(name)[0], reference(**workload.inputs()), 1e-6)


def test_the_command_compiles_what_the_package_writes(command, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "examples.workloads", "sobel", tmp_path], check=True, cwd=BUILD.parent
    )
    model, artifact = tmp_path / "sobel.onnx", tmp_path / "sobel.tet"
    assert command("compile", model, "-o", artifact, "--devices", "cpu", "--no-measure").returncode == 0
    filtered = tmp_path / "filtered.npy"
    run = command(
        "run", artifact, "--input", f"image={tmp_path / 'image.npy'}", "--output", f"filtered={filtered}"
    )
    assert run.returncode == 0, run.stderr
    np.testing.assert_array_equal(np.load(filtered), np.load(tmp_path / "expected-0.npy"))


def kernel(mhz: float, luts: int, built: tuple[float, int] | None = None) -> dict:
    def facts(mhz: float, luts: int) -> dict:
        used = {"luts": luts, "flip_flops": 2, "multipliers": 3, "block_rams": 4}
        return {"clock": {"value": mhz * 1e6}, "used": used}

    return {"estimate": facts(mhz, luts), **({"design": facts(*built)} if built else {})}


@pytest.mark.parametrize(
    ("kernels", "cells", "comparison"),
    [
        ([kernel(100, 10), kernel(120, 20)], "100 MHz | 30 / 4 / 6 / 8", "not routed"),
        ([kernel(100, 10, (150, 8))], "150 MHz | 8 / 2 / 3 / 4", "100 / 150 MHz, 10 / 8 LUTs"),
        (
            [kernel(100, 10, (150, 8)), kernel(110, 5)],
            "110 MHz | 13 / 4 / 6 / 8",
            "100 / 150 MHz, 10 / 8 LUTs (1 of 2 kernels)",
        ),
    ],
)
def test_the_row_of_an_fpga_has_the_best_that_is_known(kernels, cells, comparison):
    time = {"value": 2e-3, "unit": "s", "source": "modelled"}
    told = {"tasks": 1, "of": 2, "time": time, "counters": {"cycles": 123456}, "kernels": kernels}
    row = workloads.fpga_row({"title": "a title", "count": 1000, "fpga": told})
    assert row == f"| a title | 1 of 2 | 123,456 | {cells} | 2 ms | 500 k/s | modelled | {comparison} |"
