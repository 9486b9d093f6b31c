"""Trained networks end to end: outputs as ONNX Runtime's, and what a person expects of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tetrarch
from conftest import assert_close, onnxruntime_outputs
from examples.models import efficientnet_lite0, minilm, ppocr
from examples.models.photographs import as_input, centre_crop, photograph

DEVICES = ("cpu", "opencl")
SPLIT = ["cpu:threads=1", "opencl:threads=1"]


@cache
def program(model: str, device: str) -> tetrarch.Program:
    """Each network is compiled once for each device. Answers matter here, so OpenCL's kernels are not tuned."""
    files = {
        "efficientnet": efficientnet_lite0.onnx_file,
        "minilm": minilm.onnx_file,
        "ppocr": ppocr.onnx_file,
    }
    return tetrarch.compile(files[model](), devices=[device], measure=device == "cpu")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("chelsea", ("tiger cat", "tabby", "Egyptian cat")),
        ("coffee", ("espresso", "cup")),
        ("flower", ("daisy",)),
    ],
)
def test_efficientnet_names_what_is_on_the_photograph(device, picture, expected):
    image = as_input(centre_crop(photograph(picture)))
    logits = program("efficientnet", device)(image=image)
    assert_close(logits, onnxruntime_outputs(efficientnet_lite0.onnx_file(), {"image": image})[0])
    label, _ = efficientnet_lite0.best(logits, 1)[0]
    assert label.startswith(expected)


@pytest.mark.parametrize("device", DEVICES)
def test_minilm_ranks_related_sentences_first(device):
    vectors = [program("minilm", device)(**minilm.tokens(sentence)) for sentence in minilm.EXAMPLE]
    for sentence, vector in zip(minilm.EXAMPLE, vectors, strict=True):
        assert_close(vector, onnxruntime_outputs(minilm.onnx_file(), minilm.tokens(sentence))[0])
    assert minilm.ranked(vectors[0], vectors[1:]) == [0, 1, 2]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("line", [ppocr.EXAMPLE, "Invoice No. 2024-117"])
def test_ppocr_reads_a_line_of_text(device, line):
    picture = ppocr.as_input(ppocr.drawn(line))
    probabilities = program("ppocr", device)(x=picture)
    assert_close(probabilities, onnxruntime_outputs(ppocr.onnx_file(), {"x": picture})[0])
    assert ppocr.text(probabilities) == line


def test_a_network_split_over_two_processors_gives_the_same_answer():
    model = efficientnet_lite0.onnx_file()
    image = as_input(centre_crop(photograph("chelsea")))
    split = tetrarch.compile(model, devices=SPLIT, place="cpu,opencl", measure=False)
    logits = split(image=image)
    assert_close(logits, onnxruntime_outputs(model, {"image": image})[0])
    used = {part["device"].split(":")[0] for task in split.report()["tasks"] for part in task["parts"]}
    assert used == {"cpu", "opencl"}


def test_runs_give_the_same_bits():
    image = as_input(centre_crop(photograph("china")))
    first, second = (program("efficientnet", "cpu")(image=image) for _ in range(2))
    np.testing.assert_array_equal(first, second)
