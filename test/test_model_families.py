"""Families of networks, in small: made from PyTorch code, exported as users export them, compared with ONNX Runtime."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tetrarch
from conftest import assert_close, onnxruntime_outputs
from examples.families import SMALL
from examples.models import resnet50
from examples.models.family import Network

NETWORKS = {network.name: network for network in SMALL}


@cache
def compiled(
    network: Network, devices: tuple[str, ...] = ("cpu",), place: str | None = None
) -> tetrarch.Program:
    """Without measured tuning: what is tested is that results are right."""
    return tetrarch.compile(network.onnx_file(), devices, place=place, measure=False)


def outputs(program: tetrarch.Program, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    results = program(**inputs)
    return results if isinstance(results, tuple) else (results,)


def assert_agrees(network: Network, program: tetrarch.Program, inputs: dict[str, np.ndarray]) -> None:
    expected = onnxruntime_outputs(network.onnx_file(), inputs)
    for ours, theirs in zip(outputs(program, inputs), expected, strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_what_onnx_runtime_computes(name):
    network = NETWORKS[name]
    program = compiled(network)
    for inputs in network.arrays().values():
        assert_agrees(network, program, inputs)


def test_boxes_and_scores_of_a_detector_each_agree():
    network = NETWORKS["yolo-small"]
    (inputs,) = network.arrays().values()
    ours, theirs = outputs(compiled(network), inputs), onnxruntime_outputs(network.onnx_file(), inputs)
    for mine, other in zip(ours, (theirs[0], theirs[1].swapaxes(1, 2)), strict=True):
        mine = mine if mine.shape == other.shape else mine.swapaxes(1, 2)
        assert_close(mine[:, :4], other[:, :4])
        assert_close(mine[:, 4:], other[:, 4:])


@pytest.mark.parametrize("name", ["gpt2-small", "gpt2-dynamo-small"])
def test_a_token_after_the_prompt_sees_the_prompt_through_the_cache(name):
    network = NETWORKS[name]
    calls = network.arrays()
    prompt, token = calls["prompt"], calls["next"]
    cache_of_prompt = outputs(compiled(network), prompt)[1:]
    past = dict(zip((key for key in token if key.startswith("past")), cache_of_prompt, strict=True))
    logits = outputs(compiled(network), token | past)[0]
    whole = prompt | {
        "input_ids": np.concatenate([prompt["input_ids"], token["input_ids"]], 1),
        "attention_mask": token["attention_mask"],
    }
    assert_close(logits[:, -1], onnxruntime_outputs(network.onnx_file(), whole)[0][:, -1])


def test_a_network_split_over_two_processors():
    network = NETWORKS["mobilenet-v2-short"]
    program = compiled(network, ("cpu:threads=1", "opencl:threads=1"), "cpu,opencl")
    (inputs,) = network.arrays().values()
    assert_agrees(network, program, inputs)
    used = {part["device"].split(":")[0] for task in program.report()["tasks"] for part in task["parts"]}
    assert used == {"cpu", "opencl"}


# Of the tasks of two layers each: what they are, by composition or else by root.
TASKS = {
    # Exported with opset 11, which spells norm and gelu out. A layer: norm twice, six products (bias, gelu and residual
    # inside) beside the two of attention, softmax with scale and mask inside, two transposes of heads.
    ("bert-small", "sequence=24"): {
        "layer_norm": 1 + 2 * 2,
        "dot_general": 2 * 8 + 1,
        "softmax": 2,
        "transpose": 2 * 2,
        "select": 2,
        "multiply": 1,
        "gather": 1,
    },
    # Patches by one convolution, a class before them; then as above, and a norm at the end.
    ("vit-small", "batch=1"): {
        "transpose": 1 + 2 * 2,
        "convolution": 1,
        "concatenate": 1,
        "layer_norm": 2 * 2 + 1,
        "dot_general": 2 * 8 + 1,
        "softmax": 2,
        "gather": 1,
    },
}


def tasks_of(command_json, file: Path, *options: str) -> Counter[str]:
    """How many tasks of each composition, or else root, a model becomes."""
    text = command_json("compile", file, *options, "--stop-after", "fuse")["text"]
    tasks = re.findall(r'tet.composite "task".*with {(.*?)}', text)
    return Counter(re.search(r'(?:composite|root) = "(\w+)"', attributes)[1] for attributes in tasks)


@pytest.mark.parametrize(("name", "dim"), TASKS)
def test_a_network_becomes_as_many_tasks_as_it_should(name, dim, command_json):
    batch = () if "batch" in dim else ("--dim", "batch=2")
    assert tasks_of(command_json, NETWORKS[name].onnx_file(), "--dim", dim, *batch) == TASKS[name, dim]


def test_resnet50_is_its_convolutions_and_little_else(command_json):
    """Batch norm, bias, addition and ReLU are inside of them."""
    others = {"transpose": 1, "reduce_window": 1, "reduce": 1, "dot_general": 1}
    assert tasks_of(command_json, resnet50.onnx_file()) == {"convolution": 53} | others
