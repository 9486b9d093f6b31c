"""The package `tetrarch`: calls, arrays of all kinds, variants, errors."""

from __future__ import annotations

import gc
import json
import threading
import time

import jsonschema
import numpy as np
import onnx
import pytest
import small_models

import tetrarch
from conftest import ROOT, assert_close, onnxruntime_outputs

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def random_x(rows: int = 4) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((rows, 32), np.float32)


@pytest.fixture
def perceptron(tmp_path):
    return small_models.perceptron(tmp_path)


def test_a_call_by_name_and_by_position(perceptron):
    program = tetrarch.compile(perceptron)
    x = random_x()
    expected = onnxruntime_outputs(perceptron, {"x": x})
    for results in (program(x), program(x=x)):
        assert isinstance(results, tuple)
        for ours, theirs in zip(results, expected, strict=True):
            assert_close(ours, theirs)
    assert [port.name for port in program.inputs] == ["x"]
    assert (program.inputs[0].type, program.inputs[0].shape) == ("f32", (4, 32))
    assert [port.name for port in program.outputs] == ["y", "h"]


def test_a_model_from_bytes_and_from_a_proto(perceptron):
    x = random_x()
    expected = tetrarch.compile(perceptron)(x)[0]
    for model in (perceptron.read_bytes(), onnx.load(perceptron), str(perceptron)):
        np.testing.assert_array_equal(tetrarch.compile(model)(x)[0], expected)


def test_one_output_is_one_array(tmp_path):
    program = tetrarch.compile(small_models.addition(tmp_path))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(program(x, y=x), 2 * x)


def test_the_report_has_the_documented_form(perceptron):
    program = tetrarch.compile(perceptron)
    schema = {"$ref": "#/$defs/report", "$defs": SCHEMA["$defs"]}
    planned = program.report()
    jsonschema.validate(planned, schema)
    assert planned["total"]["time"]["value"] is None
    program(random_x())
    report = program.report()
    jsonschema.validate(report, schema)
    assert report["total"]["time"]["value"] > 0
    assert report["total"]["time"]["source"] == "measured"


def test_an_artifact_is_saved_and_loaded(perceptron, tmp_path):
    program = tetrarch.compile(perceptron)
    program.save(tmp_path / "p.tet")
    x = random_x()
    loaded = tetrarch.load(tmp_path / "p.tet")
    np.testing.assert_array_equal(loaded(x)[0], program(x)[0])
    loaded.write_trace(tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]


def test_shapes_are_bound_by_each_call(tmp_path):
    model = small_models.perceptron(tmp_path, batch="batch")
    stages = []
    program = tetrarch.compile(model, progress=lambda stage, *_: stages.append(stage))
    assert program.inputs[0].shape == (-1, 32)
    assert program.inputs[0].dim_names[0] == "batch"
    for rows in (3, 5, 3):
        x = random_x(rows)
        compiled = len(stages)
        assert_close(program(x)[0], onnxruntime_outputs(model, {"x": x})[0])
    assert len(stages) == compiled, "the variant for 3 rows is compiled once"
    bound = tetrarch.compile(model, dims={"batch": 2})
    assert bound.inputs[0].shape == (2, 32)
    with pytest.raises(tetrarch.InputError):
        program.__class__.save(tetrarch.compile(model), tmp_path / "p.tet")


def test_an_input_whose_value_decides_a_shape(tmp_path):
    program = tetrarch.compile(small_models.reshape_by_input(tmp_path))
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    for sizes in ([3, 4], [12, 1], [3, -1]):
        np.testing.assert_array_equal(program(x, np.array(sizes)), x.reshape(sizes))


def test_any_array_will_do(tmp_path):
    torch = pytest.importorskip("torch")
    program = tetrarch.compile(small_models.addition(tmp_path))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    frozen = x.copy()
    frozen.flags.writeable = False
    kinds = [x[::-1][::-1], np.asfortranarray(x), frozen, torch.from_numpy(x), x.tolist()]
    for kind in kinds:
        np.testing.assert_array_equal(program(kind, x), 2 * x)


@pytest.mark.parametrize("name", ["float64", "float16", "int8", "uint8", "int32", "int64"])
def test_element_types(name, tmp_path):
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))
    program = tetrarch.compile(small_models.addition(tmp_path, element))
    x = np.arange(6).reshape(2, 3).astype(name)
    z = program(x, x)
    assert z.dtype == x.dtype
    np.testing.assert_array_equal(z, x + x)


def test_bfloat16_by_ml_dtypes_or_as_bits(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    program = tetrarch.compile(small_models.addition(tmp_path, onnx.TensorProto.BFLOAT16))
    x = np.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(
        program(x, x.view(np.uint16)).astype(np.float32), 2.0 * np.arange(6).reshape(2, 3)
    )


def test_int4_by_ml_dtypes_or_in_bytes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    program = tetrarch.compile(small_models.addition(tmp_path, onnx.TensorProto.INT4))
    x = np.array([[-8, -1, 0], [1, 3, 7]])
    zeros = np.zeros((2, 3), np.int8)
    for given in (x.astype(ml_dtypes.int4), x.astype(np.int8)):
        np.testing.assert_array_equal(program(given, zeros).astype(np.int8), x)


def test_results_outlive_the_program(tmp_path):
    program = tetrarch.compile(small_models.addition(tmp_path))
    x = np.ones((2, 3), np.float32)
    first, second = program(x, x), program(2 * x, x)
    del program
    gc.collect()
    np.testing.assert_array_equal(first, 2 * x)
    np.testing.assert_array_equal(second, 3 * x)


def test_threads_may_share_a_program(perceptron):
    program = tetrarch.compile(perceptron)
    x = random_x()
    expected = program(x)[0]
    results = []
    workers = [threading.Thread(target=lambda: results.append(program(x)[0])) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 8
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_the_reference_agrees(perceptron):
    x = random_x()
    for ours, theirs in zip(tetrarch.compile(perceptron)(x), tetrarch.reference(perceptron)(x), strict=True):
        assert_close(ours, theirs)


def test_errors_say_what_is_wrong(perceptron, tmp_path):
    program = tetrarch.compile(perceptron)
    cases = {
        "inputs": lambda: program(),
        "'x'": lambda: program(y=random_x()),
        "f64": lambda: program(random_x().astype(np.float64)),
        "nothing.onnx": lambda: tetrarch.compile(tmp_path / "nothing.onnx"),
        "nothing.tet": lambda: tetrarch.load(tmp_path / "nothing.tet"),
        "warp": lambda: tetrarch.compile(perceptron, devices=["warp"]),
    }
    for word, act in cases.items():
        with pytest.raises(tetrarch.InputError, match=word) as caught:
            act()
        assert caught.value.code.isupper()
        assert isinstance(caught.value, ValueError)


def test_a_call_of_an_empty_model_is_quick(tmp_path):
    program = tetrarch.compile(small_models.empty(tmp_path))
    x = np.ones(1, np.float32)
    fastest = float("inf")
    for _ in range(50):
        begin = time.perf_counter()
        for _ in range(100):
            program(x)
        fastest = min(fastest, (time.perf_counter() - begin) / 100)
    assert fastest < 8e-6


def test_devices():
    names = {device.name: device for device in tetrarch.devices()}
    assert names["cpu"].kind == "real"
    assert names["cpu"].memory_bytes > 1 << 20
