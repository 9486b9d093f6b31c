"""The package `tetrarch`: calls, arrays of all kinds, variants, errors."""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
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
    import torch

    program = tetrarch.compile(small_models.addition(tmp_path))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    frozen = x.copy()
    frozen.flags.writeable = False
    kinds = [x[::-1][::-1], np.asfortranarray(x), frozen, torch.from_numpy(x), x.tolist()]
    for kind in kinds:
        np.testing.assert_array_equal(program(kind, x), 2 * x)


@pytest.mark.parametrize(
    "name",
    ["float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"],
)
def test_element_types(name, tmp_path):
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))
    program = tetrarch.compile(small_models.addition(tmp_path, element))
    x = np.arange(6).reshape(2, 3).astype(name)
    z = program(x, x)
    assert z.dtype == x.dtype
    np.testing.assert_array_equal(z, x + x)


def test_booleans(tmp_path):
    x, y = np.array([False, False, True, True]), np.array([False, True, False, True])
    z = tetrarch.compile(small_models.conjunction(tmp_path))(x, y)
    assert z.dtype == np.bool_
    np.testing.assert_array_equal(z, x & y)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_eight_bit_floats_by_ml_dtypes_or_as_bits(name, tmp_path):
    import ml_dtypes

    narrow, element = getattr(ml_dtypes, name), onnx.TensorProto.DataType.Value(name.replace("_", "").upper())
    x = np.array([[0.5, -1.25, 3.0], [448.0, 0.1, -0.0]], np.float32)
    rounded = x.astype(narrow)
    narrowed = tetrarch.compile(small_models.conversion(tmp_path, onnx.TensorProto.FLOAT, element))(x)
    np.testing.assert_array_equal(narrowed.view(np.uint8), rounded.view(np.uint8))
    widen = tetrarch.compile(small_models.conversion(tmp_path, element, onnx.TensorProto.FLOAT))
    for given in (rounded, rounded.view(np.uint8)):
        np.testing.assert_array_equal(widen(given), rounded.astype(np.float32))


def test_bfloat16_by_ml_dtypes_or_as_bits(tmp_path):
    import ml_dtypes

    program = tetrarch.compile(small_models.addition(tmp_path, onnx.TensorProto.BFLOAT16))
    x = np.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(
        program(x, x.view(np.uint16)).astype(np.float32), 2.0 * np.arange(6).reshape(2, 3)
    )


def test_int4_by_ml_dtypes_or_in_bytes(tmp_path):
    import ml_dtypes

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


def test_programs_run_side_by_side(tmp_path):
    """Several programs over the same device, each called from several threads."""
    models = [small_models.perceptron(tmp_path), small_models.convolutions(tmp_path)]
    inputs = [random_x(), np.random.default_rng(6).standard_normal((1, 16, 32, 32), np.float32)]
    programs = [tetrarch.compile(model) for model in models]
    expected = [program(x) for program, x in zip(programs, inputs, strict=True)]
    wrong = []

    def work(i: int) -> None:
        for _ in range(20):
            if not all(map(np.array_equal, programs[i](inputs[i]), expected[i])):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(number % 2,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_other_threads_go_on_during_a_call(tmp_path):
    program = tetrarch.compile(small_models.powers(tmp_path, 1024, 6), measure=False)
    x = np.eye(1024, dtype=np.float32)
    program(x)
    worker = threading.Thread(target=program, args=(x,))
    turns = 0
    worker.start()
    while worker.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns >= 5, "the GIL is released while a program runs"


BIG = (512, 1024)


def big_array() -> np.ndarray:
    return np.random.default_rng(8).standard_normal(BIG, np.float32)


def bytes_copied(program: tetrarch.Program) -> int:
    return program.report()["total"]["copied"]["value"]


def test_large_arrays_are_used_where_they_lie(tmp_path):
    import torch

    program = tetrarch.compile(small_models.addition(tmp_path, shape=BIG))
    x = big_array()
    frozen = x.copy()
    frozen.flags.writeable = False
    for kind in (x, frozen, torch.from_numpy(x), torch.from_numpy(x).clone()):
        z = program(kind, x)
        np.testing.assert_array_equal(z, 2 * x)
        assert bytes_copied(program) == 0
    program.write_trace(tmp_path / "trace.json")
    assert "copy" not in (tmp_path / "trace.json").read_text(encoding="utf-8")
    np.testing.assert_array_equal(torch.from_dlpack(z).numpy(), z)
    assert torch.from_dlpack(z).data_ptr() == z.ctypes.data, "and results go on without a copy"


def test_arrays_at_odd_addresses_are_copied(tmp_path):
    program = tetrarch.compile(small_models.addition(tmp_path, shape=BIG))
    x = big_array()
    odd = np.frombuffer(b"1234" + x.tobytes(), np.float32, offset=4).reshape(BIG)
    if odd.ctypes.data % 16 == 0:  # the bytes object lies oddly itself
        odd = np.frombuffer(b"12345678" + x.tobytes(), np.float32, offset=8).reshape(BIG)
    np.testing.assert_array_equal(program(odd, x), 2 * x)
    assert bytes_copied(program) == x.nbytes


def guarded(x: np.ndarray) -> np.ndarray:
    """A copy whose last byte is the last that may be read: a protected page follows."""
    pages = -(-x.nbytes // mmap.PAGESIZE) + 1
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    array = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    last = ctypes.c_void_p(array.ctypes.data + (pages - 1) * mmap.PAGESIZE)
    assert libc.mprotect(last, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    begin = (pages - 1) * mmap.PAGESIZE - x.nbytes
    copy = array[begin : begin + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def test_kernels_read_nothing_beyond_their_inputs(tmp_path):
    random = np.random.default_rng(9)
    cases = {
        small_models.convolutions(tmp_path): random.standard_normal((1, 16, 32, 32), np.float32),
        small_models.powers(tmp_path, 132, 2): random.standard_normal((132, 132), np.float32),
    }
    for model, x in cases.items():
        program = tetrarch.compile(model, measure=False)
        expected = program(x)
        np.testing.assert_array_equal(program(guarded(x)), expected)
        assert bytes_copied(program) == 0


FAR = [np.iinfo(np.int64).min, -(1 << 40), -(1 << 32), -4097, 4096, 1 << 31, 1 << 40, np.iinfo(np.int64).max]


@pytest.mark.parametrize("device", ["cpu", "opencl"])
@pytest.mark.parametrize("operator", ["Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND"])
def test_positions_outside_are_no_way_into_memory(operator, device, tmp_path):
    """What lies outside is read at the edge or written nowhere, as the reference has it."""
    model, random = small_models.indexed(tmp_path, operator), np.random.default_rng(10)
    program, reference = tetrarch.compile(model, [device], measure=False), tetrarch.reference(model)
    arrays = {}
    for port in program.inputs:
        floats = random.standard_normal(port.shape, np.float32)
        arrays[port.name] = (
            guarded(floats)
            if port.type == "f32"
            else random.permuted(np.resize(np.arange(4096, dtype=np.int64), port.shape), axis=0)
        )
    arrays["i"].flat[:: arrays["i"].size // len(FAR)] = FAR
    np.testing.assert_array_equal(program(**arrays), reference(**arrays))


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


def test_devices():
    names = {device.name: device for device in tetrarch.devices()}
    assert names["cpu"].kind == "real"
    assert names["cpu"].memory_bytes > 1 << 20
