"""Quantisation to 8-bit integers: compiled code as the integer graph means it, errors of calibration, trained networks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import small_models
from onnx import TensorProto, helper

import tetrarch
from conftest import onnxruntime_outputs

F32 = TensorProto.FLOAT


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory):
    """Padding, depthwise weights, a residual sum, x * sigmoid(x), pools and a matrix, with odd sizes."""
    random = np.random.default_rng(5)
    weights = {
        "w1": random.normal(0, 0.4, (19, 3, 3, 3)),
        "b1": random.normal(0, 0.5, 19),
        "w2": random.normal(0, 0.4, (19, 1, 3, 3)),
        "w3": random.normal(0, 0.3, (19, 19, 1, 1)),
        "b3": random.normal(0, 0.5, 19),
        "m": random.normal(0, 0.4, (19, 7)),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1], group=19),
        node("Sigmoid", ["c"], ["s"]),
        node("Mul", ["c", "s"], ["d"]),
        node("Conv", ["d", "w3", "b3"], ["e"]),
        node("Add", ["e", "b"], ["f"]),
        node("MaxPool", ["f"], ["g"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["g"], ["h"]),
        node("Flatten", ["h"], ["i"]),
        node("MatMul", ["i", "m"], ["y"]),
    ]
    initializers = {name: array.astype(np.float32) for name, array in weights.items()}
    return small_models.save(
        tmp_path_factory.mktemp("quantised"),
        "convolutions",
        nodes,
        [("x", F32, [1, 3, 23, 21])],
        [("y", F32, [1, 7])],
        initializers,
    )


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(6).normal(0.3, 1, (6, 3, 23, 21)).astype(np.float32)


@pytest.mark.parametrize("device", ["cpu", "opencl"])
def test_compiled_code_is_the_integer_graph(convolutions, samples, device):
    given = {"quantize": "int8", "calibration": [{"x": samples[:4]}]}
    program = tetrarch.compile(convolutions, devices=[device], measure=False, **given)
    reference = tetrarch.reference(convolutions, **given)
    floats = tetrarch.compile(convolutions, measure=False)
    for sample in samples:
        y = program(sample[None])
        np.testing.assert_array_equal(y, reference(sample[None]))
        expected = floats(sample[None])
        assert np.linalg.norm(y - expected) < 0.1 * np.linalg.norm(expected)


def places_with_npu(model, given):
    """Where each task goes when the NPU gets all that it takes."""
    tasks = tetrarch.compile(model, devices=["cpu", "npu"], measure=False, **given).report()["tasks"]
    return {task["name"]: "cpu" if "npu says" in task["reason"] else "npu" for task in tasks}


def test_npu_computes_the_integer_graph(convolutions, samples, tmp_path):
    given = {"quantize": "int8", "calibration": [{"x": samples[:4]}]}
    place = places_with_npu(convolutions, given)
    assert list(place.values()).count("npu") >= 3
    file = tmp_path / "place.json"
    file.write_text(json.dumps(place))
    program = tetrarch.compile(convolutions, devices=["cpu", "npu"], place=file, measure=False, **given)
    reference = tetrarch.reference(convolutions, **given)
    for sample in samples:
        np.testing.assert_array_equal(program(sample[None]), reference(sample[None]))
    sources = {
        part["device"]: part["time"]["source"] for t in program.report()["tasks"] for part in t["parts"]
    }
    assert sources["npu"] == "modelled"  # the processor's own time, not the model's


def test_neighbours_on_the_npu_are_one_segment(convolutions, samples, tmp_path):
    given = {"quantize": "int8", "calibration": [{"x": samples[:4]}]}
    file = tmp_path / "place.json"
    file.write_text(json.dumps(places_with_npu(convolutions, given)))
    program = tetrarch.compile(convolutions, devices=["cpu", "npu"], place=file, measure=False, **given)
    program(samples[:1])
    tasks = program.report()["tasks"]
    fused = [task for task in tasks if "segment" in task]
    assert len(fused) >= 2
    busy = [part["utilisation"] for task in tasks for part in task["parts"] if "utilisation" in part]
    assert busy
    assert all(0 < figure["value"] <= 1 and figure["source"] == "modelled" for figure in busy)
    # The same placement, loaded: the artifact's segments.
    program.save(tmp_path / "m.tet")
    again = tetrarch.load(tmp_path / "m.tet", devices=["cpu", "npu"], place=file)
    assert segments_of(again) == segments_of(program)


def segments_of(program):
    return [task.get("segment") for task in program.report()["tasks"]]


def test_a_placement_chosen_at_load_gets_segments(convolutions, samples, tmp_path):
    given = {"quantize": "int8", "calibration": [{"x": samples[:4]}]}
    compiled = tetrarch.compile(convolutions, devices=["cpu", "npu"], measure=False, **given)
    compiled.save(tmp_path / "m.tet")
    file = tmp_path / "place.json"
    file.write_text(json.dumps(places_with_npu(convolutions, given)))

    def load(npu="npu", **options):
        placed = json.loads(file.read_text())
        file.write_text(
            json.dumps({task: npu if on.startswith("npu") else on for task, on in placed.items()})
        )
        return tetrarch.load(tmp_path / "m.tet", devices=["cpu", npu], place=file, **options)

    fused, apart, checked = load(), load(retune=False), load("npu:check_rtl=8")
    assert any(segments_of(fused)) and not any(segments_of(apart))
    assert segments_of(checked) == segments_of(fused)
    results = [np.array(program(samples[:1])) for program in (compiled, fused, apart, checked)]
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)
    windows = [
        part.get("counters", {}).get("rtl_windows", 0)
        for t in checked.report()["tasks"]
        for part in t["parts"]
    ]
    assert sum(windows) == 8
    assert npu_seconds(fused) <= npu_seconds(apart)


def npu_seconds(program):
    parts = [part for task in program.report()["tasks"] for part in task["parts"]]
    return sum(part["time"]["value"] for part in parts if part["device"].startswith("npu"))


GROUPS = {  # groups, channels and features of each
    "few, joined on the array": (8, 4, 4),
    "few, an odd number of them": (7, 3, 5),
    "several features of each channel": (6, 1, 3),
    "wide, one after the other": (2, 24, 20),
    "wide with few features": (3, 20, 6),
}


@pytest.mark.parametrize("case", GROUPS)
@pytest.mark.parametrize("npu", ["npu", "npu:side=8", "npu:side=32"])
def test_npu_computes_grouped_convolutions(case, npu, tmp_path):
    groups, channels, features = GROUPS[case]
    random = np.random.default_rng(21)
    weights = {
        "w": random.normal(0, 0.4, (groups * features, channels, 3, 3)),
        "b": random.normal(0, 0.5, groups * features),
        "v": random.normal(0, 0.4, (5, groups * features, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], strides=[2, 1], group=groups),
        helper.make_node("Conv", ["y", "v"], ["z"]),
    ]
    model = small_models.save(
        tmp_path,
        "groups",
        nodes,
        [("x", F32, [1, groups * channels, 11, 9])],
        [("z", F32, [1, 5, 6, 9])],
        {name: array.astype(np.float32) for name, array in weights.items()},
    )
    x = random.normal(0, 1, (2, groups * channels, 11, 9)).astype(np.float32)
    given = {"quantize": "int8", "calibration": [{"x": x}]}
    tasks = tetrarch.compile(model, measure=False, **given).report()["tasks"]
    file = tmp_path / "place.json"
    file.write_text(json.dumps({next(t["name"] for t in tasks if t["root"] == "convolution"): npu}))
    program = tetrarch.compile(model, devices=["cpu", npu], place=file, measure=False, **given)
    np.testing.assert_array_equal(program(x[:1]), tetrarch.reference(model, **given)(x[:1]))


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return small_models.transformer(tmp_path_factory.mktemp("quantised"))


@pytest.mark.parametrize("device", ["cpu", "opencl"])
def test_a_transformer_block_is_integers_throughout(transformer, device):
    inputs = small_models.tokens(6)
    given = {"quantize": "int8", "calibration": inputs[:4]}
    program = tetrarch.compile(transformer, devices=[device], measure=False, **given)
    reference = tetrarch.reference(transformer, **given)
    floats = tetrarch.compile(transformer, measure=False)
    for sample in inputs:
        y = program(**sample)
        np.testing.assert_array_equal(y, reference(**sample))
        expected = floats(**sample)
        assert np.linalg.norm(y - expected) < 0.1 * np.linalg.norm(expected)


def test_npu_computes_a_transformer_block(transformer, tmp_path):
    inputs = small_models.tokens(6)
    given = {"quantize": "int8", "calibration": inputs[:4]}
    place = places_with_npu(transformer, given)
    assert list(place.values()).count("npu") >= 11
    file = tmp_path / "place.json"
    file.write_text(json.dumps(place))
    program = tetrarch.compile(transformer, devices=["cpu", "npu"], place=file, measure=False, **given)
    reference = tetrarch.reference(transformer, **given)
    for sample in inputs:
        np.testing.assert_array_equal(program(**sample), reference(**sample))


def test_nothing_of_a_transformer_block_is_left_in_floats(transformer, command, tmp_path):
    options = ["--quantize", "int8", "--stop-after", "quantize"]
    for name in ("x", "mask"):
        np.save(tmp_path / f"{name}.npy", np.concatenate([sample[name] for sample in small_models.tokens(4)]))
        options += ["--calibrate", f"{name}={tmp_path / name}.npy"]
    graph = command("compile", transformer, *options).stdout
    assert graph.count('"softmax_int8"') == 1
    assert graph.count('"layer_norm_int8"') == 2
    assert graph.count('"lookup_table"') == 2  # of the mask, and gelu
    for operation in ("exponential", "rsqrt", "erf"):
        assert f"tet.{operation} " not in graph


def test_errors_are_measured_and_kept(convolutions, samples, tmp_path):
    program = tetrarch.compile(
        convolutions, measure=False, quantize="int8", calibration=[{"x": sample[None]} for sample in samples]
    )
    program.save(tmp_path / "m.tet")
    tasks = tetrarch.load(tmp_path / "m.tet").report()["tasks"]
    errors = [task["error"] for task in tasks if "error" in task]
    assert len(errors) >= 5
    assert all(error["source"] == "measured" and 0 < error["value"] < 0.2 for error in errors)


def test_quantised_operators_of_a_model_are_taken_as_they_are(tmp_path):
    random = np.random.default_rng(7)
    arrays = {
        "sx": np.float32(0.03),
        "zx": np.uint8(120),
        "w": random.integers(-127, 128, (9, 4, 3, 3), np.int8),
        "sw": random.uniform(0.01, 0.03, 9).astype(np.float32),
        "zw": np.zeros(9, np.int8),
        "sy": np.float32(0.4),
        "zy": np.uint8(131),
        "bias": random.integers(-900, 900, 9, np.int32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node(
            "QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy", "bias"], ["c"], pads=[1, 1, 1, 1]
        ),
        helper.make_node("DequantizeLinear", ["c", "sy", "zy"], ["y"]),
    ]
    model = small_models.save(
        tmp_path, "operators", nodes, [("x", F32, [1, 4, 11, 13])], [("y", F32, [1, 9, 11, 13])], arrays
    )
    x = random.normal(0, 1, (1, 4, 11, 13)).astype(np.float32)
    y = tetrarch.compile(model, measure=False)(x)
    difference = np.abs(y - onnxruntime_outputs(model, {"x": x})[0])
    assert difference.max() <= 0.41  # one step, where the float lies next to a half
    assert (difference > 0.01).mean() < 0.01


class QdqLayers:
    """Layers between QuantizeLinear and DequantizeLinear, each with bytes of its own that come from outside."""

    def __init__(self):
        self.random = np.random.default_rng(31)
        self.nodes, self.inputs, self.outputs, self.arrays, self.given = [], [], [], {}, {}

    def constant(self, stem, array):
        name = f"{stem}{len(self.arrays)}"
        self.arrays[name] = np.asarray(array)
        return name

    def operand(self, shape, scale=0.05, zero=117):
        """What a layer reads: random bytes, dequantised."""
        name = f"q{len(self.inputs)}"
        self.inputs.append((name, TensorProto.UINT8, shape))
        self.given[name] = self.random.integers(0, 256, shape, np.uint8)
        numbers = [self.constant("s", np.float32(scale)), self.constant("z", np.uint8(zero))]
        self.nodes.append(helper.make_node("DequantizeLinear", [name, *numbers], [f"{name}_real"]))
        return f"{name}_real"

    def weights(self, shape):
        """A kernel of bytes with one scale an output channel, and 32-bit biases, as ONNX Runtime's tool makes them."""
        scales = self.random.uniform(0.004, 0.012, shape[0]).astype(np.float32)
        kernel = self.random.integers(-127, 128, shape, np.int8)
        bias = self.random.integers(-4000, 4000, shape[0], np.int32)
        for stem, array, factor in (("w", kernel, 1), ("b", bias, 0.05)):
            numbers = [
                self.constant("s", np.float32(factor) * scales),
                self.constant("z", np.zeros(shape[0], array.dtype)),
            ]
            real = f"{stem}{len(self.nodes)}_real"
            stored = self.constant(stem, array)
            self.nodes.append(helper.make_node("DequantizeLinear", [stored, *numbers], [real], axis=0))
            yield real

    def result(self, value, shape, scale, zero):
        name = f"y{len(self.outputs)}"
        numbers = [self.constant("s", np.float32(scale)), self.constant("z", np.uint8(zero))]
        self.nodes.append(helper.make_node("QuantizeLinear", [value, *numbers], [name]))
        self.outputs.append((name, TensorProto.UINT8, shape))

    def add(self, operator, operands, shape, scale, *, zero=101, relu=False, **attributes):
        value = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, operands, [value], **attributes))
        if relu:
            self.nodes.append(helper.make_node("Relu", [value], [f"{value}_relu"]))
            value = f"{value}_relu"
        self.result(value, shape, scale, zero)


# Of each layer: by how many steps of its result a byte may differ from ONNX Runtime's, and of what share of the bytes. A
# multiplier of 15 bits moves a result of at most 255 steps by less than 2^-7, which turns over a rounding in at most one
# of 64 cases; typical results are some tens of steps. The terms of a sum are rounded each: of two that lie anywhere
# between two steps, the sum of the roundings is not the rounding of the sum in 1 of 4 cases.
AGREEMENT = {
    "convolution": (1, 0.004),
    "depthwise": (1, 0.004),
    "sum": (1, 0.26),
    "maxima": (0, 0),
    "matrix": (1, 0.004),
}


def test_layers_of_a_qdq_model_are_those_of_onnxruntime(tmp_path):
    layers, plane = QdqLayers(), [1, 24, 31, 33]
    layers.add(
        "Conv", [layers.operand(plane), *layers.weights([40, 24, 3, 3])], [1, 40, 16, 17], 0.35,
        relu=True, pads=[1, 1, 1, 1], strides=[2, 2],
    )  # fmt: skip
    layers.add(
        "Conv", [layers.operand(plane), *layers.weights([24, 1, 3, 3])], plane, 0.1, pads=[1, 1, 1, 1], group=24
    )  # fmt: skip
    layers.add("Add", [layers.operand(plane), layers.operand(plane, 0.083, 140)], plane, 0.09)
    layers.add(
        "MaxPool", [layers.operand(plane)], [1, 24, 16, 17], 0.05, zero=117,
        kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]
    )  # fmt: skip
    kernel, bias = layers.weights([64, 200])
    layers.add("Gemm", [layers.operand([7, 200]), kernel, bias], [7, 64], 0.4, transB=1)
    model = small_models.save(tmp_path, "layers", layers.nodes, layers.inputs, layers.outputs, layers.arrays)
    results = tetrarch.compile(model, measure=False)(**layers.given)
    expected = onnxruntime_outputs(model, layers.given, optimized=False)
    for (name, (steps, share)), ours, theirs in zip(AGREEMENT.items(), results, expected, strict=True):
        apart = np.abs(ours.astype(int) - theirs.astype(int))
        assert apart.max() <= steps, name
        assert (apart > 0).mean() <= share, name
        assert len(np.unique(theirs)) > 50, name  # the scales leave something to compare


BAD_CALIBRATION = {
    "shape": (np.zeros((2, 3), np.float32), "which is no number of samples"),
    "type": (np.zeros((1, 3, 23, 21), np.int32), "is i32"),
    "nan": (np.full((1, 3, 23, 21), np.nan, np.float32), "NaN"),
    "infinite": (np.full((1, 3, 23, 21), np.inf, np.float32), "infinity"),
    "empty": (np.zeros((0, 3, 23, 21), np.float32), "empty"),
}


@pytest.mark.parametrize("case", BAD_CALIBRATION)
def test_bad_calibration_is_the_users(case, command, convolutions, tmp_path):
    array, words = BAD_CALIBRATION[case]
    np.save(tmp_path / "x.npy", array)
    options = ("--quantize", "int8", "--calibrate", f"x={tmp_path / 'x.npy'}", "-o", tmp_path / "m.tet")
    done = command("compile", convolutions, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "'x'" in done.stderr
    assert not (tmp_path / "m.tet").exists()
    with pytest.raises(tetrarch.InputError, match=words):
        tetrarch.compile(convolutions, quantize="int8", calibration=[{"x": array}])


def test_missing_calibration_is_the_users(command, convolutions, tmp_path):
    done = command("compile", convolutions, "--quantize", "int8", "--calibrate", f"x={tmp_path / 'none.npy'}")
    assert done.returncode == 2
    assert "none.npy" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--quantize", "int8"), "needs calibration"), (("--quantize", "int3", "--calibrate", "x={x}"), "int3"),
     (("--calibrate", "x={x}"), "no quantisation"), (("--quantize", "int8", "--calibrate", "q={x}"), "'q'")],
)  # fmt: skip
def test_bad_options_are_the_users(options, words, command, convolutions, samples, tmp_path):
    np.save(tmp_path / "x.npy", samples)
    done = command("compile", convolutions, *(option.format(x=tmp_path / "x.npy") for option in options))
    assert done.returncode == 2
    assert words in done.stderr


def test_minilm_keeps_its_ranking():
    from examples.models import minilm

    inputs = [minilm.tokens(sentence, sequence=16) for sentence in minilm.EXAMPLE]
    model = minilm.onnx_file(sequence=16)
    floats = tetrarch.compile(model, measure=False)
    integers = tetrarch.compile(model, measure=False, quantize="int8", calibration=inputs[:2])
    rankings = []
    for program in (floats, integers):
        query, *others = [program(**given) for given in inputs]
        rankings.append(minilm.ranked(query, others))
    assert rankings[0] == rankings[1]


def test_efficientnet_keeps_its_answer():
    from examples.models import efficientnet_lite0
    from examples.models.photographs import as_input, centre_crop, photograph

    pictures = [as_input(centre_crop(photograph(name))) for name in ("chelsea", "coffee", "flower")]
    program = tetrarch.compile(
        efficientnet_lite0.onnx_file(),
        measure=False,
        quantize="int8",
        calibration=[{"image": picture} for picture in pictures[:2]],
    )
    floats = tetrarch.compile(efficientnet_lite0.onnx_file(), measure=False)
    for picture in pictures:
        assert program(picture).argmax() == floats(picture).argmax()
